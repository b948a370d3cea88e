"""What a hop takes by the switches and cables on its way, against hop - 5 s + n s + (n + 1) c."""

from __future__ import annotations

from typing import Any

import pytest

from dcsim.engine import Clock, Streams
from dcsim.network.fabric import Fabric
from dcsim.network.layout import Endpoint, FabricLayout, InnerLink
from dcsim.network.topologies.base import Topology
from dcsim.network.topologies.dual_plane import DualPlane
from dcsim.network.topologies.leaf_spine import LeafSpine
from dcsim.network.topologies.torus import Torus

GB = 1e9
HOP, SWITCH, CABLE = 4e-6, 0.3e-6, 0.05e-6
ADAPTIVE, ECMP = "adaptive", "ecmp"


def hop_s(switches: int) -> float:
    return HOP - 5 * SWITCH + switches * SWITCH + (switches + 1) * CABLE


def fabric(servers: int, topology: Topology | None = None, radix: int | None = None, **more: Any) -> Fabric:
    """Servers of one card of 10 GB/s and two accelerators."""
    endpoints = tuple(Endpoint(f"train/{i}", 1, 10 * GB, 2, InnerLink(40 * GB, 1e-6)) for i in range(servers))
    kept = {"hop_latency_s": HOP, "switch_latency_s": SWITCH, "cable_latency_s": CABLE, "policy": ECMP} | more
    return Fabric(Clock(), FabricLayout(endpoints, 10 * GB, topology=topology, radix=radix, **kept), Streams(3))


def took_s(net: Fabric, source: int, target: int) -> float:
    """How long a kilobyte takes, but for the time of its bytes."""
    route = net.between((source, 0), (target, 0))
    net.clock.run(net.transfer(route, 1000.0, "a"))
    return net.clock.now - 1000.0 / net.alone_rate(route)


@pytest.mark.parametrize("policy", [ECMP, ADAPTIVE, "d-mod-k", "static"])
@pytest.mark.parametrize(("target", "switches"), [(1, 1), (2, 3), (4, 5)])
def test_a_flow_through_a_fat_tree_waits_for_one_three_or_five_switches(
    policy: str, target: int, switches: int
) -> None:
    # Radix 4: two hosts an edge switch, four a pod.
    net = fabric(16, radix=4, policy=policy)
    assert took_s(net, 0, target) == pytest.approx(hop_s(switches), rel=1e-9)
    assert net.connections([(0, 0, 0)], [(target, 0, 0)]).latency_s[0] == pytest.approx(hop_s(switches), rel=1e-9)


@pytest.mark.parametrize("policy", [ECMP, ADAPTIVE])
@pytest.mark.parametrize(
    ("topology", "target", "switches"),
    [
        (LeafSpine(8), 1, 1),  # four hosts a leaf
        (LeafSpine(8), 4, 3),
        (Torus((16, 1)), 1, 2),
        (Torus((16, 1)), 8, 9),
        (DualPlane(8), 1, 1),  # hosts of two cables hand nothing on
        (DualPlane(8), 8, 3),
    ],
    ids=str,
)
def test_a_flow_through_any_wiring_waits_for_its_switches(
    topology: Topology, target: int, switches: int, policy: str
) -> None:
    assert took_s(fabric(16, topology, policy=policy), 0, target) == pytest.approx(hop_s(switches), rel=1e-9)


@pytest.mark.parametrize(("servers", "switches"), [(2, 1), (4, 3), (8, 5)])
def test_a_ring_takes_its_rounds_times_its_longest_hop(servers: int, switches: int) -> None:
    # One rank a server: 2 (n-1) rounds, each as long as its farthest neighbors take.
    net = fabric(16, radix=4)
    route = net.all_reduce([(server, 0) for server in range(servers)])
    net.clock.run(net.transfer(route, 1000.0, "a"))
    alone = 1000.0 / net.alone_rate(route)
    assert net.clock.now - alone == pytest.approx(2 * (servers - 1) * hop_s(switches), rel=1e-9)
    assert route.latency_s == pytest.approx(2 * (servers - 1) * hop_s(switches), rel=1e-12)


def test_a_hop_never_takes_less_than_its_switches_when_they_are_slow() -> None:
    # Five deep-buffered switches of 2 us take longer than the hop of the catalogue: nothing is left before them.
    net = fabric(16, radix=4, switch_latency_s=2e-6, cable_latency_s=0.0)
    found = [net.between((0, 0), (target, 0)).latency_s for target in (1, 2, 4)]
    assert found == pytest.approx([2e-6, 6e-6, 10e-6], rel=1e-12)
