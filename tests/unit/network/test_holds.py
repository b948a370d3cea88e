"""Fast-forwarding owners: holds, who is told when, and what is booked."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.engine import Clock, Streams
from dcsim.errors import RunError
from dcsim.network.fabric import Fabric
from dcsim.network.hold import Hold, union
from dcsim.network.layout import Endpoint, FabricLayout
from dcsim.network.load import pieces
from dcsim.network.route import Route

GB = 1e9


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def net(clock: Clock) -> Fabric:
    """Eight servers of one card of 10 GB/s, no latency."""
    endpoints = tuple(Endpoint(f"train/{i}", 1, 10 * GB) for i in range(8))
    return Fabric(clock, FabricLayout(endpoints, 10 * GB, policy="d-mod-k"), Streams(3))


def hold(net: Fabric, owner: str, route: Route, told: list[tuple[str, float]] | None = None) -> Hold:
    loads = route.links, np.full(len(route.links), 4 * GB)
    return net.hold(
        owner, route.links, loads, lambda: (told if told is not None else []).append((owner, net.clock.now))
    )


def test_a_hold_loads_its_links_and_books_the_mean(clock: Clock, net: Fabric) -> None:
    route = net.between((0, 0), (4, 0))
    held = hold(net, "a", route)
    assert np.all(net.loads.values[route.links] == 4 * GB)
    clock.run(2.0)
    assert net.sent_bytes == pytest.approx(8 * GB)  # 4 GB/s for 2 s, still held
    held.release()
    held.release()  # does nothing more
    assert not net.loads.values.any()
    clock.run(3.0)
    assert np.all(net.loads.integrals[route.links] == pytest.approx(8 * GB))
    assert net.sent_bytes == pytest.approx(net.received_bytes, rel=1e-12)


def test_a_released_hold_books_the_exact_bytes(clock: Clock, net: Fabric) -> None:
    route = net.between((0, 0), (4, 0))
    held = hold(net, "a", route)
    clock.run(2.0)
    held.release((route.links, np.full(len(route.links), 7 * GB)))
    assert np.all(net.loads.integrals[route.links] == pytest.approx(7 * GB))
    assert net.sent_bytes == pytest.approx(7 * GB)
    assert net.received_bytes == pytest.approx(7 * GB)


def test_busy_sees_foreign_holds_and_flows_only_on_shared_links(clock: Clock, net: Fabric) -> None:
    route, elsewhere, crossing = net.between((0, 0), (4, 0)), net.between((1, 0), (5, 0)), net.between((2, 0), (4, 0))
    assert not net.busy(union([route.links, elsewhere.links]), "a")
    held = hold(net, "a", route)
    assert not net.busy(route.links, "a")
    assert net.busy(route.links, "b")
    assert net.busy(union([elsewhere.links, crossing.links]), "b")  # into the same card
    assert not net.busy(elsewhere.links, "b")
    held.release()
    net.transfer(route, GB, "a", latency_s=1.0)
    assert not net.busy(route.links, "a")
    assert net.busy(crossing.links, "b")  # though its latency is not over
    clock.run(2.0)
    assert not net.busy(crossing.links, "b")


def test_busy_links_cannot_be_held(net: Fabric) -> None:
    route = net.between((0, 0), (4, 0))
    net.transfer(route, GB, "a")
    with pytest.raises(RunError, match="others are busy"):
        hold(net, "b", route)


def test_a_touched_holder_becomes_a_flow_at_the_same_instant(clock: Clock, net: Fabric) -> None:
    # a fast-forwards 4 GB/s into card 4. At 1 s b starts 5 GB into it; a turns its 5 GB in flight into a transfer:
    # both share 10 GB/s from that instant and end at 2 s.
    route, other = net.between((0, 0), (4, 0)), net.between((1, 0), (4, 0))
    ends: dict[str, float] = {}
    rates: list[float] = []

    def follow(owner: str, way: Route) -> None:
        def ended(_: object) -> None:
            ends[owner] = clock.now

        net.transfer(way, 5 * GB, owner, latency_s=0.0).callbacks.append(ended)

    def touched() -> None:
        assert net.busy(route.links, "a")  # the flow that touches is already there
        held.release((route.links, np.full(len(route.links), 4 * GB)))
        follow("a", route)

    held = net.hold("a", route.links, (route.links, np.full(len(route.links), 4 * GB)), touched)
    clock.call_at(1.0, lambda: follow("b", other))
    clock.call_at(1.5, lambda: rates.append(float(net.loads.values[route.links[-1]])))
    clock.run(5.0)
    assert ends == pytest.approx({"a": 2.0, "b": 2.0}, rel=1e-12)
    assert net.solves == 1
    assert net.loads.integrals.max() == pytest.approx(14 * GB, rel=1e-12)
    assert net.sent_bytes == pytest.approx(net.received_bytes, rel=1e-12)


def test_only_holders_of_the_links_are_told_and_once(clock: Clock, net: Fabric) -> None:
    told: list[tuple[str, float]] = []
    near, far = net.between((0, 0), (4, 0)), net.between((1, 0), (5, 0))
    hold(net, "a", near, told)
    hold(net, "b", far, told)
    net.transfer(near, 1.0, "a")
    clock.run(1.0)
    assert told == []
    net.transfer(net.between((2, 0), (4, 0)), GB, "c", latency_s=0.5)
    net.transfer(net.between((3, 0), (4, 0)), GB, "c", latency_s=0.6)
    clock.run(3.0)
    assert told == [("a", 1.5)]


def test_holds_of_one_owner_may_overlap(clock: Clock, net: Fabric) -> None:
    route = net.between((0, 0), (4, 0))
    first, second = hold(net, "a", route), hold(net, "a", route)
    assert np.all(net.loads.values[route.links] == 8 * GB)
    first.release()
    assert np.all(net.loads.values[route.links] == 4 * GB)
    assert net.busy(route.links, "b")
    second.release()
    assert not net.busy(route.links, "b")
    assert not net.loads.values.any()


def test_cancel_ends_holds_too(clock: Clock, net: Fabric) -> None:
    route = net.between((0, 0), (4, 0))
    held = hold(net, "a", route)
    clock.run(1.0)
    net.cancel("a")
    assert not held.active
    assert not net.busy(route.links, "b")
    assert net.sent_bytes == pytest.approx(4 * GB)


def test_a_hold_that_ends_leaves_others_of_its_owner_as_they_are(clock: Clock, net: Fabric) -> None:
    # 4 GB/s by the first for 1 s and by the second for 3 s; they share the card of server 0.
    first, second = hold(net, "a", net.between((0, 0), (4, 0))), hold(net, "a", net.between((0, 0), (5, 0)))
    clock.run(1.0)
    first.release()
    clock.run(3.0)
    second.release()
    clock.run(4.0)
    assert net.sent_bytes == pytest.approx(16 * GB, rel=1e-12)
    assert net.received_bytes == pytest.approx(16 * GB, rel=1e-12)


def test_neighbors_are_reached_together() -> None:
    where = np.concatenate([np.arange(5, 3000), np.arange(4000, 7000)])
    assert pieces(where) == [slice(5, 3000), slice(4000, 7000)]
    scattered = np.arange(0, 6000, 2)
    for few in (scattered, np.arange(10)):
        (same,) = pieces(few)
        assert same is few
