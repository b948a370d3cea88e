"""How connections choose their way, and up-down routes through a fat-tree as arithmetic on link ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from dcsim.network.route import RouteBuilder
from dcsim.network.tree import Floats, Indices, Tree

Policy = Literal["ecmp", "d-mod-k", "static", "adaptive", "rail-local", "valiant", "ugal", "dimension-order"]
Ends = tuple[Indices, Indices]  # the hosts that connections leave and enter
NO_LINK = -1
_LONGEST = 6  # links of a path between pods


class Routing(Protocol):
    """Chooses the links of connections between hosts, many at once.

    Policies: ``ecmp`` draws one of the shortest paths by a seeded hash of (source, target, label), as switches hash a
    connection's addresses and ports, so that connections may collide; ``rail-local`` does the same once the planner has
    taken the network cards of one rail at both ends; ``d-mod-k`` chooses by the target alone; ``static`` takes the
    first of the shortest paths, always; ``adaptive`` splits every connection over all its shortest paths, in
    proportion to the links' capacities, as packet spraying and adaptive routing do at their best; ``dimension-order``
    goes along one dimension of a torus after the other; ``valiant`` goes by a router drawn for each connection;
    ``ugal`` splits connections between minimal paths and ones by third groups of a dragonfly, by the links' loads.
    """

    @property
    def policy(self) -> Policy:
        """The policy."""
        ...

    def delays_s(self, paths: Indices) -> Floats:
        """Return the latency of the switches and cables on each of :meth:`paths` [s]."""
        ...

    def paths(self, sources: Indices, targets: Indices, labels: Indices | int = 0) -> Indices:
        """Return the link ids of one path of each connection, shape (connections, hops), NO_LINK where shorter."""
        ...

    def lay(self, builder: RouteBuilder, ends: Ends, labels: Indices | int, amounts: Floats) -> float:
        """Add connections between ``ends`` that move ``amounts``, shape (connections,), to a route.

        Returns the latency of the switches and cables on the longest path [s].
        """
        ...


@dataclass(frozen=True, slots=True)
class Router:
    """Chooses the uplinks of each connection; the way down is then given.

    ``ecmp`` draws the uplink of either tier by a seeded hash of (source, target, label), as switches hash a
    connection's addresses and ports: independent and uniform, so that connections may collide. ``d-mod-k`` chooses by
    the target alone, edge uplink = target mod w1, aggregation uplink = (target div w1) mod w2 with w the up-ports of
    the switch (E. Zahavi, "D-Mod-K Routing Providing Non-Blocking Traffic for Shift Permutations on Real Life Fat
    Trees", 2010). ``static`` always takes the first uplink, ``adaptive`` all of them evenly. The policies are those of
    :class:`Routing` that a tree has.
    """

    tree: Tree
    policy: Policy = "ecmp"
    seed: int = 0
    switch_latency_s: float = 0.0

    def paths(self, sources: Indices, targets: Indices, labels: Indices | int = 0) -> Indices:
        """Return the link ids of each path, shape (connections, 6); places a shorter path does not use hold NO_LINK.

        ``sources`` and ``targets`` are hosts, ``labels`` tell connections of one pair of hosts apart (a port number).
        A connection from a host to itself uses no link.
        """
        return self._climb(sources, targets, self._uplinks(sources, targets, labels))

    def choices(self, source: int, target: int) -> Indices:
        """Return every path from host to host, shape (choices, 6)."""
        shape = self.tree.shape
        width, up = shape.edge_uplinks, shape.aggregation_uplinks
        first, second = (each.ravel() for each in np.meshgrid(np.arange(width), np.arange(up), indexing="ij"))
        ends = np.full(len(first), source), np.full(len(first), target)
        return np.unique(self._climb(*ends, (first, second)), axis=0)

    def _climb(self, sources: Indices, targets: Indices, uplinks: tuple[Indices, Indices]) -> Indices:
        """Return the paths that take the given uplinks of edge and aggregation switches."""
        shape, (first, second) = self.tree.shape, uplinks
        host_up, host_down, edge_up, edge_down, core_up, core_down = self.tree.starts
        source_edge, target_edge = sources // shape.hosts_per_edge, targets // shape.hosts_per_edge
        source_pod, target_pod = source_edge // shape.edges_per_pod, target_edge // shape.edges_per_pod
        width, up = shape.edge_uplinks, shape.aggregation_uplinks
        paths = np.empty((len(sources), _LONGEST), dtype=np.int64)
        paths[:, 0] = host_up + sources
        paths[:, 1] = edge_up + source_edge * width + first
        paths[:, 2] = core_up + (source_pod * width + first) * up + second
        paths[:, 3] = core_down + (target_pod * width + first) * up + second
        paths[:, 4] = edge_down + target_edge * width + first
        paths[:, 5] = host_down + targets
        paths[source_pod == target_pod, 2:4] = NO_LINK
        paths[source_edge == target_edge, 1:5] = NO_LINK
        paths[sources == targets] = NO_LINK
        return paths

    def delays_s(self, paths: Indices) -> Floats:
        """Return the latency of the 1, 3 or 5 switches of each path; see :meth:`Routing.delays_s`."""
        return np.asarray(np.maximum((paths != NO_LINK).sum(axis=1) - 1, 0) * self.switch_latency_s)

    def longest_s(self, ends: Ends) -> float:
        """Return the latency of the switches between the hosts that are farthest apart in the tree [s]."""
        shape = self.tree.shape
        sizes = (1, shape.hosts_per_edge, shape.hosts_per_edge * shape.edges_per_pod)
        return self.farthest_s([bool(np.any(ends[0] // size != ends[1] // size)) for size in sizes])

    def farthest_s(self, crosses: Sequence[bool]) -> float:
        """Return the latency of 1, 3 or 5 switches, as something leaves a host, an edge switch, a pod [s]."""
        return max((2 * tier + 1 for tier, far in enumerate(crosses) if far), default=0) * self.switch_latency_s

    def lay(self, builder: RouteBuilder, ends: Ends, labels: Indices | int, amounts: Floats) -> float:
        """Add connections to a route; see :meth:`Routing.lay`."""
        if self.policy == "adaptive":
            self._lay_evenly(builder, ends, amounts)
        else:
            builder.paths(self.paths(*ends, labels), amounts)
        return self.longest_s(ends)

    def _lay_evenly(self, builder: RouteBuilder, ends: Ends, amounts: Floats) -> None:
        """Fill the uplinks of every switch evenly, and those of the cores down to it."""
        shape, starts = self.tree.shape, self.tree.starts
        edges = [hosts // shape.hosts_per_edge for hosts in ends]
        switches = [(hosts, edge, edge // shape.edges_per_pod) for hosts, edge in zip(ends, edges, strict=True)]
        widths = (1, shape.edge_uplinks, shape.edge_uplinks * shape.aggregation_uplinks)
        for tier, width in enumerate(widths):
            crossing = switches[0][tier] != switches[1][tier]
            for direction in (0, 1):
                moved = np.bincount(switches[direction][tier][crossing], amounts[crossing])
                used = np.flatnonzero(moved)
                links = starts[2 * tier + direction] + used[:, None] * width + np.arange(width)
                builder.links(links.ravel(), np.repeat(moved[used] / width, width))

    def _uplinks(self, sources: Indices, targets: Indices, labels: Indices | int) -> tuple[Indices, Indices]:
        width, up = self.tree.shape.edge_uplinks, self.tree.shape.aggregation_uplinks
        if self.policy == "d-mod-k":
            return targets % width, targets // width % up
        if self.policy == "static":
            return np.zeros_like(targets), np.zeros_like(targets)
        drawn = hashed(self.seed, sources, targets, labels)
        low, high = drawn & np.uint64(0xFFFFFFFF), drawn >> np.uint64(32)
        return below(low, width), below(high, up)


def hashed(seed: int, sources: Indices, targets: Indices, labels: Indices | int) -> NDArray[np.uint64]:
    """Return the 64-bit hash of each connection."""
    key = np.uint64(seed) ^ mix(sources.astype(np.uint64) << np.uint64(32) | targets.astype(np.uint64))
    return mix(key + mix(np.broadcast_to(np.asarray(labels, dtype=np.int64), sources.shape).astype(np.uint64)))


def below(words: NDArray[np.uint64], limit: Indices | int) -> Indices:
    """Map 32-bit words to 0 .. limit-1 evenly by the high half of a product."""
    return ((words * np.asarray(limit, dtype=np.uint64)) >> np.uint64(32)).astype(np.int64)


def mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the SplitMix64 hash of ``words`` (G. Steele, D. Lea, C. Flood, OOPSLA 2014)."""
    words = words + np.uint64(0x9E3779B97F4A7C15)
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
