"""Flows that stand still because a link of theirs is dead, and who is told when that lasts too long."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dcsim.engine import Alarm, Clock
from dcsim.network import refill
from dcsim.network.table import Table

_ROUNDING = 1.0 - 1e-9


class Stall(NamedTuple):
    """A time [s] through which a flow of ``owner`` had no rate because ``link`` was dead."""

    owner: str
    link: int
    start_s: float
    end_s: float


class Stalls:
    """Watches flows without a rate; ``told(owner, link)`` is called when one has had none for ``limit_s`` [s].

    ``link`` is a dead link of the flow. It is the transport under the collective library that gives up: InfiniBand
    retries a packet a few times, each after a time-out.
    """

    def __init__(self, clock: Clock, table: Table, owner: Callable[[int], str]) -> None:
        self._clock, self._table, self._owner = clock, table, owner
        self.limit_s = float("inf")
        self.told: Callable[[str, int], None] | None = None
        self.possible = False  # whether some link may be dead; nothing else stops a flow
        self._alarm: Alarm | None = None
        self._over: set[int] = set()  # transfers whose owners have been told
        self._waiting: dict[str, tuple[int, float]] = {}  # owners: the dead link, since [s]
        self._ended: list[Stall] = []

    @property
    def periods(self) -> list[Stall]:
        """When flows of whom stood still, those that still do until now."""
        now = self._clock.now
        return [*self._ended, *(Stall(owner, link, since, now) for owner, (link, since) in self._waiting.items())]

    def watch(self) -> None:
        """Note who stands still now, and set the alarm for the flow that has stood still the longest."""
        if not self.possible:
            return
        self._note()
        if self._alarm is not None:
            return
        slots = self._still()
        if len(slots):
            since_s = float(self._table.slots[refill.SINCE, slots].min())
            if since_s + self.limit_s < float("inf"):
                self._alarm = self._clock.call_at(since_s + self.limit_s, self._ring)

    def _note(self) -> None:
        table, now = self._table, self._clock.now
        standing: dict[str, int] = {}
        for slot in np.flatnonzero(table.present & (table.slots[refill.RATE] <= 0.0)).tolist():
            number, dead = int(table.ints[1][refill.OWNER, slot]), self._dead(slot)
            if number != refill.NONE and dead is not None:
                standing.setdefault(self._owner(number), dead)
        for owner in [each for each in self._waiting if each not in standing]:
            link, since = self._waiting.pop(owner)
            if now > since:
                self._ended.append(Stall(owner, link, since, now))
        for owner, link in standing.items():
            self._waiting.setdefault(owner, (link, now))

    def _dead(self, slot: int) -> int | None:
        """Return a dead link of a flow."""
        links = self._table.links_of(np.array([slot]))
        dead = links[self._table.floats[0][refill.CAPACITY, links] <= 0.0]
        return int(dead[0]) if len(dead) else None

    def _still(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        still = np.flatnonzero(self._table.present & (self._table.slots[refill.RATE] <= 0.0))
        numbers = self._table.ints[1][refill.OWNER, still]
        return still[~np.isin(numbers, [refill.NONE, *self._over])]

    def _ring(self) -> None:
        self._alarm = None
        slots, rows, now_s = self._still(), self._table.slots, self._clock.now
        late_s = self.limit_s * _ROUNDING - refill.CLOCK_ROUNDING * now_s
        for slot in slots[now_s - rows[refill.SINCE, slots] >= late_s].tolist():
            number = int(self._table.ints[1][refill.OWNER, slot])
            dead = self._dead(slot)
            if number not in self._over and self.told is not None and dead is not None:
                self.told(self._owner(number), dead)
            self._over.add(number)
        self.watch()
