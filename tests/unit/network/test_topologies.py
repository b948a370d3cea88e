"""Leaf-spine, rails, torus, dragonfly: closed forms against the graph, bisection against maximum flow."""

from __future__ import annotations

import networkx as nx
import pytest

from dcsim.network.topologies.base import Cards, MisfitError, Topology, spines_for, split
from dcsim.network.topologies.dragonfly import Dragonfly
from dcsim.network.topologies.dual_plane import DualPlane
from dcsim.network.topologies.leaf_spine import LeafSpine
from dcsim.network.topologies.nvlink_domain import NvlinkDomain
from dcsim.network.topologies.pcie_tree import PcieTree
from dcsim.network.topologies.rail_optimized import RailOptimized, rails_of
from dcsim.network.topologies.three_layer import ThreeLayer
from dcsim.network.topologies.torus import Torus, near_cube
from dcsim.network.topologies.wan import Wan, WanLink

RATE = 10.0


def one_each(hosts: int) -> Cards:
    return Cards.alike(hosts, 1, RATE)


NAMES = ("a/0", "a/1", "b/0", "b/1", "c/0", "c/1", "d/0", "d/1")
WAN = Wan(
    4,
    (("x", ("a",)), ("y", ("b",)), ("z", ("c",)), ("w", ("d",))),
    (
        WanLink(("x", "y"), 4.0, 1e-3),
        WanLink(("y", "z"), 2.0, 2e-3),
        WanLink(("x", "w"), 3.0, 1e-3),
        WanLink(("z", "w"), 9.0, 9e-3),
    ),
)

# Full instances: every port for a host is taken, so that what the closed form counts is what the graph has.
FULL = [
    pytest.param(LeafSpine(8), one_each(16), id="leaf-spine"),
    pytest.param(LeafSpine(8, 3.0), one_each(24), id="leaf-spine 3:1"),
    pytest.param(LeafSpine(16, 7.0), one_each(56), id="leaf-spine 7:1"),
    pytest.param(LeafSpine(8), one_each(3), id="one leaf"),
    pytest.param(RailOptimized(8), Cards.alike(8, 2, RATE), id="rails"),
    pytest.param(RailOptimized(6, 2.0), Cards.alike(4, 4, RATE), id="rails 2:1"),
    pytest.param(Torus((4, 4)), one_each(16), id="torus 4x4"),
    pytest.param(Torus((3, 4)), one_each(12), id="torus 3x4"),
    pytest.param(Torus((2, 2, 4)), one_each(16), id="torus 2x2x4"),
    pytest.param(Torus((4, 8), twist=4), one_each(32), id="twisted torus"),
    pytest.param(ThreeLayer(8), one_each(4 * 4), id="three layers"),
    pytest.param(ThreeLayer(8, 3.0, 1.0, 1), one_each(6 * 4), id="three layers 3:1"),
    pytest.param(ThreeLayer(16, 3.0, 3.0, 2), one_each(12 * 12 * 2), id="three layers 3:1 twice"),
    pytest.param(ThreeLayer(8), one_each(3), id="one access switch"),
    pytest.param(ThreeLayer(16, 7.0), one_each(14 * 4), id="one block"),
    pytest.param(DualPlane(8), Cards.alike(16, 2, RATE), id="two planes"),
    pytest.param(DualPlane(6, 2.0), Cards.alike(16, 2, RATE), id="two planes 2:1"),
    pytest.param(NvlinkDomain(8, 2), one_each(8), id="nvlink domain"),
    pytest.param(NvlinkDomain(), Cards.alike(18, 4, RATE), id="nvl72"),
    pytest.param(PcieTree(2, 2, 2), one_each(8), id="pcie tree"),
    pytest.param(PcieTree(4, 1, 2), one_each(8), id="pcie tree of one socket"),
    pytest.param(PcieTree(2, 2, 2, 3 * RATE), one_each(8), id="pcie tree with a fast link of sockets"),
    pytest.param(WAN, Cards((1,) * 8, (RATE,) * 8, RATE, NAMES), id="wan"),
    pytest.param(Dragonfly(1, 2, 1, 3), one_each(6), id="dragonfly of 3 groups"),
    pytest.param(Dragonfly(2, 4, 2, 4), one_each(32), id="dragonfly of 4 groups"),
    pytest.param(Dragonfly(2, 4, 2, 1), one_each(8), id="dragonfly of one group"),
]


def cut(graph: nx.MultiGraph, sources: list[str], targets: list[str]) -> float:
    """The maximum flow from one set of nodes to another, parallel cables added up."""
    plain: nx.Graph[str] = nx.Graph()
    for low, high, rate in graph.edges(data="capacity_bytes_per_s"):
        known = plain.get_edge_data(low, high, {"rate": 0.0})["rate"]
        plain.add_edge(low, high, rate=known + rate)
    for end, nodes in (("from", sources), ("to", targets)):
        for node in nodes:
            plain.add_edge(end, node, rate=1e9)
    return float(nx.maximum_flow_value(plain, "from", "to", capacity="rate"))


@pytest.mark.parametrize(("topology", "cards"), FULL)
def test_counts_are_those_of_the_closed_form(topology: Topology, cards: Cards) -> None:
    graph, facts = topology.graph(cards), topology.facts(cards)
    kinds = [kind for _, kind in graph.nodes(data="kind")]
    assert kinds.count("host") == cards.hosts
    assert kinds.count("switch") == facts.switches
    between = [1 for low, high in graph.edges() if "host" not in (graph.nodes[low]["kind"], graph.nodes[high]["kind"])]
    assert len(between) == facts.cables
    assert nx.is_connected(graph)


@pytest.mark.parametrize(
    ("topology", "cards"),
    [case for case in FULL if "one leaf" not in str(case.id) and "one access" not in str(case.id)],
)
def test_bisection_is_the_maximum_flow_between_halves(topology: Topology, cards: Cards) -> None:
    graph, facts = topology.graph(cards), topology.facts(cards)
    assert facts.hosts == cards.hosts
    hosts = [name for name, kind in graph.nodes(data="kind") if kind == "host"]
    switch = {host: next(iter(graph[host])) for host in hosts}
    ways = halves(topology, graph, list(dict.fromkeys(switch.values())))
    sides = [[[host for host in hosts if (switch[host] in half) == side] for side in (True, False)] for half in ways]
    if not ways:
        sides = [[hosts[: len(hosts) // 2], hosts[len(hosts) // 2 :]]]
    flows = [cut(graph, *both) for both in sides]
    assert min(flows) == pytest.approx(facts.bisection_bytes_per_s)


def halves(topology: Topology, graph: nx.MultiGraph, switches: list[str]) -> list[set[str]]:
    """Ways to halve the switches with hosts: across each dimension, by groups, or in their order."""
    if isinstance(topology, Torus):
        sizes = topology.sizes
        where = {switch: [int(n) for n in switch.split()[1].split(".")] for switch in switches}
        return [{s for s in switches if where[s][d] < sizes[d] // 2} for d in range(len(sizes)) if sizes[d] % 2 == 0]
    if isinstance(topology, DualPlane):  # cards have two cables, and the first is in plane a
        return [set(switches[: len(switches) // 2])]
    if isinstance(topology, NvlinkDomain):
        return []
    if isinstance(topology, Dragonfly) and (topology.groups or 0) > 1:
        return [{s for s in switches if graph.nodes[s]["group"] < (topology.groups or 0) // 2}]
    return [set(switches[: len(switches) // 2])]


@pytest.mark.parametrize(
    ("topology", "cards", "ends"),
    [
        (LeafSpine(8, 3.0), one_each(24), ("leaf 0", "leaf 3")),
        (RailOptimized(8), Cards.alike(8, 2, RATE), ("leaf 0.0", "leaf 1.1")),
        (ThreeLayer(8), one_each(16), ("access 0.0", "access 1.1")),
        (ThreeLayer(16, 3.0, 3.0), one_each(288), ("access 0.0", "access 1.0")),
        (DualPlane(8), Cards.alike(16, 2, RATE), ("tor a.0.0", "tor a.1.1")),
        (Torus((4, 4, 4)), one_each(64), ("router 0.0.0", "router 2.2.2")),
        (Torus((2, 4)), one_each(8), ("router 0.0", "router 1.2")),
        (Dragonfly(2, 4, 2, 9), one_each(72), ("router 0.0", "router 4.1")),
    ],
)
def test_disjoint_paths_are_the_least_cut_between_switches(
    topology: Topology, cards: Cards, ends: tuple[str, str]
) -> None:
    graph = topology.graph(cards)
    graph.remove_nodes_from([name for name in list(graph) if name.startswith("host")])
    assert cut(graph, [ends[0]], [ends[1]]) == RATE * topology.facts(cards).disjoint_paths


@pytest.mark.parametrize(
    ("radix", "oversubscription", "ports"),
    [
        (64, 1.0, (32, 32)),
        (64, 2.0, (42, 21)),
        (64, 3.0, (48, 16)),
        (64, 7.0, (56, 8)),
        (32, 1.5, (18, 12)),
        (8, 7.0, (7, 1)),
        (2, 1.0, (1, 1)),
    ],
)
def test_ports_are_split_by_the_oversubscription(radix: int, oversubscription: float, ports: tuple[int, int]) -> None:
    assert split(radix, oversubscription) == ports


def test_spines_are_the_fewest_whose_ports_suffice() -> None:
    # 4 leaves of 32 uplinks: 2 spines of 64 ports take 16 cables of each leaf.
    assert spines_for(4, 32, 64) == 2
    # 5 leaves of 32: two spines would need 80 ports each, three 5 x 11 = 55.
    assert spines_for(5, 32, 64) == 3
    assert LeafSpine(64).facts(one_each(128)).switches == 4 + 2
    with pytest.raises(MisfitError, match="found 64, expected a port of every spine for each of 65 leaf switches"):
        spines_for(65, 32, 64)


def test_a_switch_needs_a_port_that_goes_up() -> None:
    with pytest.raises(MisfitError, match="oversubscription: found 8, expected at most 7: of the 8 ports"):
        split(8, 8.0)


def test_a_balanced_dragonfly_has_the_size_of_the_paper() -> None:
    # Kim et al., section 3.1: p = h = 4, a = 8 of radix 15 scale to a h + 1 = 33 groups of 32 hosts.
    balanced = Dragonfly.balanced(15)
    assert (balanced.hosts_per_router, balanced.routers, balanced.globals_per_router) == (4, 8, 4)
    assert balanced.count(33 * 32) == 33
    with pytest.raises(MisfitError, match="at most routers x globals"):
        balanced.count(33 * 32 + 1)


def test_a_group_alone_has_the_routers_its_hosts_fill() -> None:
    assert Dragonfly(2, 4, 2).facts(one_each(5)).switches == 3


def test_a_router_has_no_more_ports_than_it_has() -> None:
    with pytest.raises(MisfitError, match="at most 7 together"):
        Dragonfly(2, 4, 3, radix=7).graph(one_each(5))


def test_every_pair_of_groups_is_joined_as_often_and_no_router_has_too_many_ports() -> None:
    graph = Dragonfly(2, 4, 2, 4).graph(one_each(32))
    pairs: dict[tuple[int, int], int] = {}
    for low, high, tier in graph.edges(data="tier"):
        if tier == "global":
            groups = graph.nodes[low]["group"], graph.nodes[high]["group"]
            pairs[groups] = pairs.get(groups, 0) + 1
    assert set(pairs.values()) == {2}  # 8 global ports of a group over 3 others
    assert len(pairs) == 6
    assert max(degree for node, degree in graph.degree() if "router" in node) <= 2 + 3 + 2


def test_peers_of_a_rail_meet_in_one_switch() -> None:
    graph = RailOptimized(8).graph(Cards.alike(6, 2, RATE))
    # Four hosts a leaf: servers 0-3 are unit 0; card 1 of server 5 is host 11.
    assert [next(iter(graph[f"host {host}"])) for host in (0, 1, 7, 11)] == [
        "leaf 0.0",
        "leaf 0.1",
        "leaf 0.1",
        "leaf 1.1",
    ]


def test_endpoints_with_few_cards_are_dealt_out_over_the_rails() -> None:
    assert rails_of(Cards((4, 1, 2, 2, 4), (1.0,) * 5, 1.0), 4) == [0, 1, 2, 3, 0, 1, 2, 3, 0, 0, 1, 2, 3]


def test_a_rail_without_a_spine_must_fit_one_switch() -> None:
    assert RailOptimized(8, spine=False).facts(Cards.alike(8, 2, RATE)).switches == 2
    with pytest.raises(MisfitError, match="radix of at least 9"):
        RailOptimized(8, spine=False).graph(Cards.alike(9, 2, RATE))
    with pytest.raises(MisfitError, match="2 cards, one a rail"):
        RailOptimized(8, spine=False).graph(Cards((2, 1), (RATE, RATE), RATE))


@pytest.mark.parametrize(
    ("hosts", "dimensions", "sizes"), [(64, 3, (4, 4, 4)), (100, 3, (4, 5, 5)), (50, 2, (7, 8)), (1, 2, (1, 1))]
)
def test_a_torus_is_near_a_cube(hosts: int, dimensions: int, sizes: tuple[int, ...]) -> None:
    assert near_cube(hosts, dimensions) == sizes


def test_a_torus_too_small_for_its_hosts_is_refused() -> None:
    with pytest.raises(MisfitError, match="product of at least 17"):
        Torus((4, 4)).graph(one_each(17))


def test_a_twist_shortens_a_torus() -> None:
    # 4 x 8 plain has diameter 2 + 4; with a twist of 4 it is 4 (Camara et al., 2010, section 2: k x 2k twisted by k).
    plain, twisted = (nx.Graph(t.graph(one_each(32))) for t in (Torus((4, 8)), Torus((4, 8), twist=4)))
    routers = [node for node in plain if "router" in node]
    assert nx.diameter(plain.subgraph(routers)) == 6
    assert nx.diameter(twisted.subgraph(routers)) == 4


def test_three_layers_by_hand() -> None:
    # Radix 16, 3:1: 12 down, 4 up. Two aggregation switches of 12 down-ports take 2 of the uplinks each of 6 access
    # switches: 72 hosts a block. 288 hosts: 4 blocks of 6 + 2, 8 aggregation switches of 4 uplinks on 2 cores.
    facts = ThreeLayer(16, 3.0, 3.0).facts(one_each(288))
    assert (facts.hosts, facts.switches, facts.cables) == (288, 24 + 8 + 2, 24 * 4 + 8 * 4)
    assert facts.bisection_bytes_per_s == 16 * RATE  # 9:1 of 144 hosts
    with pytest.raises(MisfitError, match="at least 2: an access switch has 4 uplinks, one of these 2 down-ports"):
        ThreeLayer(8, 1.0, 1 / 3, 1).facts(one_each(20))


def test_planes_share_no_switch() -> None:
    graph = DualPlane(8).graph(Cards.alike(16, 2, RATE))
    graph.remove_nodes_from([name for name in list(graph) if name.startswith("host")])
    assert sorted(len(part) for part in nx.connected_components(graph)) == [6, 6]  # 4 switches a plane under 2 spines
    rates = {rate for *_, rate in DualPlane(8).graph(one_each(2)).edges(data="capacity_bytes_per_s")}
    assert rates == {RATE / 2}


def test_an_nvl72_rack_has_eighteen_switches_and_one_hop() -> None:
    # 72 GPUs of 900 GB/s each way: 18 links of 50 GB/s, one to each of 18 switches; bisection 36 x 900 GB/s.
    cards = Cards.alike(18, 4, 900e9)
    facts = NvlinkDomain().facts(cards)
    assert (facts.hosts, facts.switches, facts.bisection_bytes_per_s) == (72, 18, pytest.approx(32.4e12))
    assert {rate for *_, rate in NvlinkDomain().graph(cards).edges(data="capacity_bytes_per_s")} == {50e9}
    with pytest.raises(MisfitError, match="no domain has more than 72"):
        NvlinkDomain().graph(Cards.alike(19, 4, 900e9))


def test_devices_beyond_the_places_of_a_pcie_tree_are_refused() -> None:
    with pytest.raises(MisfitError, match="at least 9 places"):
        PcieTree(2, 2, 2).graph(one_each(9))


def test_every_site_of_a_wan_holds_something_and_every_pool_has_a_site() -> None:
    cards = Cards((1, 1), (RATE,) * 2, RATE, ("a/0", "storage/0"))
    links = (WanLink(("x", "y"), 1.0, 0.0),)
    with pytest.raises(MisfitError, match="no site with storage"):
        Wan(4, (("x", ("a",)), ("y", ("b",))), links).facts(cards)
    with pytest.raises(MisfitError, match="nothing in y"):
        Wan(4, (("x", ("a", "storage")), ("y", ("b",))), links).facts(cards)
