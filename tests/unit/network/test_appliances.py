"""Boxes on the way between pools, and how long links were full."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.engine import Clock, Streams
from dcsim.network.appliances import Appliance
from dcsim.network.fabric import Fabric
from dcsim.network.layout import Endpoint, FabricLayout
from dcsim.network.route import Leg
from dcsim.network.topologies.leaf_spine import LeafSpine
from dcsim.scenario.fabric import Appliance as Keys

GB = 1e9
WALL = Appliance("wall", "firewall", 2 * GB, 1e-3, ("train", "storage"))


def fabric(clock: Clock, *appliances: Appliance, tree: bool = True) -> Fabric:
    names = ("train/0", "train/1", "storage/0")
    endpoints = tuple(Endpoint(name, 1, 10 * GB) for name in names)
    topology = None if tree else LeafSpine(4)
    return Fabric(clock, FabricLayout(endpoints, 10 * GB, topology=topology, appliances=appliances), Streams(3))


def finish(clock: Clock, net: Fabric, *transfers: tuple[float, object, float, str]) -> list[float]:
    ends = [0.0] * len(transfers)

    def one(i: int, start: float, route: object, size: float, owner: str):  # type: ignore[no-untyped-def]
        yield clock.timeout(start)
        yield net.transfer(route, size, owner)  # type: ignore[arg-type]
        ends[i] = clock.now

    clock.run(clock.all_of([clock.process(one(i, *t)) for i, t in enumerate(transfers)]))  # type: ignore[misc]
    return ends


@pytest.mark.parametrize("tree", [True, False])
def test_what_goes_to_storage_passes_the_wall(tree: bool) -> None:
    # 1 GB over a wall of 2 GB/s takes 0.5 s and its latency; between servers nothing is in the way.
    clock = Clock()
    net = fabric(clock, WALL, tree=tree)
    out, back = net.legs([Leg(0, 2, 1.0)]), net.between((2, 0), (1, 0))
    assert net.alone_rate(out) == net.alone_rate(back) == 2 * GB
    assert net.alone_rate(net.between((0, 0), (1, 0))) == 10 * GB
    assert out.latency_s == back.latency_s == 1e-3
    assert finish(clock, net, (0.0, out, 1 * GB, "a")) == pytest.approx([0.501])


def test_both_directions_share_it_and_boxes_add_up() -> None:
    clock = Clock()
    sensor = Appliance("sensor", "intrusion-detection", 1 * GB, 2e-3, ("storage", "train"))
    net = fabric(clock, WALL, sensor)
    ends = finish(clock, net, (0.0, net.between((0, 0), (2, 0)), GB, "a"), (0.0, net.between((2, 0), (1, 0)), GB, "b"))
    assert ends == pytest.approx([2.003, 2.003])
    (row,) = [row for row in net.link_table() if row.link == "sensor"]
    assert (row.tier, row.bytes) == ("intrusion-detection", pytest.approx(2 * GB))
    paths = net._planner._router.paths(np.array([0, 0]), np.array([1, 2]))
    assert net._planner._router.delays_s(paths) == pytest.approx([0.0, 3e-3])


def test_small_packets_bound_a_box_by_their_number() -> None:
    # 1 Mpacket/s of 1,500 B are 1.5 GB/s, less than 100 Gbit/s.
    keys = {"name": "w", "kind": "firewall", "between": ["a", "b"], "rate": "100 Gbit/s"}
    assert Keys.model_validate(keys).bound == 12.5e9
    assert Keys.model_validate(keys | {"packets": "1 Mpacket/s", "packet": "1500 B"}).bound == pytest.approx(1.5e9)


def test_links_are_full_while_a_flow_has_them_alone() -> None:
    """2 GB at 10 GB/s from 0.1 s on fill both cards for 0.2 s; two flows into one card from 1 s on, 0.4 s."""
    clock = Clock()
    net = fabric(clock)
    assert net.saturation.seconds.tolist() == [0.0] * len(net.capacities)
    finish(
        clock,
        net,
        (0.1, net.between((0, 0), (1, 0)), 2 * GB, "a"),
        (1.0, net.between((0, 0), (2, 0)), 2 * GB, "a"),
        (1.0, net.between((1, 0), (2, 0)), 2 * GB, "b"),
        (2.0, net.between((1, 0), (2, 0)), 0.0, "b"),
    )
    full = {row.link: row.saturated_s for row in net.link_table()}
    assert full["train/0 nic 0 out"] == pytest.approx(0.2)
    assert full["train/1 nic 0 in"] == pytest.approx(0.2)
    assert full["storage/0 nic 0 in"] == pytest.approx(0.4)
    assert full["train/1 nic 0 out"] == 0.0
    tiers = {row.tier: row for row in net.tier_table()}
    assert tiers["host"].saturated_s == pytest.approx(0.4)
    assert (tiers["host"].low, tiers["host"].low_count, tiers["host"].links) == ("host", 3, 6)
    net.saturation.credit(np.array([0]), np.array([1e9]))
    assert net.saturation.seconds[0] == clock.now  # never more than there was
