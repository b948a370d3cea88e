"""Links that are down or slow, and when routing comes to know it."""

from __future__ import annotations

import numpy as np

from dcsim.engine import Clock, Level
from dcsim.network.detour import Detour
from dcsim.network.route import Route, Routes
from dcsim.network.traffic import Traffic
from dcsim.network.tree import Floats, Indices


class Outage:
    """The state of the links of a fabric.

    A dead link stops its flows at once; ``detection_s`` [s] later routing has noticed, and connections that crossed it
    take another path, those under way with what is left of them. A repaired link carries at once what still crosses it;
    connections come back to it after the same delay when their next transfer begins. ``state`` counts the changes of
    either kind.
    """

    def __init__(self, clock: Clock, traffic: Traffic, detour: Detour, detection_s: float) -> None:
        self._clock, self._traffic, self._detour, self._detection_s = clock, traffic, detour, detection_s
        self._nominal: Floats = traffic.capacities
        self._causes: dict[str, tuple[Indices, float]] = {}
        self._remade: dict[Route | Routes, Route | Routes] = {}
        self._known: tuple[int, ...] = ()
        self.state = Level(clock, "network state", "1", 0.0)

    def impair(self, cause: str, links: Indices, factor: float) -> None:
        """Let ``links`` carry ``factor`` of their capacity [1], 0 if dead, until :meth:`restore` of the same cause."""
        self._causes[cause] = (links, factor)
        self._changed(links)

    def restore(self, cause: str) -> None:
        """End what ``cause`` did; other causes may still hold the same links back."""
        links, _ = self._causes.pop(cause)
        self._changed(links)

    def current(self, route: Route | Routes) -> Route | Routes:
        """Return the route that a connection along ``route`` takes now: itself unless a link of it is known dead."""
        if route.again is None or not self._detour.active:
            return route
        if route not in self._remade:
            other = route.again() if self._detour.crosses(route.links) else route
            # One that has no other path left stays what it is, and stalls.
            self._remade[route] = route if np.array_equal(other.links, route.links) else other
        return self._remade[route]

    def _changed(self, links: Indices) -> None:
        factors = np.ones(len(self._nominal))
        for where, factor in self._causes.values():
            factors[where] = np.minimum(factors[where], factor)
        self._traffic.stalls.possible = True
        self._traffic.alter(links, self._nominal[links] * factors[links])
        self.state.add(1.0)
        self._clock.call_at(self._clock.now + self._detection_s, self._learn)

    def _learn(self) -> None:
        """Routing notices which links are dead now."""
        dead = np.flatnonzero(self._traffic.present_capacities <= 0.0)
        known = tuple(dead.tolist())
        if known == self._known:
            return
        self._known = known
        self._remade.clear()
        self._detour.avoid(dead)
        self._traffic.reroute(self.current)
        self.state.add(1.0)
