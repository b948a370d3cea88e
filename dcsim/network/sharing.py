"""Rates and link loads of a set of active routes, remembered: the same few sets return every step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dcsim.network.flows import max_min
from dcsim.network.route import Route
from dcsim.network.tree import Floats, Indices

_REMEMBERED_SETS = 1024
_REMEMBERED_ROUTES = 64  # A larger set hardly ever returns; looking it up would cost as much as it saves.


@dataclass(frozen=True, slots=True)
class Solution:
    """Payload rate [B/s] of one transfer on each route, and the load [B/s] of every link in use, ids ascending."""

    rates: dict[Route, float]
    links: Indices
    loads: Floats


NOTHING = Solution({}, np.empty(0, dtype=np.int64), np.empty(0))


class Sharing:
    """Solves how routes share links of the given payload capacities [B/s]."""

    def __init__(self, capacities: Floats) -> None:
        self._capacities = capacities
        self._place = np.zeros(len(capacities), dtype=np.int64)
        self._known: dict[frozenset[tuple[Route, int]], Solution] = {}
        self.solves = 0

    def solve(self, active: Mapping[Route, int]) -> Solution:
        """Return the max-min fair solution for ``active``: how many transfers there are on each route."""
        if not active:
            return NOTHING
        if len(active) > _REMEMBERED_ROUTES:
            return self._solve(active)
        key = frozenset(active.items())
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _REMEMBERED_SETS:
                self._known.clear()
            found = self._known[key] = self._solve(active)
        return found

    def _solve(self, active: Mapping[Route, int]) -> Solution:
        """Solve afresh; transfers on one route are one flow of the solver that takes their sum of each link."""
        self.solves += 1
        routes = list(active)
        counts = np.fromiter(active.values(), dtype=np.float64, count=len(routes))
        weights = np.array([route.weight for route in routes])
        sizes = np.array([len(route.links) for route in routes], dtype=np.int64)
        starts = np.concatenate(([0], np.cumsum(sizes)))
        links, place = self._compact(np.concatenate([route.links for route in routes]))
        share = np.concatenate([route.share for route in routes]) * np.repeat(counts, sizes)
        levels = max_min(starts, place, share * np.repeat(weights, sizes), self._capacities[links])
        rates = weights * levels
        loads = np.bincount(place, share * np.repeat(rates, sizes), len(links)).astype(np.float64)
        return Solution(dict(zip(routes, rates.tolist(), strict=True)), links, loads)

    def _compact(self, entries: Indices) -> tuple[Indices, Indices]:
        """Return the links in ``entries``, ascending, and the place of each entry among them, without sorting."""
        used = np.zeros(len(self._capacities), dtype=bool)
        used[entries] = True
        links = np.flatnonzero(used)
        self._place[links] = np.arange(len(links))
        return links, self._place[entries]
