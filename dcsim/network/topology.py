"""Fat-trees as the user sees them: a NetworkX graph whose nodes have a tier and whose edges have a capacity.

A k-ary fat-tree (M. Al-Fares, A. Loukissas, A. Vahdat, "A Scalable, Commodity Data Center Network Architecture",
SIGCOMM 2008) joins k^3/4 hosts by 5k^2/4 switches of k ports: k pods of k/2 edge and k/2 aggregation switches, and
k^2/4 cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcsim.errors import InputError

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, slots=True)
class TreeShape:
    """A three-tier tree: aggregation switch j of each pod is joined to the cores j * aggregation_uplinks and following.

    Tiers that no path can use are left out: one pod has no cores, one edge switch has no aggregation switches.
    """

    hosts_per_edge: int
    edges_per_pod: int
    pods: int
    edge_uplinks: int
    aggregation_uplinks: int

    @classmethod
    def balanced(cls, hosts_per_edge: int, edges_per_pod: int, pods: int) -> TreeShape:
        """Return the tree whose switches have as many up-ports as down-ports."""
        return cls(hosts_per_edge, edges_per_pod, pods, hosts_per_edge, edges_per_pod)

    @classmethod
    def of_radix(cls, radix: int, hosts: int | None = None) -> TreeShape:
        """Return the k-ary fat-tree of ``radix`` ports a switch, with only the pods that ``hosts`` hosts fill.

        An odd radix leaves one port of every edge and aggregation switch unused.
        """
        if radix < 2:
            raise InputError(f"a fat-tree needs switches of at least 2 ports, found a radix of {radix}")
        half = radix // 2
        hosts = radix * half * half if hosts is None else hosts
        if not 0 < hosts <= radix * half * half:
            raise InputError(
                f"a fat-tree of radix {radix} holds 1 to {radix * half * half} hosts, not {hosts}; "
                f"the smallest radix for them is {smallest_radix(max(hosts, 1))}"
            )
        pods = -(-hosts // (half * half))
        edges = -(-hosts // half) if pods == 1 else half
        return cls(half, edges, pods, half, half)

    @property
    def hosts(self) -> int:
        """Places for hosts."""
        return self.hosts_per_edge * self.edges

    def check(self, hosts: int) -> None:
        """Refuse a number of hosts for which there are no places.

        Raises
        ------
        InputError
            If there are none.
        """
        if not 0 < hosts <= self.hosts:
            raise InputError(f"a tree with {self.hosts} places holds 1 to {self.hosts} hosts, not {hosts}")

    @property
    def edges(self) -> int:
        """Edge switches."""
        return self.edges_per_pod * self.pods

    @property
    def aggregations(self) -> int:
        """Aggregation switches."""
        return self.edge_uplinks * self.pods if self.edges > 1 else 0

    @property
    def cores(self) -> int:
        """Core switches."""
        return self.edge_uplinks * self.aggregation_uplinks if self.pods > 1 else 0

    @property
    def switches(self) -> int:
        """All switches."""
        return self.edges + self.aggregations + self.cores

    @property
    def edge_cables(self) -> int:
        """Cables between edge and aggregation switches."""
        return self.edges * self.edge_uplinks if self.aggregations else 0

    @property
    def core_cables(self) -> int:
        """Cables between aggregation and core switches."""
        return self.aggregations * self.aggregation_uplinks if self.cores else 0


def smallest_radix(hosts: int) -> int:
    """Return the smallest even radix k whose fat-tree holds ``hosts`` hosts: k^3/4 >= hosts."""
    half = 1
    while 2 * half**3 < hosts:
        half += 1
    return 2 * half


def fat_tree(
    hosts: int, link_bytes_per_s: float, oversubscription: float = 1.0, radix: int | None = None
) -> nx.Graph[str]:
    """Return a fat-tree that holds ``hosts`` hosts.

    Parameters
    ----------
    hosts
        Network cards to join; hosts fill the edge switches in order.
    link_bytes_per_s
        Capacity of a link in each direction [B/s].
    oversubscription
        Bandwidth of the hosts over that of the uplinks, at the edge tier and at the aggregation tier alike: it divides
        the capacity of edge and aggregation uplinks, the wiring stays [1].
    radix
        Ports of a switch; the smallest even number that holds the hosts unless given.

    Returns
    -------
    networkx.Graph
        Nodes "host 7", "edge 0.2" (pod 0, switch 2), "agg 0.1", "core 3", with attributes ``kind`` (host or switch) and
        ``tier`` (host, edge, aggregation, core); edges with ``tier`` (host, edge, core) and ``capacity_bytes_per_s``.
    """
    shape = TreeShape.of_radix(smallest_radix(hosts) if radix is None else radix, hosts)
    return tree_graph(shape, hosts, link_bytes_per_s, oversubscription)


def tree_graph(
    shape: TreeShape, hosts: int, link_bytes_per_s: float, oversubscription: float | tuple[float, float] = 1.0
) -> nx.Graph[str]:
    """Return the graph of any :class:`TreeShape`, as :func:`fat_tree` does of the k-ary one.

    Two numbers of ``oversubscription`` are that of the uplinks of edge switches and that of the uplinks into the cores,
    each the bandwidth of the hosts over that of these uplinks.
    """
    import networkx as nx

    shape.check(hosts)
    graph: nx.Graph[str] = nx.Graph(shape=shape, hosts=hosts)
    graph.add_nodes_from(host_names(hosts), kind="host", tier="host")
    graph.add_nodes_from(edge_names(shape), kind="switch", tier="edge")
    graph.add_nodes_from(aggregation_names(shape), kind="switch", tier="aggregation")
    graph.add_nodes_from(core_names(shape), kind="switch", tier="core")
    over = oversubscription if isinstance(oversubscription, tuple) else (oversubscription, oversubscription)
    uplink, core = link_bytes_per_s / over[0], link_bytes_per_s / over[1]
    graph.add_edges_from(host_cables(shape, hosts), tier="host", capacity_bytes_per_s=link_bytes_per_s)
    graph.add_edges_from(edge_cables(shape), tier="edge", capacity_bytes_per_s=uplink)
    graph.add_edges_from(core_cables(shape), tier="core", capacity_bytes_per_s=core)
    return graph


def host_names(hosts: int) -> list[str]:
    """Return the nodes of the hosts in order."""
    return [f"host {i}" for i in range(hosts)]


def edge_names(shape: TreeShape) -> list[str]:
    """Return the nodes of the edge switches in order."""
    return [f"edge {pod}.{i}" for pod in range(shape.pods) for i in range(shape.edges_per_pod)]


def aggregation_names(shape: TreeShape) -> list[str]:
    """Return the nodes of the aggregation switches in order."""
    if not shape.aggregations:
        return []
    return [f"agg {pod}.{i}" for pod in range(shape.pods) for i in range(shape.edge_uplinks)]


def core_names(shape: TreeShape) -> list[str]:
    """Return the nodes of the core switches in order."""
    return [f"core {i}" for i in range(shape.cores)]


def host_cables(shape: TreeShape, hosts: int) -> list[tuple[str, str]]:
    """Return (host, edge switch) of every host in order."""
    edges = edge_names(shape)
    return [(name, edges[i // shape.hosts_per_edge]) for i, name in enumerate(host_names(hosts))]


def edge_cables(shape: TreeShape) -> list[tuple[str, str]]:
    """Return (edge switch, aggregation switch), by edge switch and then by uplink."""
    aggregations, width = aggregation_names(shape), shape.edge_uplinks
    if not aggregations:
        return []
    return [
        (edge, aggregation)
        for i, edge in enumerate(edge_names(shape))
        for aggregation in aggregations[i // shape.edges_per_pod * width : (i // shape.edges_per_pod + 1) * width]
    ]


def core_cables(shape: TreeShape) -> list[tuple[str, str]]:
    """Return (aggregation switch, core switch), by aggregation switch and then by uplink."""
    cores, width = core_names(shape), shape.aggregation_uplinks
    if not cores:
        return []
    return [
        (aggregation, core)
        for i, aggregation in enumerate(aggregation_names(shape))
        for core in cores[i % shape.edge_uplinks * width : (i % shape.edge_uplinks + 1) * width]
    ]
