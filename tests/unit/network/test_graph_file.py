"""Networks from GraphML files: what is read, and every way in which one can be wrong."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from dcsim.network.graph_routing import GraphRouter
from dcsim.network.next_hops import NextHops
from dcsim.network.topologies.base import Cards, MisfitError
from dcsim.network.topologies.graph_file import GraphFile
from dcsim.network.wiring import wire

CARDS = Cards((2, 1), (10e9, 10e9), 10e9, ("train/0", "train/1"))


def drawn() -> nx.MultiGraph:
    """Three hosts on two switches, which two cables join; the second is longer."""
    graph: nx.MultiGraph[str] = nx.MultiGraph()
    graph.add_nodes_from(["h0", "h1", "h2"], kind="host")
    graph.add_nodes_from(["s0", "s1"], kind="switch", tier="leaf")
    graph.add_edge("h0", "s0", rate="400 Gbit/s")
    graph.add_edge("h1", "s0", rate="40 Gbit/s")
    graph.add_edge("h2", "s1", rate="400 Gbit/s")
    graph.add_edge("s0", "s1", rate="16 Gbit/s", tier="trunk", latency="2.5 us")
    graph.add_edge("s0", "s1", rate="8 Gbit/s", tier="trunk", latency="7.5 us")
    return graph


def written(folder: Path, graph: nx.Graph) -> GraphFile:
    nx.write_graphml(graph, folder / "x.graphml")
    return GraphFile(folder / "x.graphml")


def test_a_file_is_read_with_its_rates_and_latencies(tmp_path: Path) -> None:
    topology = written(tmp_path, drawn())
    facts = topology.facts(CARDS)
    # Host 0 alone against two: 10 GB/s in by its card, 2 + 1 GB/s to the other switch and 5 GB/s to host 1.
    assert (facts.hosts, facts.switches, facts.cables) == (3, 2, 2)
    assert facts.bisection_bytes_per_s == pytest.approx(8e9)
    wiring = wire(topology.graph(CARDS))
    assert wiring.capacities[:3].tolist() == [10e9, 5e9, 10e9]  # a card slower than its cable sets the pace
    router = GraphRouter(NextHops(wiring))
    (path,) = router.paths(np.array([0]), np.array([2]))
    assert [wiring.names[link] for link in path] == ["host 0 > s0", "s0 > s1", "s1 > host 2"]
    assert wiring.latencies_s[path].sum() == pytest.approx(2.5e-6)


def test_hosts_go_to_the_cards_they_name(tmp_path: Path) -> None:
    graph = drawn()
    for host, card in (("h0", "train/1 nic 0"), ("h1", "train/0 nic 1"), ("h2", "train/0 nic 0")):
        graph.nodes[host]["card"] = card
    found = written(tmp_path, graph).graph(CARDS)
    assert [next(iter(found[f"host {i}"])) for i in range(3)] == ["s1", "s0", "s0"]


def slip_kind(graph: nx.MultiGraph) -> None:
    graph.nodes["s0"]["kind"] = "router"


def slip_rate(graph: nx.MultiGraph) -> None:
    graph["h0"]["s0"][0]["rate"] = "400"


def slip_zero(graph: nx.MultiGraph) -> None:
    graph["h0"]["s0"][0]["rate"] = "0 Gbit/s"


def slip_latency(graph: nx.MultiGraph) -> None:
    graph["s0"]["s1"][0]["latency"] = "2.5"


def slip_weight(graph: nx.MultiGraph) -> None:
    graph["s0"]["s1"][0]["weight"] = -1.0


def slip_weight_word(graph: nx.MultiGraph) -> None:
    graph["s0"]["s1"][0]["weight"] = "far"


def slip_loop(graph: nx.MultiGraph) -> None:
    graph.add_edge("s0", "s0", rate="400 Gbit/s")


def slip_apart(graph: nx.MultiGraph) -> None:
    graph.remove_edges_from([("s0", "s1"), ("s0", "s1")])


def slip_lonely(graph: nx.MultiGraph) -> None:
    graph.remove_edge("h1", "s0")


def slip_few(graph: nx.MultiGraph) -> None:
    graph.remove_node("h1")


def slip_twice(graph: nx.MultiGraph) -> None:
    for host, card in (("h0", "train/0 nic 0"), ("h1", "train/0 nic 0"), ("h2", "train/0 nic 1")):
        graph.nodes[host]["card"] = card


def slip_strange(graph: nx.MultiGraph) -> None:
    for host, card in (("h0", "train/0 nic 0"), ("h1", "train/0 nic 1"), ("h2", "train/7 nic 0")):
        graph.nodes[host]["card"] = card


@pytest.mark.parametrize(
    ("slip", "told"),
    [
        (slip_kind, 'node s0 of kind "router", expected nodes with kind host or switch'),
        (
            slip_rate,
            'the cable h0 - s0 with rate "400", expected a rate above zero on every edge, such as "400 Gbit/s"',
        ),
        (slip_zero, "the cable h0 - s0 with a rate of zero, expected a rate above zero"),
        (slip_latency, 'the cable s0 - s1 with latency "2.5", expected a latency such as "5 us"'),
        (slip_weight, 'the cable s0 - s1 with weight "-1.0", expected a weight above zero, such as 1.5'),
        (slip_weight_word, 'the cable s0 - s1 with weight "far", expected a weight above zero, such as 1.5'),
        (slip_loop, "a cable from s0 to itself, expected edges between two nodes"),
        (slip_apart, "1 of 3 hosts without a path to host h0, h2 the first of them, expected one network"),
        (slip_lonely, "host h1 without a cable, expected an edge from every host"),
        (slip_few, "2 hosts, expected 3, one for every network card"),
        (slip_twice, 'card "train/0 nic 0" at 2 hosts, h0 and h1; card "train/1 nic 0" at no host'),
        (slip_strange, 'host h2 with card "train/7 nic 0", which no server has'),
    ],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path: Path, slip: object, told: str) -> None:
    graph = drawn()
    slip(graph)  # type: ignore[operator]
    with pytest.raises(MisfitError) as caught:
        written(tmp_path, graph).facts(CARDS)
    assert told in str(caught.value)
    assert caught.value.key == "topology.file"


def test_files_that_are_no_undirected_graphml_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.graphml").write_text("<graphml", "utf-8")
    with pytest.raises(MisfitError, match="a GraphML file"):
        GraphFile(tmp_path / "x.graphml").facts(CARDS)
    with pytest.raises(MisfitError, match="a file that can be read"):
        GraphFile(tmp_path / "none.graphml").facts(CARDS)
    with pytest.raises(MisfitError, match="cables go both ways"):
        written(tmp_path, nx.DiGraph(drawn())).facts(CARDS)
