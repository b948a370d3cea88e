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
_ASK = 10_000  # corrections
_REMEMBERED = 2_000_000  # numbers in remembered solutions
_NO_SLOTS = np.empty(0, dtype=np.int64)

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
        self._came: list[Indices] = []
        self._went: list[Indices] = []
        self._altered = False
        self._kernel = choose(0)
        self.corrections = 0
        self.solves = 0

    def come(self, slots: Indices) -> None:
        """Let flows share links from the next :meth:`solve` on."""
        self._came.append(slots)

    def go(self, slots: Indices) -> None:
        """Let flows share links no longer from the next :meth:`solve` on, which frees their slots."""
        present = self.table.present[slots]
        if not present.all():  # began and were dropped within this instant
            absent = slots[~present]
            self._came = [came[~np.isin(came, absent)] for came in self._came]
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
        table, changed = self.table, len(came) + len(went)
        table.appear(came)
        table.vanish(went)
        if table.count <= _SMALL or altered or changed * _LARGE >= table.count:
            self._from_memory(now_s)
        else:
            self._corrected(went, came, now_s)
        table.remove(went)

    def retire(self, slots: Indices, now_s: float) -> float:
        """Book flows that have ended and return the bytes that they have sent [B]."""
        return self._kernel.retire(*self.table.rows(self._kernel), slots, now_s)

    def _corrected(self, went: Indices, came: Indices, now_s: float) -> None:
        """Correct what the change reaches."""
        slots = went if not len(came) else came if not len(went) else np.concatenate((went, came))
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

    def _from_memory(self, now_s: float) -> None:
        """Take the solution for the present set of flows and state of links, or find and remember it."""
        table = self.table
        slots = np.flatnonzero(table.present)
        tokens = table.tokens[:, slots]
        order = slots[np.argsort(tokens[0], kind="stable")]
        state = self._states.setdefault(frozenset(self._deviating.items()), len(self._states))
        low, high = tokens.sum(axis=1).tolist()
        found = self._known.get((low, high, state))
        if found is None:
            found = self._known[low, high, state] = self._fresh(order) if len(slots) else _NOTHING
            self._stored += len(found.shares) + 3 * len(found.links)
            if self._stored > _REMEMBERED:
                self._known, self._stored = {}, 0
        self._adopt(found, order, now_s)

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


def _joined(parts: list[Indices]) -> Indices:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else _NO_SLOTS
