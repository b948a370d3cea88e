"""Rates and link loads of the flows present: corrected after a small change, solved after a large one, remembered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dcsim.engine import LevelArray
from dcsim.network import refill
from dcsim.network.compiled import choose
from dcsim.network.flows import Demands, fill
from dcsim.network.load import Load
from dcsim.network.table import Table
from dcsim.network.tree import Floats, Indices

_SMALL = 64  # flows; a set of so few is solved whole when it is not known
_LARGE = 8  # a change of one flow in so many or more may be one that returns, and is solved whole when it is not known
_STRANGE = 8  # small changes in a row to sets not known, after which they are corrected instead
_SHORT = 64  # links of flows; more are booked by NumPy unless the loop is compiled
_ASK = 10_000  # corrections
_REMEMBERED = 2_000_000  # numbers in remembered solutions

Key = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Solution:
    """Levels of flows in the order of their tokens, and of every link in use its level and load [B/s]."""

    shares: Floats
    links: Indices
    levels: Floats
    loads: Floats


_NOTHING = Solution(np.empty(0), np.empty(0, dtype=np.int64), np.empty(0), np.empty(0))


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
        self._came: list[int] = []
        self._went: list[int] = []
        self._altered = False
        self._strange = 0
        self._kernel = choose(0)
        self.corrections = 0
        self.solves = 0

    def come(self, slots: list[int]) -> None:
        """Let flows share links from the next :meth:`solve` on."""
        self._came += slots

    def go(self, slots: list[int]) -> None:
        """Let flows share links no longer from the next :meth:`solve` on, which frees their slots."""
        present = self.table.present
        absent = {slot for slot in slots if not present[slot]}
        if absent:  # began and were dropped within this instant
            self._came = [slot for slot in self._came if slot not in absent]
            self.table.remove(list(absent))
            slots = [slot for slot in slots if slot not in absent]
        self._went += slots

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
        came, went, altered = self._came, self._went, self._altered
        self._came, self._went, self._altered = [], [], False
        table = self.table
        table.appear(came)
        table.vanish(went)
        if table.count <= _SMALL or altered or (len(came) + len(went)) * _LARGE >= table.count:
            self._from_memory(now_s)
            self._strange = 0
        elif not table.listed and self._strange < _STRANGE:
            self._strange = 0 if self._from_memory(now_s) else self._strange + 1
        else:
            self._corrected(went, came, now_s)
        table.remove(went)

    def retire(self, slots: Indices, now_s: float) -> float:
        """Book flows that have ended, as :func:`refill.retire` does, and return the bytes that they have sent [B]."""
        if self._kernel.compiled or int(self.table.ints[1][refill.SIZE, slots].sum()) <= _SHORT:
            return self._kernel.retire(*self.table.rows(self._kernel), slots, now_s)
        table, rows = self.table, self.table.slots
        places, starts = table.entries(slots)
        left = rows[refill.LEFT, slots] - rows[refill.RATE, slots] * (now_s - rows[refill.SINCE, slots])
        of_level = np.repeat(left / rows[refill.WEIGHT, slots], np.diff(starts))
        self.load.levels.credit(table.ints[2][refill.LINK, places], table.floats[2][refill.AMOUNT, places] * of_level)
        rows[refill.END, slots] = rows[refill.DUE, slots] = np.inf
        return float(np.cumsum(rows[refill.BYTES, slots] * rows[refill.SENT, slots])[-1])  # added as the loop does

    def _corrected(self, went: list[int], came: list[int], now_s: float) -> None:
        """Correct what the change reaches."""
        slots = np.array(went + came, dtype=np.int64)
        rows = self.table.rows(self._kernel)
        if self.table.listed:
            _, _, tried = self._kernel.change(*rows, slots, len(went), now_s)
        else:
            self.table.relist()
            _, _, tried = self._kernel.correct(*rows, slots, len(went), now_s)
        self._count(abs(tried))
        self.solves += 1
        if tried < 0:
            slots = np.flatnonzero(self.table.present)
            self._adopt(self._fresh(slots), slots, now_s)
        self.load.levels.changed()

    def _count(self, corrections: int) -> None:
        """Count corrections, and ask now and then whether there were enough of them to use the compiled kernel."""
        before, self.corrections = self.corrections, self.corrections + corrections
        if not self._kernel.compiled and self.corrections // _ASK > before // _ASK:
            self._kernel = choose(self.corrections)

    def _from_memory(self, now_s: float) -> bool:
        """Take the solution for the present set of flows and state of links, or find and remember it; return whether it
        was known.
        """
        table = self.table
        slots = np.flatnonzero(table.present)
        tokens = table.tokens[:, slots]
        order = slots[np.argsort(tokens[0], kind="stable")]
        state = self._states.setdefault(frozenset(self._deviating.items()), len(self._states))
        low, high = tokens.sum(axis=1).tolist()
        found = self._known.get((low, high, state))
        known = found is not None
        if found is None:
            found = self._known[low, high, state] = self._fresh(order) if len(slots) else _NOTHING
            self._stored += len(found.shares) + 3 * len(found.links)
            if self._stored > _REMEMBERED:
                self._known, self._stored = {}, 0
        self._adopt(found, order, now_s)
        return known

    def _fresh(self, slots: Indices) -> Solution:
        """Solve from the start."""
        self.solves += 1
        table = self.table
        places, starts = table.entries(slots)
        entries = table.ints[2][refill.LINK, places]
        links, place = self._compact(entries)
        amounts = table.floats[2][refill.AMOUNT, places]
        demands = Demands(starts, place, amounts, table.slots[refill.CAP, slots])
        shares, levels = fill(demands, table.floats[0][refill.CAPACITY, links])
        loads = np.bincount(place, amounts * np.repeat(shares, np.diff(starts)), len(links)).astype(np.float64)
        return Solution(shares, links, levels, loads)

    def _adopt(self, solution: Solution, slots: Indices, now_s: float) -> None:
        """Let ``slots`` have the rates of a solution."""
        table = self.table
        links = table.floats[0]
        loads = np.zeros(links.shape[1])
        loads[solution.links] = solution.loads
        moved = np.flatnonzero(loads != links[refill.LOAD])
        links[refill.LEVEL] = links[refill.PENDING] = np.inf
        links[refill.LEVEL, solution.links] = solution.levels
        table.slots[refill.SHARE, slots] = solution.shares
        table.listed = False
        rates = table.slots[refill.WEIGHT, slots] * solution.shares
        self._proceed(slots[rates != table.slots[refill.RATE, slots]], now_s)
        self.load.flow(moved, loads[moved])

    def _proceed(self, changed: Indices, now_s: float) -> None:
        """Do what :func:`refill.proceed` does, for many flows at once and to the same bits."""
        rows = self.table.slots
        left = rows[refill.LEFT, changed] - rows[refill.RATE, changed] * (now_s - rows[refill.SINCE, changed])
        rate = rows[refill.WEIGHT, changed] * rows[refill.SHARE, changed]
        moves = rate > 0.0
        safe = np.where(moves, rate, 1.0)
        end = np.where(moves, now_s + left / safe, np.inf)
        rounding = np.maximum(
            refill.SIZE_ROUNDING * rows[refill.BYTES, changed] / safe, refill.CLOCK_ROUNDING * np.where(moves, end, 0.0)
        )
        rows[refill.LEFT, changed], rows[refill.SINCE, changed], rows[refill.RATE, changed] = left, now_s, rate
        rows[refill.END, changed], rows[refill.DUE, changed] = end, end - rounding

    def _compact(self, entries: Indices) -> tuple[Indices, Indices]:
        """Return the links in ``entries``, ascending, and the place of each entry among them, without sorting."""
        capacity = self.table.floats[0].shape[1]
        used, place = np.zeros(capacity, dtype=bool), np.empty(capacity, dtype=np.int64)
        used[entries] = True
        links = np.flatnonzero(used)
        place[links] = np.arange(len(links))
        return links, place[entries]
