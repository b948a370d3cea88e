"""Trees, hierarchies and parameter servers on the fabric: closed forms, and the schedule played flow by flow."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.engine import Clock, Process, Streams
from dcsim.network.collectives import hierarchical_all_reduce_s, parameter_server_s, tree_all_reduce_s
from dcsim.network.fabric import Fabric
from dcsim.network.layout import Endpoint, FabricLayout, InnerLink
from dcsim.network.play import play
from dcsim.network.rings import cards_beside
from dcsim.parallel import schedule, waves
from dcsim.parallel.schedule import Schedule
from dcsim.parallel.waves import Wave

GB = 1e9
HOP_S, INNER_S = 4e-6, 1e-6


def fabric(servers: int, nics: int, accelerators: int, hops: float = 1.0) -> Fabric:
    inner = InnerLink(100 * GB, INNER_S * hops)
    endpoints = tuple(Endpoint(f"train/{i}", nics, 10 * GB, accelerators, inner) for i in range(servers))
    # Radix 64 puts the cards of all servers on one edge switch: no uplink is shared.
    return Fabric(Clock(), FabricLayout(endpoints, 10 * GB, hop_latency_s=HOP_S * hops, radix=64), Streams(3))


def everyone(servers: int, accelerators: int) -> list[tuple[int, int]]:
    return [(s, a) for s in range(servers) for a in range(accelerators)]


def took(net: Fabric, ranks: list[tuple[int, int]], short: tuple[Wave, ...], size: float) -> float:
    def go() -> Process:
        for wave in short:
            yield net.transfer(net.exchange(ranks, wave), size, "a")

    net.clock.run(net.clock.process(go()))
    return net.clock.now


def test_closed_forms() -> None:
    assert tree_all_reduce_s(8.0, 5, 2.0, 1.0) == 2 * 3 * (1 + 4)
    assert parameter_server_s(8.0, 3, 2.0, 1.0) == 2 * (1 + 3 * 4)
    # 2 (4 - 1) rounds of 8 / 4 / 2 = 1 and a hop of 1, 2 (3 - 1) rounds of 8 / 12 and a hop of 2
    assert hierarchical_all_reduce_s(8.0, (4, 3), (2.0, 1.0), (1.0, 2.0)) == pytest.approx(6 * 2 + 4 * (2 + 8 / 12))
    assert tree_all_reduce_s(8.0, 1, 2.0, 1.0) == parameter_server_s(0.0, 0, 1.0, 0.0) == 0.0


@pytest.mark.parametrize("ranks", [2, 5, 8, 16])
def test_a_tree_takes_its_closed_form(ranks: int) -> None:
    net = fabric(ranks, 1, 1)
    found = took(net, everyone(ranks, 1), waves.tree(ranks), GB)
    assert found == pytest.approx(tree_all_reduce_s(GB, ranks, 10 * GB, HOP_S), rel=1e-9)


@pytest.mark.parametrize(("servers", "each"), [(4, 4), (2, 8), (3, 2), (1, 4), (5, 1)])
def test_a_hierarchy_takes_its_closed_form(servers: int, each: int) -> None:
    net = fabric(servers, each, each)
    found = took(net, everyone(servers, each), waves.hierarchical(servers * each, each), GB)
    expected = hierarchical_all_reduce_s(GB, (each, servers), (100 * GB, 10 * GB), (INNER_S, HOP_S))
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("ranks", [2, 5, 16])
def test_pushes_to_one_server_meet_at_its_link(ranks: int) -> None:
    net = fabric(ranks, 1, 1)
    found = took(net, everyone(ranks, 1), waves.parameter_server(ranks, 1), GB)
    assert found == pytest.approx(parameter_server_s(GB, ranks - 1, 10 * GB, HOP_S), rel=1e-9)


def test_a_server_beside_every_rank_is_as_fast_as_a_ring() -> None:
    net = fabric(8, 1, 1, hops=0.0)
    assert took(net, everyone(8, 1), waves.parameter_server(8, 8), GB) == pytest.approx(2 * 7 / 8 * 0.1, rel=1e-9)


CASES = [
    pytest.param(4, 4, 4, waves.tree(16), schedule.tree_all_reduce(16), 1, id="tree over servers"),
    pytest.param(3, 1, 2, waves.tree(6), schedule.tree_all_reduce(6), 1, id="tree, a card for two"),
    pytest.param(4, 4, 4, waves.hierarchical(16, 4), schedule.hierarchical_all_reduce(16, 4), 16, id="hierarchy"),
    pytest.param(2, 2, 4, waves.hierarchical(8, 4), schedule.hierarchical_all_reduce(8, 4), 8, id="half the cards"),
    pytest.param(2, 1, 4, waves.parameter_server(8, 1), schedule.parameter_server(8, 1), 1, id="server"),
    pytest.param(4, 1, 4, waves.parameter_server(16, 4), schedule.parameter_server(16, 4), 4, id="four servers"),
]


@pytest.mark.parametrize(("servers", "nics", "each", "short", "rounds", "chunks"), CASES)
def test_the_schedule_played_flow_by_flow_loads_the_same_links(
    servers: int, nics: int, each: int, short: tuple[Wave, ...], rounds: Schedule, chunks: int
) -> None:
    """One transfer a chunk, a barrier a round; hops of length zero, because a round of waves pays its longest hop."""
    ranks = everyone(servers, each)
    played, whole = fabric(servers, nics, each, 0.0), fabric(servers, nics, each, 0.0)
    kind = Endpoint("a", nics, 1.0, each)
    places = [(server, rank, cards_beside(rank, kind)[0]) for server, rank in ranks]
    # ``play`` cuts the payload into as many chunks as there are ranks.
    played.clock.run(played.clock.process(play(played, rounds, places, GB * len(ranks) / chunks, "a")))
    assert took(whole, ranks, short, GB) == pytest.approx(played.clock.now, rel=1e-9)
    assert whole.loads.integrals == pytest.approx(played.loads.integrals, rel=1e-9, abs=1.0)
    assert whole.sent_bytes == pytest.approx(whole.received_bytes, rel=1e-12)


def test_pushes_from_other_servers_meet_at_the_card_of_the_server_s_rank() -> None:
    """2 servers of 4 ranks and cards: 4 payloads come in by one card; the 3 from beside it take the links inside."""
    net = fabric(2, 4, 4, 0.0)
    route = net.exchange(everyone(2, 4), waves.parameter_server(8, 1)[0])
    assert net.alone_rate(route) == pytest.approx(10 * GB / 4, rel=1e-12)


def test_a_rank_spreads_over_the_cards_beside_it() -> None:
    """Two accelerators and four cards a server: the pair of servers moves a payload of a rank over two cards."""
    net = fabric(2, 4, 2)
    route = net.exchange(everyone(2, 2), Wave(np.array([0]), np.array([2]), 1.0))
    assert net.alone_rate(route) == pytest.approx(20 * GB, rel=1e-12)
    assert route.weight == 2.0
