"""Transfers over a small fabric, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.engine import Clock, Streams
from dcsim.errors import RunError
from dcsim.network.fabric import Fabric
from dcsim.network.layout import Endpoint, FabricLayout, InnerLink
from dcsim.network.route import Leg
from dcsim.network.routing import Policy

GB = 1e9


def fabric(clock: Clock, servers: int = 4, **settings: object) -> Fabric:
    """Servers of 2 cards of 10 GB/s and 2 accelerators joined at 40 GB/s; a hop takes 1 ms, 0.1 ms inside."""
    inner = InnerLink(40 * GB, 1e-4)
    endpoints = tuple(Endpoint(f"train/{i}", 2, 10 * GB, 2, inner) for i in range(servers))
    kept: dict[str, object] = {"hop_latency_s": 1e-3, "policy": "d-mod-k"} | settings
    return Fabric(clock, FabricLayout(endpoints, 10 * GB, **kept), Streams(3))  # type: ignore[arg-type]


def finish(clock: Clock, net: Fabric, *transfers: tuple[float, object, float, str]) -> list[float]:
    """Start each (time, route, bytes, owner) and return when each ends."""
    ends = [0.0] * len(transfers)

    def one(i: int, start: float, route: object, size: float, owner: str):  # type: ignore[no-untyped-def]
        yield clock.timeout(start)
        yield net.transfer(route, size, owner)  # type: ignore[arg-type]
        ends[i] = clock.now

    clock.run(clock.all_of([clock.process(one(i, *t)) for i, t in enumerate(transfers)]))  # type: ignore[misc]
    return ends


def test_a_transfer_alone_takes_latency_plus_size_over_rate() -> None:
    clock = Clock()
    net = fabric(clock)
    route = net.between((0, 0), (3, 0))
    (end,) = finish(clock, net, (5.0, route, 3 * GB, "a"))
    assert net.alone_rate(route) == 10 * GB
    assert end == pytest.approx(5.0 + 1e-3 + 0.3, rel=1e-12)
    assert net.received_bytes == pytest.approx(3 * GB, rel=1e-12)
    assert net.sent_bytes == pytest.approx(3 * GB, rel=1e-12)


def test_two_transfers_into_one_card_share_it() -> None:
    # a: 1 GB from 0.001, alone until 0.051 (0.5 GB moved); then 5 GB/s each. a needs 0.1 s more: ends at 0.151.
    # b: 1 GB from 0.051; 0.5 GB moved at 0.151, then 10 GB/s for 0.05 s: ends at 0.201.
    clock = Clock()
    net = fabric(clock)
    ends = finish(
        clock,
        net,
        (0.0, net.between((0, 0), (3, 0)), 1 * GB, "a"),
        (0.05, net.between((1, 0), (3, 0)), 1 * GB, "b"),
    )
    assert ends == pytest.approx([0.151, 0.201], rel=1e-12)
    assert net.sent_bytes == pytest.approx(2 * GB, rel=1e-12)
    assert net.received_bytes == pytest.approx(2 * GB, rel=1e-12)


def test_two_jobs_on_shared_uplinks_slow_each_other_down() -> None:
    # Both rings cross from server 0 to 1; with links shared two to one each takes twice as long.
    clock = Clock()
    net = fabric(clock, hop_latency_s=0.0)
    first, second = net.all_reduce([(0, 0), (1, 0)]), net.all_reduce([(0, 0), (1, 0)])
    alone = GB / net.alone_rate(first)
    ends = finish(clock, net, (0.0, first, GB, "a"), (0.0, second, GB, "b"))
    assert ends == pytest.approx([2 * alone, 2 * alone], rel=1e-12)


@pytest.mark.parametrize(("ranks", "size", "end"), [([(0, 0)], 5 * GB, 0.0), ([(0, 0), (1, 0)], 0.0, 2e-3)])
def test_nothing_to_move_takes_the_latency_alone(ranks: list[tuple[int, int]], size: float, end: float) -> None:
    clock = Clock()
    net = fabric(clock)
    assert finish(clock, net, (0.0, net.all_reduce(ranks), size, "a")) == [end]


def test_a_given_latency_replaces_that_of_the_route() -> None:
    clock = Clock()
    net = fabric(clock)
    done = net.transfer(net.between((0, 0), (3, 0)), 10 * GB, "a", latency_s=0.25)
    clock.run(done)
    assert clock.now == pytest.approx(1.25, rel=1e-12)


def test_legs_share_the_cards_of_both_ends_and_the_disks() -> None:
    # One leg from server 0 to server 1: two cards each, two connections, 20 GB/s; disks of 5 GB/s bound it.
    clock = Clock()
    net = fabric(clock)
    disks = net.add_resource("disks", "disk", 5 * GB)
    assert net.alone_rate(net.legs([Leg(0, 1, 1.0)])) == 20 * GB
    bound = net.legs([Leg(0, 1, 1.0, source_resource=disks)])
    assert net.alone_rate(bound) == 5 * GB
    (end,) = finish(clock, net, (0.0, bound, GB, "a"))
    assert end == pytest.approx(1e-3 + 0.2, rel=1e-12)
    rows = {row.link: row for row in net.link_table()}
    assert rows["disks"].bytes == pytest.approx(GB, rel=1e-12)
    assert rows["disks"].peak_utilization == 1.0
    assert rows["train/0 nic 1 out"].bytes == pytest.approx(GB / 2, rel=1e-12)
    assert rows["train/0 nic 1 out"].mean_utilization == pytest.approx(GB / 2 / (10 * GB) / 0.201, rel=1e-12)


def test_a_leg_within_an_endpoint_crosses_its_disks_only() -> None:
    clock = Clock()
    net = fabric(clock)
    disks = net.add_resource("disks", "disk", 5 * GB)
    route = net.legs([Leg(0, 0, 1.0, target_resource=disks)])
    assert route.links.tolist() == [disks]
    assert route.latency_s == 0.0


def test_a_cancelled_owner_leaves_its_bytes_booked_and_the_links_free() -> None:
    # a moves 5 GB/s x 0.1 s before it dies; b then has the card alone: 0.5 GB by 0.1 s, 0.5 GB more at 10 GB/s.
    clock = Clock()
    net = fabric(clock, hop_latency_s=0.0)
    dead = net.transfer(net.between((0, 0), (3, 0)), GB, "a")
    late = net.transfer(net.between((0, 0), (3, 0)), GB, "a", latency_s=0.12)
    done = net.transfer(net.between((1, 0), (3, 0)), GB, "b")
    clock.call_at(0.1, lambda: net.cancel("a"))
    clock.run(done)
    assert clock.now == pytest.approx(0.15, rel=1e-12)
    clock.run(1.0)
    assert not dead.triggered
    assert not late.triggered
    assert net.received_bytes == pytest.approx(1.5 * GB, rel=1e-12)
    assert net.sent_bytes == pytest.approx(1.5 * GB, rel=1e-12)
    assert not net.loads.values.any()
    assert not net.busy(net.between((0, 0), (3, 0)).links, "b")


def test_what_was_solved_once_is_remembered() -> None:
    clock = Clock()
    net = fabric(clock)
    route = net.all_reduce([(s, a) for s in range(4) for a in range(2)])

    def steps():  # type: ignore[no-untyped-def]
        for _ in range(50):
            yield net.transfer(route, GB, "a")

    clock.run(clock.process(steps()))
    assert net.solves == 1
    assert clock.now == pytest.approx(50 * (route.latency_s + GB / net.alone_rate(route)), rel=1e-12)


def test_tiny_transfers_late_in_a_long_run_end() -> None:
    clock = Clock()
    net = fabric(clock)
    ends = finish(clock, net, *[(1e7, net.between((0, 0), (3, 0)), 7.0 + i, "a") for i in range(5)])
    assert all(1e7 <= end < 1e7 + 2e-3 for end in ends)
    assert net.sent_bytes == pytest.approx(7 + 8 + 9 + 10 + 11)


def test_resources_come_before_traffic() -> None:
    net = fabric(Clock())
    net.loads  # noqa: B018
    with pytest.raises(RunError, match="already in use"):
        net.add_resource("disks", "disk", 1.0)


def test_every_link_has_a_tier_and_positive_capacity() -> None:
    net = fabric(Clock(), efficiency=0.5, oversubscription=4.0)
    tiers = net.tiers
    assert set(tiers) == {"host", "edge", "core", "nvlink"}
    assert sum(len(links) for links in tiers.values()) == len(net.capacities)
    assert np.all(net.capacities[tiers["host"]] == 5 * GB)
    assert np.all(net.capacities[tiers["edge"]] == 1.25 * GB)
    assert np.all(net.capacities[tiers["nvlink"]] == 40 * GB)


@pytest.mark.parametrize("policy", ["ecmp", "d-mod-k", "adaptive"])
def test_a_connection_takes_the_cards_of_both_its_ends(policy: Policy) -> None:
    """From the last of four cards of one endpoint to the second of two of another, and back."""
    endpoints = (Endpoint("train/0", 4, GB), Endpoint("storage/0", 2, GB), Endpoint("storage/1", 2, GB))
    net = Fabric(Clock(), FabricLayout(endpoints, GB, radix=4, policy=policy), Streams(1))
    names = [row.link for row in net.link_table()]
    routes = net.connections([(0, 0, 3), (1, 0, 1)], [(1, 0, 1), (0, 0, 3)])
    wanted = {"train/0 nic 3 out", "storage/0 nic 1 in"}, {"storage/0 nic 1 out", "train/0 nic 3 in"}
    for number, ends in enumerate(wanted):
        links = routes.links[routes.starts[number] : routes.starts[number + 1]].tolist()
        assert {names[link] for link in links if " nic " in names[link]} == ends
