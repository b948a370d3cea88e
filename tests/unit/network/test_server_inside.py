"""Inside a server: closed forms against the graph's own counts and cuts, and the cards that ranks take."""

from __future__ import annotations

from itertools import combinations

import networkx as nx
import pytest

from dcsim.catalogue.parts import Server
from dcsim.catalogue.shelf import Shelf
from dcsim.network.inside import inside, nearest_cards
from dcsim.network.layout import Endpoint
from dcsim.network.rings import cards_beside
from dcsim.network.topologies.base import MisfitError
from dcsim.network.topologies.server import Rates, ServerInside
from dcsim.report import parts, server_inside

RATES = Rates(nvlink=300e9, pcie=32e9, socket=40e9, nic=25e9)
TOLD = ["dgx-v100", "dgx-a100", "dgx-a100-40", "dgx-h100", "hgx-h200", "hgx-h800", "dgx-b200", "dgx-b300"]
SERVERS = [
    ServerInside(8, 8, 2, 4, 6, RATES),
    ServerInside(8, 4, 2, 2, 0, RATES),
    ServerInside(4, 2, 1, 1, 0, RATES),
    ServerInside(16, 8, 4, 8, 12, RATES),
    ServerInside(4, 4, 1, 4, 1, RATES),
    ServerInside(8, 8, 2, 8, 4, RATES, storage_nics=2),
]


def cut(server: ServerInside, tiers: set[str]) -> float:
    """The greatest flow from the first half of the accelerators to the second over ``tiers``."""
    graph = nx.Graph()
    graph.add_nodes_from(["from", "to"])
    for u, v, facts in server.graph().edges(data=True):
        if facts["tier"] in tiers:
            graph.add_edge(u, v, capacity=facts["capacity_bytes_per_s"])
    for gpu in range(server.accelerators):
        graph.add_edge("from" if gpu < server.accelerators // 2 else "to", f"gpu {gpu}")
    return float(nx.maximum_flow_value(graph, "from", "to"))


@pytest.mark.parametrize("server", SERVERS)
def test_closed_forms_are_those_of_the_graph(server: ServerInside) -> None:
    facts, graph = server.facts(), server.graph()
    assert (facts.nodes, facts.links) == (len(graph), graph.number_of_edges())
    assert facts.pcie_bisection_bytes_per_s == pytest.approx(cut(server, {"pcie", "socket"}), rel=1e-9)
    assert facts.nvlink_bisection_bytes_per_s == pytest.approx(cut(server, {"nvlink"}), rel=1e-9)
    for one, other in combinations(range(server.accelerators), 2):
        assert nx.edge_connectivity(graph, f"gpu {one}", f"gpu {other}") == facts.disjoint_paths


def test_a_dgx_a100_on_paper() -> None:
    shelf = Shelf()
    server = inside(shelf.take(Server, "dgx-a100"), shelf)
    assert server is not None
    facts = server.facts()
    # 8 + 8 + 2 + 4 + 6 nodes; 8 x 7 links of accelerators, 8 of cards, 4 uplinks, 1 between sockets.
    assert (facts.nodes, facts.links, facts.disjoint_paths) == (28, 69, 7)
    # 4 x 300 GB/s; two uplinks of 31.5 GB/s each side, less than 128 GB/s between sockets; 31.5 x 4 / 8.
    assert facts.nvlink_bisection_bytes_per_s == pytest.approx(1200e9, rel=1e-9)
    assert facts.pcie_bisection_bytes_per_s == pytest.approx(63e9, rel=1e-9)
    assert facts.together_bytes_per_s == pytest.approx(15.75e9, rel=1e-9)
    assert facts.card_bytes_per_s == pytest.approx(25e9, rel=1e-9)  # a card of 200 Gbit/s


@pytest.mark.parametrize("name", TOLD)
def test_ranks_take_cards_under_their_switch(name: str) -> None:
    shelf = Shelf()
    part = shelf.take(Server, name)
    server = inside(part, shelf)
    assert server is not None
    kind = Endpoint(name, part.nics, part.nic_rate, accelerators=part.accelerators)
    for gpu, cards in enumerate(nearest_cards(server)):
        assert set(cards_beside(gpu, kind)) <= set(cards)


def test_a_part_that_does_not_tell_has_no_inside() -> None:
    shelf = Shelf()
    assert inside(shelf.take(Server, "tpu-v5e-8"), shelf) is None
    assert "inside" not in parts.text("servers", "tpu-v5e-8")


def test_shares_that_are_not_equal_are_refused() -> None:
    with pytest.raises(MisfitError, match="accelerators: found 6, expected a multiple of 4"):
        ServerInside(6, 8, 2, 4, 0, RATES).facts()


def test_cards_for_storage_are_printed_beside_their_sockets() -> None:
    text = server_inside.tree(ServerInside(4, 4, 2, 2, 1, RATES, storage_nics=2))
    assert "socket 0: nic 4, for storage\n  pcie 0: gpu 0, gpu 1, nic 0, nic 1\nsocket 1: nic 5, for storage" in text


def test_the_catalogue_prints_the_tree() -> None:
    text = parts.text("servers", "dgx-a100")
    assert "  pcie 1: gpu 2, gpu 3, nic 2, nic 3\nsocket 1" in text
    assert "nvswitch 0 to 5" in text
