"""Rates and link loads of the flows present: corrected after a small change, solved after a large one, remembered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dcsim.engine import LevelArray
from dcsim.network import refill
from dcsim.network.compiled import choose
from dcsim.network.load import Load
from dcsim.network.table import Table
from dcsim.network.tree import Floats, Indices

_SMALL = 64  # flows; a set of so few is solved whole when it is not known
_LARGE = 8  # a change of one flow in so many or more may be one that returns, and is solved whole when it is not known
_STRANGE = 8  # small changes in a row to sets not known, after which they are corrected instead
_ASK = 10_000  # corrections
_WORTH = 100  # flows and links that are given what is known take as long as one correction
_REMEMBERED = 2_000_000  # numbers in remembered solutions

Key = tuple[int, int, int]


@dataclass(slots=True)
class Solution:
    """Levels ``shares`` of flows in the order of their ``names``, the first words of their tokens.

    ``slots`` are those which had it last; ``of_links`` are the links in use, their levels and their loads [B/s].
    """

    names: Indices
    slots: Indices
    shares: Floats
    of_links: tuple[Indices, Floats, Floats]


class Sharing:
    """Solves how flows share links of the given payload capacities [B/s].

    The same few sets of flows return every step of a job and every round of a collective: what was solved once is
    remembered by a sum of the flows' tokens and by the state of the links.
    """

    def __init__(self, levels: LevelArray, capacities: Floats) -> None:
        self.table = Table(capacities, levels.rows)
        links = self.table.floats[0]
        self.load = Load(levels, links[refill.LOAD], links[refill.HELD])
        self._nominal = capacities
        self._known: dict[Key, Solution] = {}
        self._stored = 0
        self._states: dict[frozenset[tuple[int, float]], int] = {frozenset(): 0}
        self._deviating: dict[int, float] = {}
        self._came: list[Indices] = []
        self._went: list[Indices] = []
        # The links that the last solution adopted has loaded, None after corrections.
        self._loaded: Indices | None = np.empty(0, dtype=np.int64)
        self._altered = False
        self._strange = 0
        self.kernel = choose(0)
        self.corrections = 0
        self.solves = 0
        self.soonest_s = float("inf")  # when the first flow ends [s]

    def begin(self, bundle: Any, flows: tuple[Indices, Floats], at: tuple[int, int, float], *, at_once: bool) -> None:
        """Let flows share links from the next :meth:`solve` on, or ``at_once``.

        Parameters
        ----------
        bundle
            The tables of their routes, :attr:`dcsim.network.bundle.Bundle.tables`.
        flows
            Route by number and payload [B] of each.
        at
            The sum of their links, the number of the transfer that is told when they end, and now [s].
        at_once
            Whether nothing else is due now.
        """
        (which, sizes_bytes), (entries, owner, now_s), table = flows, at, self.table
        single = at_once and len(which) == 1 and _few(1, table.count + 1)
        if single and self._steady and table.has_room(entries):
            flow, place = (which.item(), sizes_bytes.item()), (table.lead(entries), owner, now_s)
            tried, self.soonest_s = self.kernel.begin(table.floats, table.ints, bundle, flow, place)
            self._corrected(tried, now_s)
            return
        slots, first = table.take(len(which), entries)
        loops, floats, ints = self.kernel.ledger(table, entries)
        loops.place(floats, ints, bundle, (slots, which, sizes_bytes), (first, owner, now_s))
        self._came.append(slots)
        if at_once:
            self.solve(now_s)

    def end(self, now_s: float, *, at_once: bool) -> tuple[list[int], float]:
        """Book the flows that have nothing left, which share links no longer from the next :meth:`solve` on.

        Parameters
        ----------
        now_s
            Now [s].
        at_once
            Whether nothing else is due now, so that they share links no longer from now on.

        Returns
        -------
        tuple
            The number of the transfer of each that is told, and the bytes that they have put on sending links [B].
        """
        table = self.table
        if at_once and self._steady:
            most = min((table.count - 1) // (_LARGE + 1), table.count - _SMALL - 1)  # as of :func:`_few` of the others
            ended, tried, soonest_s, sent = self.kernel.end(table.floats, table.ints, most, now_s)
            owners = table.ints[1][refill.TOLD, :ended].tolist()
            if 0 < ended <= most:
                table.drop(ended)
                self.soonest_s = soonest_s
                self._corrected(tried, now_s)
                return owners, sent
            slots = table.ints[1][refill.CHANGE, :ended].copy()
        else:
            slots = table.due(now_s)
            owners = table.ints[1][refill.OWNER, slots].tolist()
            loops, floats, ints = self.kernel.ledger_of(table, slots)
            sent = loops.retire(floats, ints, slots, now_s) if owners else 0.0
        if owners:
            self._went.append(slots)
            if at_once:
                self.solve(now_s)
        return owners, sent

    @property
    def _steady(self) -> bool:
        """Whether the compiled kernel can correct what it changes: nothing else is to be done first."""
        return self.kernel.compiled and self.table.listed and not (self._came or self._went or self._altered)

    def go(self, slots: Indices) -> None:
        """Let flows share links no longer from the next :meth:`solve` on, which frees their slots."""
        present = self.table.state[slots] == refill.PRESENT
        if not present.all():  # began and were dropped within this instant
            absent = slots[~present]
            self._came = [each[~np.isin(each, absent)] for each in self._came]
            self.table.remove(absent)
            slots = slots[present]
        self._went.append(slots)

    def alter(self, links: Indices, capacities: Floats) -> None:
        """Give links other capacities [B/s] from the next :meth:`solve` on; 0 where nothing passes."""
        self._altered = True
        self.table.floats[0][refill.CAPACITY, links] = capacities
        for link, capacity in zip(links.tolist(), capacities.tolist(), strict=True):
            if capacity == self._nominal[link]:
                self._deviating.pop(link, None)
            else:
                self._deviating[link] = capacity

    def solve(self, now_s: float) -> None:
        """Give every flow present its rate and every link its load from ``now_s`` [s] on."""
        came, went, altered = _joined(self._came), _joined(self._went), self._altered
        self._came, self._went, self._altered = [], [], False
        table = self.table
        table.appear(came)
        table.vanish(went)
        if altered or not _few(len(came) + len(went), table.count):
            self._from_memory(now_s)
            self._strange = 0
        elif not table.listed and self._strange < _STRANGE:
            self._strange = 0 if self._from_memory(now_s) else self._strange + 1
        else:
            self._correct(went, came, now_s)
        table.remove(went)
        self.soonest_s = table.soonest_s()

    def _correct(self, went: Indices, came: Indices, now_s: float) -> None:
        """Correct what the change reaches."""
        slots = np.concatenate((went, came)) if len(went) and len(came) else went if len(went) else came
        rows = self.kernel.rows(self.table)
        if self.table.listed:
            _, _, tried = self.kernel.change(*rows, slots, len(went), now_s)
        else:
            self.table.relist()
            _, _, tried = self.kernel.correct(*rows, slots, len(went), now_s)
        self._corrected(tried, now_s)

    def _corrected(self, tried: int, now_s: float) -> None:
        """What a change reaches has been corrected by so many tries, negative if all must be solved from the start."""
        self._count(abs(tried))
        self.solves += 1
        self._loaded = None
        if tried < 0:
            slots = np.flatnonzero(self.table.present)
            self._adopt(self._fresh(slots), slots, now_s)
            self.soonest_s = self.table.soonest_s()
        else:
            self.load.levels.changed()

    def _count(self, corrections: int) -> None:
        """Count corrections, and ask now and then whether there were enough of them to use the compiled kernel."""
        before, self.corrections = self.corrections, self.corrections + corrections
        if not self.kernel.compiled and self.corrections // _ASK > before // _ASK:
            self.kernel = choose(self.corrections)

    def _from_memory(self, now_s: float) -> bool:
        """Take the solution for the present set of flows and state of links, or find and remember it; return whether it
        was known.
        """
        (slots,) = self.table.present.nonzero()
        tokens = self.table.ints[1][refill.TOKEN : refill.TOKEN + 2, slots]
        state = self._states.setdefault(frozenset(self._deviating.items()), len(self._states))
        low, high = tokens.sum(axis=1).tolist()
        found = self._known.get((low, high, state))
        known = found is not None
        if found is None:
            order = slots[np.argsort(tokens[0], kind="stable")]
            found = self._known[low, high, state] = self._fresh(order)
            self._stored += 3 * (len(found.shares) + len(found.of_links[0]))
            if self._stored > _REMEMBERED:
                self._known, self._stored = {}, 0
        else:
            order = self._order(found, slots, tokens[0])
        self._adopt(found, order, now_s)
        return known

    def _order(self, found: Solution, slots: Indices, names: Indices) -> Indices:
        """Return ``slots`` in the order of a solution: often that of the last time, when sorting can be saved."""
        last, table = found.slots, self.table
        if len(slots) < 2:
            return slots
        there = np.all(table.state[last] == refill.PRESENT)
        if not (there and np.all(table.ints[1][refill.TOKEN, last] == found.names)):
            found.slots = slots[np.argsort(names, kind="stable")]
        return found.slots

    def _fresh(self, slots: Indices) -> Solution:
        """Solve from the start."""
        table = self.table
        names = table.ints[1][refill.TOKEN, slots]
        places, starts = table.entries(slots)
        entries = table.ints[2][refill.LINK, places]
        links, place = self._compact(entries)
        if not len(slots):
            return Solution(names, slots, np.empty(0), (links, np.empty(0), np.empty(0)))
        self.solves += 1
        amounts = table.floats[2][refill.AMOUNT, places]
        demands = starts, place, amounts, table.slots[refill.CAP, slots]
        shares, levels = self.kernel.fill(demands, table.floats[0][refill.CAPACITY, links])
        loads = np.bincount(place, amounts * np.repeat(shares, np.diff(starts)), len(links)).astype(np.float64)
        return Solution(names, slots, shares, (links, levels, loads))

    def _adopt(self, solution: Solution, slots: Indices, now_s: float) -> None:
        """Let ``slots`` have the rates of a solution."""
        table, loaded, used = self.table, self._loaded, solution.of_links[0]
        if loaded is None:  # corrections, whose last may have been left undone
            links = table.floats[0]
            loaded = np.flatnonzero((links[refill.LEVEL] < np.inf) | (links[refill.LOAD] != 0.0))
            links[refill.PENDING] = np.inf
        loops, floats, _ = self.kernel.ledger(table, len(loaded) + len(used))
        loops.load_links(floats, loaded, solution.of_links, now_s)
        loops, floats, ints = self.kernel.ledger(table, len(slots))
        loops.share_out(floats, ints, slots, solution.shares, now_s)
        self._loaded, table.listed = used, False
        self._count((len(slots) + len(loaded) + len(used)) // _WORTH)
        self.load.levels.changed()

    def _compact(self, entries: Indices) -> tuple[Indices, Indices]:
        """Return the links in ``entries``, ascending, and the place of each entry among them, without sorting."""
        capacity = self.table.floats[0].shape[1]
        used, place = np.zeros(capacity, dtype=bool), np.empty(capacity, dtype=np.int64)
        used[entries] = True
        links = np.flatnonzero(used)
        place[links] = np.arange(len(links))
        return links, place[entries]


def _few(changes: int, flows: int) -> bool:
    """Return whether ``changes`` of ``flows`` are rather corrected than solved whole."""
    return flows > _SMALL and changes * _LARGE < flows


def _joined(parts: list[Indices]) -> Indices:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
