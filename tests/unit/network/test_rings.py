"""Ring all-reduce: routes and times against closed forms and against the schedule played flow by flow."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.engine import Clock, Streams
from dcsim.errors import RunError
from dcsim.network.collectives import ring_all_reduce_s, ring_latency_s, ring_share
from dcsim.network.fabric import Fabric
from dcsim.network.layout import Endpoint, FabricLayout, InnerLink
from dcsim.network.play import play
from dcsim.network.rings import rings
from dcsim.parallel.schedule import ring_all_reduce
from dcsim.parallel.waves import Wave

GB = 1e9


def fabric(servers: int, nics: int, accelerators: int, inner_rate: float = 100 * GB, hop_s: float = 0.0) -> Fabric:
    inner = InnerLink(inner_rate, hop_s / 4)
    endpoints = tuple(Endpoint(f"train/{i}", nics, 10 * GB, accelerators, inner) for i in range(servers))
    # Radix 32 puts the cards of 16 servers of one card on one edge switch: no uplink is shared.
    return Fabric(Clock(), FabricLayout(endpoints, 10 * GB, hop_latency_s=hop_s, radix=32), Streams(3))


def everyone(servers: int, accelerators: int) -> list[tuple[int, int]]:
    return [(s, a) for s in range(servers) for a in range(accelerators)]


def took(net: Fabric, size: float, ranks: list[tuple[int, int]]) -> float:
    net.clock.run(net.transfer(net.all_reduce(ranks), size, "a"))
    return net.clock.now


def test_closed_forms() -> None:
    assert ring_share(4) == 1.5
    # 16 ranks on 2 servers: 2 [(2 - 1) 14 + (16 - 2) 3.4] us
    assert ring_latency_s(16, 2, 14e-6, 3.4e-6) == pytest.approx(2 * (14 + 14 * 3.4) * 1e-6, rel=1e-12)
    assert ring_latency_s(8, 0, 14e-6, 3.4e-6) == pytest.approx(14 * 3.4e-6, rel=1e-12)
    assert ring_all_reduce_s(8.0, 4, 3.0, 1.0) == 5.0


def test_inside_a_server_every_port_carries_the_ring() -> None:
    net = fabric(2, 2, 8)
    route = net.all_reduce([(1, a) for a in range(8)])
    assert np.array_equal(route.links, net.tiers["nvlink"][16:])
    assert np.all(route.share == 1.75)
    assert net.alone_rate(route) == pytest.approx(100 * GB / 1.75, rel=1e-12)


def test_across_servers_there_is_a_ring_a_card() -> None:
    # 4 servers of 4 cards and 4 accelerators: each card carries a quarter of 2 x 15/16; each port 3 of 4 rings.
    net = fabric(4, 4, 4)
    route = net.all_reduce(everyone(4, 4))
    share = dict(zip(route.links.tolist(), route.share.tolist(), strict=True))
    assert [share[i] for i in net.tiers["host"]] == pytest.approx([1.875 / 4] * 32, rel=1e-12)
    assert [share[i] for i in net.tiers["nvlink"]] == pytest.approx([1.875 * 3 / 4] * 32, rel=1e-12)
    assert net.alone_rate(route) == pytest.approx(4 * 10 * GB / 1.875, rel=1e-12)


@pytest.mark.parametrize(
    ("nics", "accelerators", "channels"),
    [(1, 8, 1), (4, 8, 4), (8, 8, 8), (2, 1, 2), (1, 1, 1)],
)
def test_cards_are_spread_over_accelerators(nics: int, accelerators: int, channels: int) -> None:
    kinds = [Endpoint("a", nics, 1.0, accelerators), Endpoint("b", nics, 1.0, accelerators)]
    plan = rings(everyone(2, accelerators), kinds)
    assert plan.channels == channels
    assert plan.visits[0].cards == tuple(range(nics))
    for channel in range(channels):
        order = plan.order(channel)
        assert sorted(order) == [(s, a, channel) for s, a in everyone(2, accelerators)]


def test_a_job_on_part_of_a_server_uses_the_cards_beside_it() -> None:
    kinds = [Endpoint("a", 4, 1.0, 8), Endpoint("b", 4, 1.0, 8)]
    plan = rings([(s, a) for s in range(2) for a in (4, 5, 6, 7)], kinds)
    assert [visit.cards for visit in plan.visits] == [(2, 3), (2, 3)]
    assert plan.channels == 2


def test_logical_order_decides_the_hops() -> None:
    # 0, 1, 0, 1 leaves a server on every edge; 0, 1, 1, 0 closes inside server 0 and has two network hops.
    kinds = [Endpoint("a", 1, 1.0, 2), Endpoint("b", 1, 1.0, 2)]
    assert rings([(0, 0), (1, 0), (0, 1), (1, 1)], kinds).network_hops == 4
    assert rings([(0, 0), (1, 0), (1, 1), (0, 1)], kinds).network_hops == 2


def test_more_connections_a_pair_even_out_hash_collisions() -> None:
    endpoints = tuple(Endpoint(f"train/{i}", 1, 10 * GB) for i in range(64))
    shape = {"link_bytes_per_s": 10 * GB, "radix": 8}
    ranks = [(int(i), 0) for i in np.random.default_rng(0).permutation(64)]
    one, many = (
        Fabric(Clock(), FabricLayout(endpoints, connections=n, **shape), Streams(3))
        for n in (1, 64)  # type: ignore[arg-type]
    )
    rates = [net.alone_rate(net.all_reduce(ranks)) * ring_share(64) for net in (one, many)]
    assert rates[0] <= 5 * GB  # two of the rings' edges on one uplink, at least
    assert 7 * GB < rates[1] <= 10 * GB


def test_without_links_between_accelerators_there_is_no_ring_inside() -> None:
    net = Fabric(Clock(), FabricLayout((Endpoint("a", 1, 1.0, 4),), 1.0), Streams(0))
    with pytest.raises(RunError, match="no links between its accelerators"):
        net.all_reduce(everyone(1, 4))


@pytest.mark.parametrize(
    ("servers", "nics", "accelerators"), [(6, 1, 1), (1, 1, 8), (4, 1, 4), (2, 4, 4), (3, 2, 4), (4, 4, 4)]
)
def test_the_schedule_played_flow_by_flow_takes_the_time_of_the_closed_form(
    servers: int, nics: int, accelerators: int
) -> None:
    # Every ring of every card at once, one transfer a chunk; no network link is shared, the cards bind.
    ranks = everyone(servers, accelerators)
    net = fabric(servers, nics, accelerators)
    plan = net.rings(ranks)
    schedule = ring_all_reduce(len(ranks))
    parts = [
        net.clock.process(play(net, schedule, plan.order(channel), 8 * GB / plan.channels, "a"))
        for channel in range(plan.channels)
    ]
    net.clock.run(net.clock.all_of(parts))
    edge = nics * 10 * GB if servers > 1 else 100 * GB
    assert net.clock.now == pytest.approx(ring_all_reduce_s(8 * GB, len(ranks), edge, 0.0), rel=1e-9)
    whole = fabric(servers, nics, accelerators)
    assert took(whole, 8 * GB, ranks) == pytest.approx(net.clock.now, rel=1e-9)
    # The same bytes on every link, too.
    assert whole.loads.integrals == pytest.approx(net.loads.integrals, rel=1e-9, abs=1.0)
    assert net.sent_bytes == pytest.approx(net.received_bytes, rel=1e-12)


def test_hops_of_one_length_give_the_latency_of_all_rounds() -> None:
    net = fabric(5, 1, 1, hop_s=1e-3)
    net.clock.run(net.clock.process(play(net, ring_all_reduce(5), net.rings(everyone(5, 1)).order(0), GB, "a")))
    assert net.clock.now == pytest.approx(8 * 1e-3 + 1.6 * 0.1, rel=1e-9)
    assert took(fabric(5, 1, 1, hop_s=1e-3), GB, everyone(5, 1)) == pytest.approx(net.clock.now, rel=1e-9)


@pytest.mark.parametrize("ranks", [[(0, 0), (0, 0)], [(0, 0), (1, 0), (0, 1), (1, 0)]])
def test_two_ranks_at_one_accelerator_are_refused(ranks: list[tuple[int, int]]) -> None:
    net, name = fabric(2, 1, 2), f"train/{ranks[-1][0]} gpu 0"
    with pytest.raises(RunError, match=f"rank {len(ranks) - 1} is at {name}, where rank {len(ranks) // 3} is already"):
        net.all_reduce(ranks)
    with pytest.raises(RunError, match="an accelerator of its own for every rank"):
        net.exchange(ranks, Wave(np.array([0]), np.array([1]), 1.0))


def test_ranks_and_cards_that_there_are_not_are_refused() -> None:
    net = fabric(2, 1, 2)
    with pytest.raises(RunError, match="rank 1 is at train/1 gpu 2, expected one from gpu 0 to 1"):
        net.all_reduce([(0, 0), (1, 2)])
    with pytest.raises(RunError, match="a connection is at train/1 nic 1, expected one from nic 0 to 0"):
        net.connections([(0, 0, 0)], [(1, 0, 1)])
