"""Routes over any wiring: shortest paths, the closed form of the tree, dimension order, Valiant, spraying, rails."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest

from dcsim.engine import Clock, Streams
from dcsim.errors import InputError, RunError
from dcsim.network.fabric import Fabric
from dcsim.network.graph_routing import GraphRouter
from dcsim.network.layout import Endpoint, FabricLayout, InnerLink
from dcsim.network.next_hops import NextHops
from dcsim.network.route import RouteBuilder
from dcsim.network.routing import NO_LINK, Policy, Router
from dcsim.network.topologies.base import Cards, Topology
from dcsim.network.topologies.dragonfly import Dragonfly
from dcsim.network.topologies.leaf_spine import LeafSpine
from dcsim.network.topologies.rail_optimized import RailOptimized
from dcsim.network.topologies.torus import Torus
from dcsim.network.topology import TreeShape, tree_graph
from dcsim.network.tree import Indices, freeze
from dcsim.network.wiring import Wiring, wire
from dcsim.parallel.waves import Wave

RATE = 10.0
TOPOLOGIES = [LeafSpine(8), RailOptimized(8), Torus((3, 4)), Torus((4, 8), twist=4), Dragonfly(2, 4, 2)]


def everyone(hosts: int) -> tuple[Indices, Indices]:
    sources, targets = np.meshgrid(np.arange(hosts), np.arange(hosts))
    return sources.ravel(), targets.ravel()


def visited(wiring: Wiring, path: Indices) -> list[str]:
    """The nodes of a path, checked to be joined end to end."""
    links = path[path != NO_LINK]
    heads, tails = wiring.heads[links], wiring.tails[links]
    assert heads[:-1].tolist() == tails[1:].tolist()
    return [wiring.nodes[node] for node in heads[:-1]]


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("policy", ["ecmp", "d-mod-k", "static", "dimension-order"])
def test_every_route_is_a_shortest_path(topology: Topology, policy: Policy) -> None:
    graph = topology.graph(Cards.alike(6, 2, RATE))
    wiring = wire(graph)
    lengths = dict(nx.all_pairs_dijkstra_path_length(graph, weight="weight"))
    sources, targets = everyone(12)
    paths = GraphRouter(NextHops(wiring), policy, 5).paths(sources, targets)
    for source, target, path in zip(sources.tolist(), targets.tolist(), paths, strict=True):
        assert wiring.weights[path[path != NO_LINK]].sum() == lengths[f"host {source}"][f"host {target}"]
        if source != target:
            nodes = visited(wiring, path)
            assert graph.has_edge(f"host {source}", nodes[0])
            assert graph.has_edge(f"host {target}", nodes[-1])


@pytest.mark.parametrize("policy", ["d-mod-k", "static"])
def test_a_tree_as_a_graph_has_the_routes_of_the_closed_form(policy: Policy) -> None:
    tree = tree_graph(TreeShape.balanced(4, 4, 8), 128, RATE)
    closed, graph = freeze(tree), nx.MultiGraph(tree)
    wiring = wire(graph)
    sources, targets = everyone(128)
    expected = Router(closed, policy).paths(sources, targets)
    found = GraphRouter(NextHops(wiring), policy).paths(sources, targets)
    names = [np.append(np.array(each.names), "-") for each in (closed, wiring)]
    for mine, theirs in zip(names[1][found], names[0][expected], strict=True):
        assert [name for name in mine if name != "-"] == [name for name in theirs if name != "-"]


def test_spraying_a_tree_as_a_graph_loads_the_links_of_the_closed_form() -> None:
    tree = tree_graph(TreeShape(3, 2, 3, 2, 4), 18, RATE)
    closed, wiring = freeze(tree), wire(nx.MultiGraph(tree))
    ends, amounts = (np.array([0, 0, 4, 17, 5, 2]), np.array([1, 17, 9, 3, 5, 2])), np.arange(1.0, 7.0)
    loads = []
    for router, names in (
        (Router(closed, "adaptive"), closed.names),
        (GraphRouter(NextHops(wiring), "adaptive"), wiring.names),
    ):
        builder = RouteBuilder()
        assert router.lay(builder, ends, 0, amounts) == 0.0
        route = builder.build(1.0, 0.0)
        loads.append({names[link]: share for link, share in zip(route.links, route.share.tolist(), strict=True)})
    assert loads[0] == pytest.approx(loads[1])
    # Host 0 sends 1 to its neighbor and 2 to pod 2; host 4, under another switch, 3 to pod 1. A pod has 2 x 4 cores.
    assert loads[0]["host 0 > edge 0.0"] == pytest.approx(3.0)
    assert loads[0]["edge 0.0 > agg 0.1"] == pytest.approx(1.0)
    assert loads[0]["agg 0.1 > core 5"] == pytest.approx((2 + 3) / 8)


def test_dimensions_of_a_torus_are_passed_in_order() -> None:
    wiring = wire(Torus((4, 4, 4)).graph(Cards.alike(64, 1, RATE)))
    router = GraphRouter(NextHops(wiring), "dimension-order", 3)
    (path,) = router.paths(np.array([0]), np.array([16 * 1 + 4 * 3 + 2]))  # to (1, 3, 2)
    nodes = visited(wiring, path)
    assert nodes[:3] == ["router 0.0.0", "router 1.0.0", "router 1.3.0"]
    assert nodes[-1] == "router 1.3.2"
    # Half way round there are two ways; the hash takes each for some.
    ways = router.paths(np.zeros(64, np.int64), np.full(64, 32), np.arange(64))[:, 1]
    assert len(np.unique(ways)) == 2


def test_the_distances_of_networkx_are_those_of_the_search() -> None:
    wiring = wire(Dragonfly(2, 4, 2).graph(Cards.alike(40, 1, RATE)))
    own, other = NextHops(wiring), NextHops(replace(wiring, weights=wiring.weights / 2.5))
    assert len({*wiring.weights.tolist()}) == 2
    for node in range(len(wiring.nodes)):
        assert own.distances(node).tolist() == pytest.approx((2.5 * other.distances(node)).tolist())


def test_weights_choose_the_lighter_way() -> None:
    graph: nx.MultiGraph[str] = nx.MultiGraph()
    for host, switch in (("host 0", "a"), ("host 1", "c")):
        graph.add_node(host, kind="host")
        graph.add_edge(host, switch, tier="host", capacity_bytes_per_s=RATE)
    for low, high, weight in (("a", "c", 5.0), ("a", "b", 2.0), ("b", "c", 2.0)):
        graph.nodes[low]["kind"] = "switch"
        graph.add_node(high, kind="switch")
        graph.add_edge(low, high, tier="wan", capacity_bytes_per_s=RATE, latency_s=weight, weight=weight / 8)
    wiring = wire(graph)
    light = GraphRouter(NextHops(wiring))
    ends = np.array([0]), np.array([1])
    assert visited(wiring, light.paths(*ends)[0]) == ["a", "b", "c"]
    plain = GraphRouter(NextHops(replace(wiring, weights=np.ones(wiring.links))))
    assert visited(wiring, plain.paths(*ends)[0]) == ["a", "c"]
    assert light.lay(RouteBuilder(), ends, 0, np.ones(1)) == 4.0
    assert GraphRouter(NextHops(wiring), "adaptive").lay(RouteBuilder(), ends, 0, np.ones(1)) == 4.0


def test_valiant_goes_by_a_third_group() -> None:
    wiring = wire(Dragonfly(2, 4, 2, 5).graph(Cards.alike(40, 1, RATE)))
    router = GraphRouter(NextHops(wiring), "valiant", 3)
    labels = np.arange(200)
    paths = router.paths(np.zeros(200, np.int64), np.full(200, 39), labels)
    middle = {int(name.split()[1].split(".")[0]) for path in paths for name in visited(wiring, path)}
    assert middle == {0, 1, 2, 3, 4}
    assert min(len(visited(wiring, path)) for path in paths) >= 3
    for path in paths:
        groups = {int(name.split()[1].split(".")[0]) for name in visited(wiring, path)}
        assert len(groups - {0, 4}) == 1


@pytest.mark.parametrize("topology", [Dragonfly(2, 8, 2, 1), Dragonfly(2, 4, 2, 2), Torus((4, 4))])
def test_valiant_without_third_groups_goes_by_a_third_router(topology: Topology) -> None:
    wiring = wire(topology.graph(Cards.alike(16, 1, RATE)))
    router = GraphRouter(NextHops(wiring), "valiant", 3)
    paths = router.paths(np.zeros(100, np.int64), np.full(100, 15), np.arange(100))
    assert len({tuple(path) for path in paths.tolist()}) > 5
    assert min(len(visited(wiring, path)) for path in paths) >= 3
    same = router.paths(np.array([0]), np.array([0]))
    assert np.all(same == NO_LINK)


def test_a_link_that_is_down_is_avoided_and_a_lost_target_is_told() -> None:
    wiring = wire(LeafSpine(4).graph(Cards.alike(4, 1, RATE)))  # two leaves of two uplinks, one spine
    alive = np.ones(wiring.links, dtype=bool)
    down = wiring.names.index("leaf 0 > spine 0")
    alive[down] = False
    ends, labels = (np.zeros(50, np.int64), np.full(50, 3)), np.arange(50)
    assert down not in GraphRouter(NextHops(wiring, alive)).paths(*ends, labels)
    assert down in GraphRouter(NextHops(wiring)).paths(*ends, labels)
    alive[wiring.names.index("leaf 0 > spine 0 #2")] = False
    with pytest.raises(RunError, match="no path from leaf 0 to leaf 1"):
        GraphRouter(NextHops(wiring, alive)).paths(*ends, labels)


def test_every_router_takes_its_time() -> None:
    wiring = wire(Torus((16, 1)).graph(Cards.alike(16, 1, RATE)))
    ends = np.array([0]), np.array([8])  # nine routers
    for policy in ("dimension-order", "adaptive"):
        router = GraphRouter(NextHops(wiring), policy, switch_latency_s=1e-6)  # type: ignore[arg-type]
        assert router.lay(RouteBuilder(), ends, 0, np.ones(1)) == pytest.approx(9e-6)
        assert router.lay(RouteBuilder(), (ends[0], np.array([4])), 0, np.ones(1)) == pytest.approx(5e-6)


def test_hosts_with_two_cables_hand_nothing_on() -> None:
    graph: nx.MultiGraph[str] = nx.MultiGraph()
    graph.add_nodes_from([f"host {i}" for i in range(3)], kind="host")
    graph.add_nodes_from("ab", kind="switch")
    for host, switch in ((0, "a"), (1, "a"), (1, "b"), (2, "b")):
        graph.add_edge(f"host {host}", switch, tier="host", capacity_bytes_per_s=RATE)
    wiring = wire(graph)
    assert wiring.capacities[:3].tolist() == [RATE, 2 * RATE, RATE]
    router = GraphRouter(NextHops(wiring))
    assert np.count_nonzero(router.paths(np.array([0]), np.array([1])) >= 0) == 3
    with pytest.raises(RunError, match="no path"):
        router.paths(np.array([0]), np.array([2]))


@pytest.mark.parametrize("rate", [0.0, None])
def test_a_cable_without_a_rate_is_refused(rate: float | None) -> None:
    graph = LeafSpine(4).graph(Cards.alike(4, 1, RATE))
    graph.add_edge("leaf 0", "spine 0", tier="spine", capacity_bytes_per_s=rate)
    with pytest.raises(InputError, match="leaf 0 to spine 0 has a capacity of"):
        wire(graph)


def fabric(topology: Topology, policy: Policy = "rail-local") -> Fabric:
    endpoints = tuple(Endpoint(f"train/{i}", 2, RATE, 4, InnerLink(100.0, 1e-6)) for i in range(4))
    return Fabric(Clock(), FabricLayout(endpoints, RATE, topology=topology, policy=policy), Streams(3))


def test_what_is_for_another_rail_is_handed_to_a_neighbor() -> None:
    """Accelerators 0, 1 are beside card 0, 2 and 3 beside card 1; a byte from 0 of server 0 to 3 of server 1."""
    net = fabric(RailOptimized(8, spine=False))
    ranks = [(0, 0), (1, 3)]
    route = net.exchange(ranks, Wave(np.array([0]), np.array([1]), 1.0))
    names = [row.link for row in net.link_table()]
    assert sorted(names[link] for link in route.links) == [
        "train/0 gpu 0 out",
        "train/0 gpu 2 in",
        "train/0 nic 1 out",
        "train/1 nic 1 in",
    ]
    straight = net.exchange([(0, 0), (1, 1)], Wave(np.array([0]), np.array([1]), 1.0))
    assert sorted(names[link] for link in straight.links) == ["train/0 nic 0 out", "train/1 nic 0 in"]


def test_by_ecmp_it_goes_through_the_spine() -> None:
    net = fabric(RailOptimized(8), "ecmp")
    route = net.exchange([(0, 0), (1, 3)], Wave(np.array([0]), np.array([1]), 1.0))
    assert {row.tier for i, row in enumerate(net.link_table()) if i in route.links} == {"host", "spine"}
    with pytest.raises(RunError, match="no path"):
        fabric(RailOptimized(8, spine=False), "ecmp").exchange(
            [(0, 0), (1, 3)], Wave(np.array([0]), np.array([1]), 1.0)
        )
