"""Up-down routes through a fat-tree, as arithmetic on link ids for many connections at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dcsim.network.tree import Indices, Tree

Policy = Literal["ecmp", "d-mod-k"]
NO_LINK = -1
_LONGEST = 6  # links of a path between pods


@dataclass(frozen=True, slots=True)
class Router:
    """Chooses the uplinks of each connection; the way down is then given.

    ``ecmp`` draws the uplink of either tier by a seeded hash of (source, target, label), as switches hash a
    connection's addresses and ports: independent and uniform, so that connections may collide. ``d-mod-k`` chooses by
    the target alone, edge uplink = target mod w1, aggregation uplink = (target div w1) mod w2 with w the up-ports of
    the switch (E. Zahavi, "D-Mod-K Routing Providing Non-Blocking Traffic for Shift Permutations on Real Life Fat
    Trees", 2010). Neither adapts to load, and a connection is never split over several paths.
    """

    tree: Tree
    policy: Policy = "ecmp"
    seed: int = 0

    def paths(self, sources: Indices, targets: Indices, labels: Indices | int = 0) -> Indices:
        """Return the link ids of each path, shape (connections, 6); places a shorter path does not use hold NO_LINK.

        ``sources`` and ``targets`` are hosts, ``labels`` tell connections of one pair of hosts apart (a port number).
        A connection from a host to itself uses no link.
        """
        shape = self.tree.shape
        host_up, host_down, edge_up, edge_down, core_up, core_down = self.tree.starts
        first, second = self._uplinks(sources, targets, labels)
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

    def _uplinks(self, sources: Indices, targets: Indices, labels: Indices | int) -> tuple[Indices, Indices]:
        width, up = self.tree.shape.edge_uplinks, self.tree.shape.aggregation_uplinks
        if self.policy == "d-mod-k":
            return targets % width, targets // width % up
        key = np.uint64(self.seed) ^ _mix(sources.astype(np.uint64) << np.uint64(32) | targets.astype(np.uint64))
        drawn = _mix(key + _mix(np.broadcast_to(np.asarray(labels, dtype=np.int64), sources.shape).astype(np.uint64)))
        low, high = drawn & np.uint64(0xFFFFFFFF), drawn >> np.uint64(32)
        return _below(low, width), _below(high, up)


def _below(words: NDArray[np.uint64], limit: int) -> Indices:
    """Map 32-bit words to 0 .. limit-1 evenly by the high half of a product."""
    return ((words * np.uint64(limit)) >> np.uint64(32)).astype(np.int64)


def _mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the SplitMix64 hash of ``words`` (G. Steele, D. Lea, C. Flood, OOPSLA 2014)."""
    words = words + np.uint64(0x9E3779B97F4A7C15)
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
