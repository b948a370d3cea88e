"""Collectives of many groups of ranks at once, coupled in one route: rings, direct exchanges, permutations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dcsim.network.detour import Detour
from dcsim.network.even_spread import spread
from dcsim.network.links import Links
from dcsim.network.planner import Planner
from dcsim.network.rings import Rank, cards_beside
from dcsim.network.route import Route, RouteBuilder
from dcsim.network.tree import Floats, Indices, Tree
from dcsim.parallel.waves import Wave
from dcsim.workload.operation import CollectiveKind, Group

_HALVES: dict[CollectiveKind, int] = {"all-reduce": 2, "all-gather": 1, "reduce-scatter": 1}
_HELD = 2**22  # numbers of a table of groups and edge switches that is held at once
_PAIRS = 2**18  # above this many connections a direct exchange fills the uplinks evenly


class GroupPlanner:
    """Lays the routes of collectives over the axes of a mesh."""

    def __init__(self, planner: Planner, links: Links, connections: int, detour: Detour) -> None:
        self._planner, self._links, self._connections, self._detour = planner, links, connections, detour

    def route(self, ranks: Sequence[Rank], groups: Indices, group: Group) -> Route:
        """Return the route; see :meth:`Fabric.collective`."""
        if group.kind in _HALVES:
            rings = [[ranks[rank] for rank in members] for members in groups.tolist()]
            return self._planner.ring(rings, _HALVES[group.kind])
        if group.kind == "permute":
            moved = np.array([pair for pair in group.pairs if pair[0] != pair[1]], dtype=np.int64).reshape(-1, 2)
            sources, targets = groups[:, moved[:, 0]].ravel(), groups[:, moved[:, 1]].ravel()
            return self._exchanged(ranks, Wave(sources, targets, 1.0))
        return self._all_to_all(ranks, groups)

    @property
    def _pairwise(self) -> bool:
        """Whether connections cross more than the wiring and ports, so that each has to be laid by itself."""
        return bool(self._links.appliances) or self._links.boards.used

    def _exchanged(self, ranks: Sequence[Rank], wave: Wave) -> Route:
        return self._planner.exchange(ranks, wave) if len(wave.sources) else RouteBuilder().build(1.0, 0.0)

    def _all_to_all(self, ranks: Sequence[Rank], groups: Indices) -> Route:
        """Every rank sends an equal part straight to every other of its group, all at once."""
        count, size = groups.shape
        wiring = self._links.wiring
        if count * size * (size - 1) > _PAIRS and isinstance(wiring, Tree) and not self._pairwise:
            return self._even(ranks, groups, wiring)
        sources, targets = np.repeat(groups, size, axis=1).ravel(), np.tile(groups, (1, size)).ravel()
        apart = sources != targets
        return self._exchanged(ranks, Wave(sources[apart], targets[apart], 1.0 / size))

    def _even(self, ranks: Sequence[Rank], groups: Indices, tree: Tree) -> Route:
        """The same with so many connections that their hashes fill the uplinks of a switch evenly.

        With m connections on an uplink its share deviates by about 1 / sqrt(m), a few percent where there are so many.
        Links that are known to be dead carry nothing where there is another way.
        """
        builder, size = RouteBuilder(), groups.shape[1]
        endpoints = np.array([endpoint for endpoint, _ in ranks], dtype=np.int64)
        accelerators = np.array([accelerator for _, accelerator in ranks], dtype=np.int64)
        near = _members(groups, endpoints)  # ranks of the own group on the own endpoint, itself included
        inside = near > 1
        for side in (0, 1):
            ports = self._links.out_ports(endpoints[inside]) + side
            builder.links(ports + 2 * accelerators[inside], (near[inside] - 1) / size)
        owners, hosts, shares = self._cards(ranks)
        shape, starts = tree.shape, tree.starts
        edges = hosts // shape.hosts_per_edge
        pods = edges // shape.edges_per_pod
        # A rank's cards are neighbors, so the switch of the first stands for all of them.
        first = np.searchsorted(owners, np.arange(len(ranks)))
        together = (near, _members(groups, edges[first]), _members(groups, pods[first]))
        switches = (hosts, edges, pods)
        cables = (1, shape.edge_uplinks, shape.edge_uplinks * shape.aggregation_uplinks)
        around = self._detour.active
        for tier, (members, switch, width) in enumerate(zip(together, switches, cables, strict=True)):
            if around and tier:
                continue
            leaving = np.bincount(switch, shares * (1.0 - members[owners] / size))
            carried = np.repeat(leaving / width, width)
            for direction in (0, 1):
                builder.links(starts[2 * tier + direction] + np.arange(len(carried)), carried)
        if around:
            which = np.empty(groups.size, dtype=np.int64)
            which[groups.ravel()] = np.repeat(np.arange(len(groups)), size)
            between = _between((which[owners], edges, shares), (len(groups), shape.edges)) / size
            builder.links(*spread(tree, between, self._detour.dead))
        path_s = self._detour.farthest_s([int(np.min(members)) < size for members in together])
        return builder.build(size * self._connections, self._planner.hop_s(endpoints, path_s))

    def _cards(self, ranks: Sequence[Rank]) -> tuple[Indices, Indices, Floats]:
        """Return (rank, host, share of the rank's traffic) of every card beside a rank, in the order of ranks."""
        rows: list[tuple[int, int, float]] = []
        for rank, (endpoint, accelerator) in enumerate(ranks):
            cards = cards_beside(accelerator, self._links.endpoints[endpoint])
            first = int(self._links.first_nic[endpoint])
            rows.extend((rank, first + card, 1.0 / len(cards)) for card in cards)
        owners, hosts, shares = zip(*rows, strict=True)
        return np.array(owners, np.int64), np.array(hosts, np.int64), np.array(shares)


def _between(cards: tuple[Indices, Indices, Floats], shape: tuple[int, int]) -> Floats:
    """Return what the groups exchange between edge switches, shape (edges, edges), a few groups at a time.

    ``cards`` are the group, edge switch and share of a rank's traffic of every card; ``shape`` is (groups, edges).
    """
    (which, edges, shares), (groups, count) = cards, shape
    found, step = np.zeros((count, count)), max(1, _HELD // count)
    for first in range(0, groups, step):
        here = (which >= first) & (which < first + step)
        held = np.zeros((min(step, groups - first), count))
        np.add.at(held, (which[here] - first, edges[here]), shares[here])
        found += held.T @ held
    return found


def _members(groups: Indices, places: Indices) -> Indices:
    """Return for each rank how many ranks of its group are at its place, itself included, shape (ranks,)."""
    found = np.zeros(groups.size, dtype=np.int64)
    for members in groups:
        _, inverse, counts = np.unique(places[members], return_inverse=True, return_counts=True)
        found[members] = counts[inverse]
    return found
