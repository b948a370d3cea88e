"""What a network takes in switches, cables and transceivers, and what collisions leave of its rate."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.network.collisions import kept_shares
from dcsim.network.equipment import Equipment, equipment
from dcsim.network.layout import Endpoint, FabricLayout, InnerLink
from dcsim.network.routing import Policy
from dcsim.network.topologies.base import Cards, Topology
from dcsim.network.topologies.dual_plane import DualPlane
from dcsim.network.topologies.leaf_spine import LeafSpine
from dcsim.network.topologies.nvlink_domain import NvlinkDomain
from dcsim.network.topologies.rail_optimized import RailOptimized
from dcsim.network.topologies.torus import Torus
from dcsim.network.topology import fat_tree
from dcsim.network.tree import freeze
from dcsim.network.wiring import wire


@pytest.mark.parametrize(
    ("topology", "hosts", "expected"),
    [
        # 4 leaves of 32 hosts and 32 uplinks on 2 spines: 128 + 128 cables.
        (LeafSpine(64), 128, Equipment(6, 256, 512)),
        # The routers are in the chips: 3 cables a chip.
        (Torus((4, 4, 4)), 64, Equipment(0, 192, 384)),
        # Copper: 8 cards x 2 switches.
        (NvlinkDomain(8, 2), 8, Equipment(2, 16, 0)),
        # Two cables a card; a plane has 4 top-of-rack switches of 4 uplinks on 2 spines.
        (DualPlane(8), 32, Equipment(12, 64 + 32, 2 * 96)),
    ],
)
def test_equipment_of_graphs(topology: Topology, hosts: int, expected: Equipment) -> None:
    each = 2 if isinstance(topology, DualPlane) else 1
    assert equipment(wire(topology.graph(Cards.alike(hosts // each, each, 1.0))), 64) == expected


def test_equipment_of_a_tree_is_counted_by_ports() -> None:
    # k = 4: 16 host cables and 2 x 16 between switches: 16 + 64 ports of 10 a switch.
    assert equipment(freeze(fat_tree(16, 1.0)), 10) == Equipment(8, 48, 96)


def layout(topology: Topology, policy: Policy = "ecmp") -> FabricLayout:
    endpoints = tuple(Endpoint(f"train/{i}", 2, 10.0, 2, InnerLink(1000.0, 0.0)) for i in range(4))
    return FabricLayout(endpoints, 10.0, topology=topology, policy=policy)


RANKS = [(server, accelerator) for server in range(4) for accelerator in range(2)]


def test_rails_of_one_unit_and_spraying_lose_nothing() -> None:
    assert kept_shares(layout(RailOptimized(8), "rail-local"), RANKS, range(5)).tolist() == [1.0] * 5
    # One server a leaf of 4 ports: 2 hosts, 2 uplinks, both used evenly.
    assert kept_shares(layout(LeafSpine(4), "adaptive"), RANKS, range(5)) == pytest.approx([1.0] * 5)


def test_connections_that_meet_share_and_more_queue_pairs_meet_less() -> None:
    """One server a leaf of 2 uplinks: two connections take the same one in half of the draws, and then get half."""
    net = layout(LeafSpine(4))
    one = kept_shares(net, RANKS, range(60))
    assert set(np.round(one, 9)) <= {0.5, 1.0}
    # 8 leaf directions of two connections each: all apart with probability 2^-8.
    assert one.mean() < 0.55
    many = kept_shares(net, RANKS, range(20), 64)
    assert many.mean() > 0.75


def test_oversubscription_costs_its_ratio_where_every_link_is_crossed() -> None:
    # 3:1 of radix 4: 3 hosts, 1 uplink a leaf; the ring of a server a leaf would need two.
    endpoints = tuple(Endpoint(f"train/{i}", 3, 10.0, 3, InnerLink(1000.0, 0.0)) for i in range(3))
    net = FabricLayout(endpoints, 10.0, topology=LeafSpine(4, 3.0))
    ranks = [(server, accelerator) for server in range(3) for accelerator in range(3)]
    assert kept_shares(net, ranks, [1]).tolist() == pytest.approx([1 / 3])
