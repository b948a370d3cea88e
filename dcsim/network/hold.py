"""Holds: what a fast-forwarding owner puts on its links without simulating each transfer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dcsim.engine import Clock
from dcsim.network.load import Load
from dcsim.network.tree import Floats, Indices

_NOBODY = -1


class Hold:
    """One owner's mean load on the links of its routes, until it releases it or is touched."""

    def __init__(self, holds: Holds, owner: str, links: Indices, load: tuple[Indices, Floats]) -> None:
        self._holds, self.owner, self.links = holds, owner, links
        self.where, self.loads = np.asarray(load[0], dtype=np.int64), np.asarray(load[1], dtype=np.float64)
        self.since_s, self.active = holds.clock.now, True
        self.touched: Callable[[], None] | None = None

    def moved(self) -> Floats:
        """Return the bytes that the mean load has put on each link of ``where`` until now [B]."""
        return self.loads * (self._holds.clock.now - self.since_s)

    def release(self, bytes_moved: tuple[Indices, Floats] | None = None) -> None:
        """End the hold and book ``bytes_moved`` (links, bytes on each [B]) in place of mean load times duration."""
        if self.active:
            self.active = False
            self._holds.end(self, bytes_moved)


class Holds:
    """All holds of a fabric, which links they are on, and the bytes they have booked.

    Holds of different owners never share a link, so a link has at most one holder.
    """

    def __init__(self, clock: Clock, load: Load, senders: Floats) -> None:
        self.clock, self._load, self._senders = clock, load, senders
        self._holder = np.full(len(senders), _NOBODY, dtype=np.int64)
        self._owners: dict[str, int] = {}
        self._active: dict[Hold, None] = {}
        self._booked = 0.0

    @property
    def sent_bytes(self) -> float:
        """Bytes that ended and present holds have put on sending links [B]."""
        return self._booked + sum(float(hold.moved() @ self._senders[hold.where]) for hold in self._active)

    @property
    def present(self) -> bool:
        """Whether anyone holds links."""
        return bool(self._active)

    def begin(self, owner: str, links: Indices, load: tuple[Indices, Floats], touched: Callable[[], None]) -> Hold:
        """Put a load on links and watch ``links``."""
        hold = Hold(self, owner, links, load)
        hold.touched = touched
        self._active[hold] = None
        self._mark(hold)
        self._load.publish(hold.where)
        return hold

    def end(self, hold: Hold, bytes_moved: tuple[Indices, Floats] | None) -> None:
        """Take a hold's load off its links and book its bytes."""
        mean = hold.moved()
        del self._active[hold]
        self._holder[hold.links] = _NOBODY
        self._load.held[hold.where] = 0.0
        for other in self._active:
            if other.owner == hold.owner:
                self._holder[other.links] = self._owners[other.owner]
                again = np.isin(other.where, hold.where)
                self._load.held[other.where[again]] += other.loads[again]
        self._load.publish(hold.where)
        if bytes_moved is None:
            self._booked += float(mean @ self._senders[hold.where])
            return
        where, moved = np.asarray(bytes_moved[0], dtype=np.int64), np.asarray(bytes_moved[1], dtype=np.float64)
        self._load.levels.credit(hold.where, -mean)
        self._load.levels.credit(where, moved)
        self._booked += float(moved @ self._senders[where])

    def of(self, owner: str) -> list[Hold]:
        """Return the holds of ``owner``."""
        return [hold for hold in self._active if hold.owner == owner]

    def foreign(self, links: Indices, owner: str) -> bool:
        """Return whether another owner holds one of ``links``."""
        holders = self._holder[links]
        return bool(np.any((holders != _NOBODY) & (holders != self._owners.get(owner, _NOBODY))))

    def touch(self, links: Indices, owner: str) -> None:
        """Tell the other owners who hold one of ``links``, each hold once."""
        if not self._active or not self.foreign(links, owner):
            return
        present = set(links.tolist())
        for hold in list(self._active):
            told = hold.touched
            if hold.owner != owner and told is not None and not present.isdisjoint(hold.links.tolist()):
                hold.touched = None
                told()

    def _mark(self, hold: Hold) -> None:
        self._holder[hold.links] = self._owners.setdefault(hold.owner, len(self._owners))
        self._load.held[hold.where] += hold.loads


def union(links: Sequence[Indices]) -> Indices:
    """Return every link of ``links`` once, ascending; so has each of them its own."""
    different = list({id(each): each for each in links}.values())  # a step takes the same route many times
    if len(different) < 2:
        return different[0] if different else np.empty(0, dtype=np.int64)
    taken = np.zeros(1 + max(int(each.max(initial=0)) for each in different), dtype=np.bool_)
    for each in different:
        taken[each] = True
    return np.flatnonzero(taken)
