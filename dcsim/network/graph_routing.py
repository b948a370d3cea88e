"""Routes through any wiring, hop by hop over tables of shortest paths, for many connections at once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dcsim.network.next_hops import Choices, NextHops
from dcsim.network.route import RouteBuilder
from dcsim.network.routing import NO_LINK, Ends, Policy, below, hashed, mix
from dcsim.network.spraying import Flows, spray
from dcsim.network.tree import Floats, Indices
from dcsim.network.ugal import Ugal

_LOW = np.uint64(0xFFFFFFFF)
_THIRD = 3


class GraphRouter:
    """Chooses among the shortest paths of a wiring; see :class:`~dcsim.network.routing.Routing` for the policies.

    ``d-mod-k`` on a graph divides the target's number by the count of choices at every switch that has a choice, which
    on a fat-tree is the rule of the closed form. ``valiant`` draws a router outside the groups of both ends where there
    are three groups or more (L. Valiant, "A scheme for fast parallel communication", SIAM J. Comput. 11, 1982).
    ``ugal`` is :mod:`dcsim.network.ugal`; the one path of :meth:`paths` is a minimal one by the hash.
    ``switch_latency_s`` is paid for every switch and router that hands on [s].
    """

    def __init__(self, tables: NextHops, policy: Policy = "ecmp", seed: int = 0, switch_latency_s: float = 0.0) -> None:
        self.wiring, self.tables, self.policy, self.seed = tables.wiring, tables, policy, seed
        self._switch_latency_s, self._tiers = switch_latency_s, self.wiring.tier_numbers
        # Of each link, with the switch that it leads to: hosts hand nothing on.
        passes = np.append(self.wiring.transit, False)[self.wiring.heads]
        self._delays_s = self.wiring.latencies_s + passes * switch_latency_s

    def around(self, tables: NextHops) -> GraphRouter:
        """Return a router that chooses by the same policy and hash among the paths of other tables."""
        return GraphRouter(tables, self.policy, self.seed, self._switch_latency_s)

    def paths(self, sources: Indices, targets: Indices, labels: Indices | int = 0) -> Indices:
        """Return the link ids of each path, shape (connections, hops); see :meth:`Routing.paths`."""
        up, down = self.wiring.host_links
        words = hashed(self.seed, sources, targets, labels)
        nodes, goals = self.wiring.attached[sources], self.wiring.attached[targets]
        columns = [up + sources]
        if self.policy == "valiant":
            middle = self._middle(nodes, goals, words)
            columns += self._walk(nodes, middle, targets, words)
            nodes = middle
        columns += [*self._walk(nodes, goals, targets, words), down + targets]
        paths = np.stack(columns, axis=1)
        paths[sources == targets] = NO_LINK
        return paths

    def lay(self, builder: RouteBuilder, ends: Ends, labels: Indices | int, amounts: Floats) -> float:
        """Add connections to a route; see :meth:`Routing.lay`."""
        if self.policy in ("adaptive", "ugal"):
            return self._spray(builder, ends, amounts)
        paths = self.paths(*ends, labels)
        builder.paths(paths, amounts)
        return float(np.max(self.delays_s(paths), initial=0.0))

    def delays_s(self, paths: Indices) -> Floats:
        """Return the latency of each path; see :meth:`Routing.delays_s`."""
        return np.asarray(np.where(paths >= 0, self._delays_s[paths], 0.0).sum(axis=1))

    def _walk(self, nodes: Indices, goals: Indices, targets: Indices, words: NDArray[np.uint64]) -> Iterator[Indices]:
        """Yield the link of every connection hop by hop from ``nodes`` until all are at ``goals``."""
        nodes, value = nodes.copy(), targets.copy()
        while True:
            moving = np.flatnonzero(nodes != goals)
            if not len(moving):
                return
            found, which = self._choices(nodes[moving], goals[moving])
            count = found.count[which]
            if self.policy == "d-mod-k":
                choice = value[moving] % count
                value[moving] //= count
            elif self.policy == "static":
                choice = np.zeros(len(moving), dtype=np.int64)
            else:
                choice = below(mix(words[moving] + mix(nodes[moving].astype(np.uint64))) & _LOW, count)
            taken = np.full(len(nodes), NO_LINK, dtype=np.int64)
            taken[moving] = found.links[found.first[which] + choice]
            nodes[moving] = self.wiring.heads[taken[moving]]
            yield taken

    def _choices(self, nodes: Indices, goals: Indices) -> tuple[Choices, Indices]:
        """Return the choices of every different (node, goal), and which of them is that of each connection."""
        size = len(self.wiring.nodes)
        keys, which = np.unique(nodes * size + goals, return_inverse=True)
        found = self.tables.choices(keys // size, keys % size)
        return (self._first_dimension(found) if self.policy == "dimension-order" else found), which

    def _first_dimension(self, found: Choices) -> Choices:
        """Keep of the choices those along the dimension of the first: links of a node come in that order."""
        tiers = self._tiers[found.links]
        same = tiers == np.repeat(tiers[found.first], found.count)
        owner = np.repeat(np.arange(len(found.count)), found.count)
        count = np.bincount(owner[same], minlength=len(found.count))
        return Choices(np.cumsum(count) - count, count, found.links[same])

    def _middle(self, nodes: Indices, goals: Indices, words: NDArray[np.uint64]) -> Indices:
        """Return the router by which each connection goes: one with hosts, in a group of neither end.

        Where there are no third groups it is neither of the routers of the ends.
        """
        candidates = np.unique(self.wiring.attached)
        groups = self.wiring.groups
        if len(np.unique(groups[candidates])) < _THIRD:
            groups = np.arange(len(groups))
        middle, undecided, salt = goals.copy(), np.flatnonzero(nodes != goals), 0
        while len(undecided) and salt < len(candidates):
            salt += 1
            drawn = candidates[below(mix(words[undecided] + np.uint64(salt)) & _LOW, len(candidates))]
            good = (groups[drawn] != groups[nodes[undecided]]) & (groups[drawn] != groups[goals[undecided]])
            middle[undecided[good]] = drawn[good]
            undecided = undecided[~good]
        return middle

    def _spray(self, builder: RouteBuilder, ends: Ends, amounts: Floats) -> float:
        """Split what goes from node to node over all shortest paths, at every node by the links' capacities.

        With ``ugal`` a part of it goes by third groups.
        """
        wiring = self.wiring
        apart = ends[0] != ends[1]
        sources, targets, moved = ends[0][apart], ends[1][apart], amounts[apart]
        own = wiring.host_links[0] + sources, wiring.host_links[1] + targets
        for links in own:
            builder.links(links, moved)
        own_s = self._delays_s[own[0]] + self._delays_s[own[1]]
        flows = Flows(wiring.attached[sources], wiring.attached[targets], moved, np.zeros(len(sources), dtype=np.int64))
        if self.policy == "ugal":
            taken = [np.bincount(links, moved, wiring.links) / wiring.capacities for links in own]
            ways = self._ugal.ways(flows, own_s, max(float(np.max(each, initial=0.0)) for each in taken))
            builder.links(*ways.laid())
            return ways.longest_s
        spread = spray(self.tables, self._delays_s, flows, own_s)
        builder.links(spread.links, spread.amounts)
        return spread.longest_s

    @cached_property
    def _ugal(self) -> Ugal:
        return Ugal(self.tables, self._delays_s)
