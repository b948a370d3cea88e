"""Links that die, slow down and come back under transfers, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.engine import Clock, Streams
from dcsim.network.fabric import Fabric
from dcsim.network.layout import Endpoint, FabricLayout
from dcsim.network.topologies.base import Topology
from dcsim.network.topology import TreeShape

GB = 1e9
# Two edge switches of two hosts each, joined by two aggregation switches; d-mod-k sends to host 2 by the first of them.
SHAPE = TreeShape(2, 2, 1, 2, 1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def net(clock: Clock) -> Fabric:
    return fabric(clock)


def fabric(clock: Clock, shape: TreeShape = SHAPE, topology: Topology | None = None, policy: str = "d-mod-k") -> Fabric:
    endpoints = tuple(Endpoint(f"train/{i}", 1, 10 * GB) for i in range(4))
    layout = FabricLayout(
        endpoints, 10 * GB, shape=shape, topology=topology, policy=policy, detection_s=0.1, stall_limit_s=5.0
    )  # type: ignore[arg-type]
    return Fabric(clock, layout, Streams(1))


def names(net: Fabric, links: np.ndarray) -> list[str]:
    return [net.loads.names[link] for link in links]


def ended_s(net: Fabric, source: int, target: int, size: float) -> list[float]:
    ends: list[float] = []
    done = net.transfer(net.between((source, 0), (target, 0)), size, "a")
    done.callbacks.append(lambda _: ends.append(net.clock.now))
    return ends


def test_cables_and_switches_go_by_the_names_of_the_link_table(net: Fabric) -> None:
    assert names(net, net.cable("edge 0.0 > agg 0.1")) == ["edge 0.0 > agg 0.1", "agg 0.1 > edge 0.0"]
    assert names(net, net.cable("train/2 nic 0 in")) == ["train/2 nic 0 out", "train/2 nic 0 in"]
    assert set(names(net, net.of_switch("edge 0.1"))) == {
        *(f"train/{i} nic 0 {direction}" for i in (2, 3) for direction in ("in", "out")),
        *(f"edge 0.1 > agg 0.{i}" for i in (0, 1)),
        *(f"agg 0.{i} > edge 0.1" for i in (0, 1)),
    }
    for missing in (net.cable, net.of_switch):
        with pytest.raises(KeyError):
            missing("core 7")


def test_a_transfer_goes_on_by_another_path_once_routing_knows(net: Fabric, clock: Clock) -> None:
    # 1 GB at 10 GB/s; the cable dies at 0.03 s with 0.7 GB left, routing knows at 0.13 s, the rest takes 0.07 s.
    ends = ended_s(net, 0, 2, GB)
    first = net.cable("edge 0.0 > agg 0.0")
    clock.call_at(0.03, lambda: net.outage.impair("fault", first, 0.0))
    clock.run(0.1)
    assert not net.loads.values.any()
    clock.run(1.0)
    assert ends == pytest.approx([0.2], rel=1e-12)
    moved = dict(zip(net.loads.names, net.loads.integrals.tolist(), strict=True))
    assert moved["edge 0.0 > agg 0.0"] == pytest.approx(0.3 * GB)
    assert moved["edge 0.0 > agg 0.1"] == pytest.approx(0.7 * GB)
    assert net.sent_bytes == pytest.approx(net.received_bytes, rel=1e-12)
    assert net.sent_bytes == pytest.approx(GB, rel=1e-12)


def test_a_transfer_that_has_not_begun_to_flow_takes_the_other_path(net: Fabric, clock: Clock) -> None:
    # Routing knows of the dead cable at 0.15 s, the latency is over at 0.2 s, 1 GB at 10 GB/s takes 0.1 s.
    ends: list[float] = []
    net.outage.impair("fault", net.cable("edge 0.0 > agg 0.0"), 0.0)
    clock.run(0.05)
    done = net.transfer(net.between((0, 0), (2, 0)), GB, "a", latency_s=0.15)
    done.callbacks.append(lambda _: ends.append(clock.now))
    clock.run(1.0)
    assert ends == pytest.approx([0.3], rel=1e-12)
    assert net.sent_bytes == pytest.approx(net.received_bytes, rel=1e-12)


def test_connections_come_back_when_the_cable_does(net: Fabric, clock: Clock) -> None:
    route = net.between((0, 0), (2, 0))
    net.outage.impair("fault", net.cable("edge 0.0 > agg 0.0"), 0.0)
    assert net.current(route) is route  # not known yet
    assert net.alone_rate(route) == 0.0
    clock.run(0.2)
    around = net.current(route)
    assert "edge 0.0 > agg 0.1" in names(net, around.links)
    assert net.alone_rate(around) == 10 * GB
    net.outage.restore("fault")
    clock.run(0.4)
    assert net.current(route) is route
    assert net.outage.state.value == 4.0


def test_without_another_path_it_stalls_until_the_repair(net: Fabric, clock: Clock) -> None:
    ends = ended_s(net, 0, 2, GB)
    clock.call_at(0.03, lambda: net.outage.impair("fault", net.cable("train/2 nic 0 in"), 0.0))
    clock.call_at(2.03, lambda: net.outage.restore("fault"))
    clock.run(9.0)
    assert ends == pytest.approx([2.1], rel=1e-12)
    assert net.sent_bytes == pytest.approx(net.received_bytes, rel=1e-12)


def test_who_stands_still_too_long_is_told_why(net: Fabric, clock: Clock) -> None:
    told: list[tuple[float, str, str]] = []
    net.give_up(lambda owner, link: told.append((clock.now, owner, link)))
    ended_s(net, 0, 2, GB)
    others = ended_s(net, 1, 3, GB)
    clock.call_at(0.03, lambda: net.outage.impair("fault", net.cable("train/2 nic 0 in"), 0.0))
    clock.call_at(5.5, lambda: net.cancel("a"))
    clock.run(20.0)
    assert others == pytest.approx([0.1])
    assert told == [(pytest.approx(5.03), "a", "train/2 nic 0 in")]


def test_a_slow_cable_slows_what_crosses_it_and_no_one_reroutes(net: Fabric, clock: Clock) -> None:
    # 0.5 GB by 0.05 s; then 2.5 GB/s for the other half: 0.2 s more.
    ends = ended_s(net, 0, 2, GB)
    clock.call_at(0.05, lambda: net.outage.impair("fault", net.cable("edge 0.0 > agg 0.0"), 0.25))
    clock.run(1.0)
    assert ends == pytest.approx([0.25], rel=1e-12)


def test_of_two_causes_the_worse_holds_until_it_is_over(net: Fabric, clock: Clock) -> None:
    cable, route = net.cable("edge 0.0 > agg 0.0"), net.between((0, 0), (2, 0))
    net.outage.impair("one", cable, 0.5)
    net.outage.impair("two", cable, 0.2)
    assert net.alone_rate(route) == pytest.approx(2 * GB)
    net.outage.restore("two")
    assert net.alone_rate(route) == pytest.approx(5 * GB)
    net.outage.restore("one")
    assert net.alone_rate(route) == 10 * GB


def test_many_flows_at_once_are_moved_too(net: Fabric, clock: Clock) -> None:
    # Two flows into different cards by the same first aggregation switch: hosts 2 and, from below, 0.
    routes = net.connections([(0, 0, 0), (3, 0, 0)], [(2, 0, 0), (0, 0, 0)])
    done = net.transfers(routes, np.array([GB, GB]), "all")
    clock.call_at(0.03, lambda: net.outage.impair("fault", net.of_switch("agg 0.0"), 0.0))
    clock.run(done)
    assert clock.now == pytest.approx(0.2, rel=1e-12)
    assert net.sent_bytes == pytest.approx(2 * GB, rel=1e-12)
    assert net.received_bytes == pytest.approx(2 * GB, rel=1e-12)


def test_hashed_connections_spread_over_the_choices_that_survive(clock: Clock) -> None:
    net = fabric(clock, TreeShape(2, 2, 1, 8, 1), policy="ecmp")
    places = [(0, 0, 0)] * 400, [(2, 0, 0)] * 400
    before = net.connections(*places)
    net.outage.impair("fault", net.of_switch("agg 0.3"), 0.0)
    clock.run(0.2)
    after = net.connections(*places)
    dead = set(net.of_switch("agg 0.3").tolist())
    paths = [routes.links.reshape(400, 4) for routes in (before, after)]
    moved = np.array([bool(dead.intersection(path)) for path in paths[0].tolist()])
    assert 20 < moved.sum() < 90  # an eighth of them, about
    assert np.array_equal(paths[0][~moved], paths[1][~moved])
    used = {net.loads.names[link] for link in paths[1][moved][:, 1]}
    assert used == {f"edge 0.0 > agg 0.{i}" for i in range(8) if i != 3}
