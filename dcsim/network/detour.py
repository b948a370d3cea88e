"""Routing round links that are known to be dead: connections that crossed one take another of their choices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dcsim.errors import RunError
from dcsim.network.graph_routing import GraphRouter
from dcsim.network.next_hops import NextHops
from dcsim.network.route import RouteBuilder
from dcsim.network.routing import NO_LINK, Ends, Policy, Router, Routing, below, hashed, mix
from dcsim.network.tree import Floats, Indices

Mask = NDArray[np.bool_]
_LOW = np.uint64(0xFFFFFFFF)


class Detour:
    """A router whose connections avoid the links that ``avoid`` named last.

    A connection whose path is whole keeps it, as with resilient hashing; one whose path crosses a dead link draws by
    the same hash among the choices that survive: the up-down paths of a fat-tree, the shortest paths that are left in
    any other wiring. One that has no choice left keeps its dead path, and stalls.
    """

    def __init__(self, router: Routing, links: int) -> None:
        self._router = router
        self._dead: Mask = np.zeros(links, dtype=bool)
        self._around: GraphRouter | None = None

    @property
    def policy(self) -> Policy:
        """The policy of the router."""
        return self._router.policy

    @property
    def active(self) -> bool:
        """Whether some link is known to be dead."""
        return bool(self._dead.any())

    @property
    def dead(self) -> Mask:
        """Which links are known to be dead, shape (links,)."""
        return self._dead

    def farthest_s(self, crosses: Sequence[bool]) -> float:
        """Return the latency of the longest path through a tree; see :meth:`Router.farthest_s`."""
        return self._router.farthest_s(crosses) if isinstance(self._router, Router) else 0.0

    def avoid(self, dead: Indices) -> None:
        """Let connections avoid ``dead`` links, and no others, from now on."""
        self._dead = np.zeros_like(self._dead)
        self._dead[dead[dead < len(self._dead)]] = True
        router = self._router
        if isinstance(router, GraphRouter):
            self._around = router.around(NextHops(router.wiring, ~self._dead))

    def crosses(self, links: Indices) -> bool:
        """Return whether one of ``links`` is known to be dead."""
        return bool(self._dead[links[links < len(self._dead)]].any())

    def delays_s(self, paths: Indices) -> Floats:
        """Return the latency of each path; see :meth:`Routing.delays_s`."""
        return self._router.delays_s(paths)

    def paths(self, sources: Indices, targets: Indices, labels: Indices | int = 0) -> Indices:
        """Return the links of each path; see :meth:`Routing.paths`."""
        paths = self._router.paths(sources, targets, labels)
        if not self.active:
            return paths
        named = np.broadcast_to(np.asarray(labels, dtype=np.int64), sources.shape)
        for i in np.flatnonzero(self._broken(paths)).tolist():
            found = self._other(int(sources[i]), int(targets[i]), int(named[i]))
            if found is not None:
                if len(found) > paths.shape[1]:
                    paths = np.pad(paths, ((0, 0), (0, len(found) - paths.shape[1])), constant_values=NO_LINK)
                paths[i] = NO_LINK
                paths[i, : len(found)] = found
        return paths

    def lay(self, builder: RouteBuilder, ends: Ends, labels: Indices | int, amounts: Floats) -> float:
        """Add connections to a route; see :meth:`Routing.lay`."""
        if not self.active:
            return self._router.lay(builder, ends, labels, amounts)
        if self.policy not in ("adaptive", "ugal"):
            paths = self.paths(*ends, labels)
            builder.paths(paths, amounts)
            return float(np.max(self.delays_s(paths), initial=0.0))
        return self._lay_split(builder, ends, labels, amounts)

    def _lay_split(self, builder: RouteBuilder, ends: Ends, labels: Indices | int, amounts: Floats) -> float:
        """Split connections over what survives."""
        if self._around is not None:
            try:
                return self._around.lay(builder, ends, labels, amounts)
            except RunError:
                return self._router.lay(builder, ends, labels, amounts)  # no path for one of them: it stalls
        for source, target, amount in zip(*(each.tolist() for each in ends), amounts.tolist(), strict=True):
            choices = self._choices(source, target)
            whole = choices[~self._broken(choices)]
            kept = whole if len(whole) else choices
            builder.paths(kept, amount / len(kept))
        return self._router.longest_s(ends) if isinstance(self._router, Router) else 0.0

    def _broken(self, paths: Indices) -> Mask:
        return np.asarray((self._dead[paths] & (paths != NO_LINK)).any(axis=1))

    def _other(self, source: int, target: int, label: int) -> Indices | None:
        """Return a path that survives, None if there is none."""
        ends = np.array([source]), np.array([target])
        if self._around is not None:
            try:
                found = self._around.paths(*ends, label)
            except RunError:
                return None
            return None if self._broken(found)[0] else np.asarray(found[0])
        choices = self._choices(source, target)
        whole = choices[~self._broken(choices)]
        if not len(whole):
            return None
        word = mix(hashed(getattr(self._router, "seed", 0), *ends, label)) & _LOW
        return np.asarray(whole[int(below(word, len(whole))[0])])

    def _choices(self, source: int, target: int) -> Indices:
        """Return every up-down path of a fat-tree between two hosts, shape (choices, hops)."""
        if not isinstance(self._router, Router):
            raise RunError(f"paths of a {type(self._router).__name__} cannot be listed")
        return self._router.choices(source, target)
