"""Fat-trees: counts in closed form, capacities, and the frozen arrays."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from dcsim.errors import InputError
from dcsim.network.topology import TreeShape, fat_tree, smallest_radix, tree_graph
from dcsim.network.tree import freeze, grow


@pytest.mark.parametrize("k", [2, 4, 6, 8, 10, 16])
def test_a_full_tree_has_the_counts_of_the_closed_form(k: int) -> None:
    # k^3/4 hosts, k^2/2 edge and aggregation switches each, k^2/4 cores, 3 k^3/4 cables.
    graph = fat_tree(k**3 // 4, 1.0, radix=k)
    tiers = [tier for _, tier in graph.nodes(data="tier")]
    counts = [tiers.count(tier) for tier in ("host", "edge", "aggregation", "core")]
    assert counts == [k**3 // 4, k * k // 2, k * k // 2, k * k // 4]
    assert graph.number_of_edges() == 3 * k**3 // 4
    assert nx.is_connected(graph)
    assert all(degree == k for node, degree in graph.degree() if graph.nodes[node]["kind"] == "switch")
    assert all(degree == 1 for node, degree in graph.degree() if graph.nodes[node]["kind"] == "host")
    assert graph.graph["shape"].switches == 5 * k * k // 4


def test_bisection_is_that_of_the_hosts() -> None:
    # k = 4: cutting the pods in halves cuts the cores' cables of two pods: 2 x 4 hosts' worth.
    graph = fat_tree(16, 10.0, radix=4)
    for node, tier in list(graph.nodes(data="tier")):
        if tier == "host":
            end = "left" if int(node.split()[1]) < 8 else "right"
            graph.add_edge(node, end, capacity_bytes_per_s=1e9)
    assert nx.maximum_flow_value(graph, "left", "right", capacity="capacity_bytes_per_s") == 80.0


def test_paths_between_pods_are_as_many_as_cores() -> None:
    graph = fat_tree(54, 1.0, radix=6)
    assert len(list(nx.all_shortest_paths(graph, "host 0", "host 53"))) == 9


@pytest.mark.parametrize(
    ("hosts", "radix"), [(1, 2), (2, 2), (3, 4), (16, 4), (17, 6), (140, 10), (1024, 16), (8192, 32)]
)
def test_the_smallest_even_radix_that_holds_the_hosts(hosts: int, radix: int) -> None:
    assert smallest_radix(hosts) == radix


def test_only_what_the_hosts_need_is_built() -> None:
    # Radix 10 has pods of 25: 140 hosts fill 6 pods, each of 5 + 5 switches, under 25 cores.
    shape = TreeShape.of_radix(10, 140)
    assert (shape.pods, shape.switches) == (6, 6 * 10 + 25)
    # One pod of radix 8 needs no cores: 7 hosts on 2 edge switches; 4 hosts on one edge switch need nothing above it.
    assert (TreeShape.of_radix(8, 7).edges, TreeShape.of_radix(8, 7).aggregations, TreeShape.of_radix(8, 7).cores) == (
        2,
        4,
        0,
    )
    assert TreeShape.of_radix(8, 4).switches == 1


def test_an_odd_radix_leaves_a_port_unused() -> None:
    graph = fat_tree(20, 1.0, radix=5)
    assert graph.graph["shape"].hosts == 20
    assert max(degree for _, degree in graph.degree()) == 5


def test_oversubscription_divides_the_uplinks() -> None:
    graph = fat_tree(16, 8.0, oversubscription=4.0)
    capacities = {tier: {c for *_, t, c in _edges(graph) if t == tier} for tier in ("host", "edge", "core")}
    assert capacities == {"host": {8.0}, "edge": {2.0}, "core": {2.0}}


def _edges(graph: nx.Graph) -> list[tuple[str, str, str, float]]:
    return [(a, b, d["tier"], d["capacity_bytes_per_s"]) for a, b, d in graph.edges(data=True)]


def test_frozen_links_are_the_graph_in_both_directions() -> None:
    graph = fat_tree(14, 8.0, oversubscription=2.0, radix=4)
    graph["agg 1.0"]["core 1"]["capacity_bytes_per_s"] = 0.5  # a degraded cable stays degraded
    tree = freeze(graph)
    frozen = dict(zip(tree.names, zip(tree.tiers, tree.capacities.tolist(), strict=True), strict=True))
    expected = {f"{a} > {b}": (t, c) for x, y, t, c in _edges(graph) for a, b in ((x, y), (y, x))}
    assert frozen == expected
    assert len(tree.names) == tree.links == 2 * graph.number_of_edges()


def test_a_missing_cable_is_told() -> None:
    graph = fat_tree(16, 1.0)
    graph.remove_edge("edge 0.0", "agg 0.1")
    with pytest.raises(InputError, match=r"agg 0\.1"):
        freeze(graph)


@pytest.mark.parametrize(
    ("hosts", "radix", "word"), [(17, 4, "smallest radix for them is 6"), (4, 1, "at least 2 ports")]
)
def test_a_radix_that_cannot_hold_the_hosts_is_refused(hosts: int, radix: int, word: str) -> None:
    with pytest.raises(InputError, match=word):
        fat_tree(hosts, 1.0, radix=radix)


def test_a_tree_grown_without_its_graph_is_the_frozen_graph() -> None:
    shape = TreeShape(4, 3, 5, 2, 3)
    graph = tree_graph(shape, 50, 8.0, (2.0, 4.0))
    graph["host 7"]["edge 0.1"]["capacity_bytes_per_s"] = 1.0  # a slower card
    cards = np.full(50, 8.0)
    cards[7] = 1.0
    grown, frozen = grow(shape, cards, 8.0, (2.0, 4.0)), freeze(graph)
    assert (grown.shape, grown.hosts) == (frozen.shape, frozen.hosts)
    assert np.array_equal(grown.cables, frozen.cables)
    with pytest.raises(InputError, match="60 places"):
        grow(shape, np.ones(61), 8.0, (1.0, 1.0))


def test_generalized_trees() -> None:
    # (hosts per edge, edges per pod, pods) = 8, 8, 16: as many up- as down-ports gives 64 cores with 16 ports.
    shape = TreeShape.balanced(8, 8, 16)
    graph = tree_graph(shape, 1024, 1.0)
    assert (shape.hosts, shape.edges, shape.aggregations, shape.cores) == (1024, 128, 128, 64)
    assert graph.degree("core 63") == 16
    assert np.all(freeze(graph).capacities == 1.0)
