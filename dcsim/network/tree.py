"""A fat-tree frozen into integer link ids and capacity arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dcsim.errors import InputError
from dcsim.network import topology
from dcsim.network.topology import TreeShape

if TYPE_CHECKING:
    import networkx as nx

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Tree:
    """The directed links of a fat-tree: one id a direction, in six blocks, so that routes are arithmetic on ids.

    The blocks are host up, host down, edge-to-aggregation up, down, aggregation-to-core up, down. Within a block hosts
    come in order, cables of an edge switch by its uplinks, cables of an aggregation switch by its uplinks. ``cables``
    holds the capacity of each cable [B/s, each direction], host cables first, then edge, then core.
    """

    shape: TreeShape
    hosts: int
    cables: Floats

    @property
    def starts(self) -> tuple[int, int, int, int, int, int]:
        """The first id of each block."""
        host, edge, core = self._sizes
        return 0, host, 2 * host, 2 * host + edge, 2 * (host + edge), 2 * (host + edge) + core

    @property
    def host_links(self) -> tuple[int, int]:
        """The first link up from hosts and the first down to them."""
        return self.starts[0], self.starts[1]

    @property
    def links(self) -> int:
        """Directed links."""
        return 2 * sum(self._sizes)

    @property
    def capacities(self) -> Floats:
        """Capacity of each directed link [B/s], shape (links,)."""
        host, edge, _ = self._sizes
        parts = np.split(self.cables, [host, host + edge])
        return np.concatenate([part for part in parts for _ in ("up", "down")])

    @property
    def tiers(self) -> list[str]:
        """The tier of each directed link: host, edge (edge to aggregation), core (aggregation to core)."""
        return [tier for tier, size in zip(("host", "edge", "core"), self._sizes, strict=True) for _ in range(2 * size)]

    @cached_property
    def names(self) -> list[str]:
        """The name of each directed link, "edge 0.1 > agg 0.3"."""
        shape = self.shape
        blocks = (topology.host_cables(shape, self.hosts), topology.edge_cables(shape), topology.core_cables(shape))
        return [
            name
            for cables in blocks
            for name in [f"{low} > {high}" for low, high in cables] + [f"{high} > {low}" for low, high in cables]
        ]

    @property
    def _sizes(self) -> tuple[int, int, int]:
        return self.hosts, self.shape.edge_cables, self.shape.core_cables


def grow(shape: TreeShape, cards: Floats, link_bytes_per_s: float, oversubscription: tuple[float, float]) -> Tree:
    """Return what :func:`freeze` does of :func:`dcsim.network.topology.tree_graph`, without the graph.

    ``cards`` holds the rate of each host's cable [B/s], shape (hosts,).

    Raises
    ------
    InputError
        If the tree has too few places for the hosts.
    """
    shape.check(len(cards))
    uplink, core = (link_bytes_per_s / over for over in oversubscription)
    tiers = (cards, np.full(shape.edge_cables, uplink), np.full(shape.core_cables, core))
    return Tree(shape, len(cards), np.concatenate(tiers).astype(np.float64))


def freeze(graph: nx.Graph[str]) -> Tree:
    """Freeze a graph made by :mod:`dcsim.network.topology`; capacities changed since then are kept.

    Raises
    ------
    InputError
        If a cable of the tree's shape is missing: routes are closed forms of the whole tree.
    """
    shape, hosts = graph.graph["shape"], graph.graph["hosts"]
    cables = topology.host_cables(shape, hosts) + topology.edge_cables(shape) + topology.core_cables(shape)
    neighbours = dict(graph.adjacency())
    try:
        capacities = [neighbours[low][high]["capacity_bytes_per_s"] for low, high in cables]
    except KeyError as missing:
        raise InputError(f"the fat-tree lacks the node or cable {missing}") from None
    return Tree(shape, hosts, np.array(capacities, dtype=np.float64))
