"""The topology that a scenario asks for."""

from __future__ import annotations

from dcsim.catalogue.parts import Switch
from dcsim.network.topologies.base import Topology
from dcsim.network.topologies.dragonfly import Dragonfly
from dcsim.network.topologies.leaf_spine import LeafSpine
from dcsim.network.topologies.rail_optimized import RailOptimized
from dcsim.network.topologies.torus import Torus
from dcsim.scenario import fabric as keys


def topology(network: keys.Network, switch: Switch) -> Topology | None:
    """Return the topology of ``network``, None for a fat-tree, which is held in closed form."""
    radix, over = network.radix or switch.ports, network.oversubscription
    match network.wires:
        case keys.Clos(kind="leaf-spine"):
            return LeafSpine(radix, over)
        case keys.RailOptimized(spine=spine, rails=rails):
            return RailOptimized(radix, over, spine, rails)
        case keys.Torus(sizes=sizes, dimensions=dimensions, twist=twist):
            return Torus(sizes or (), dimensions, twist)
        case keys.Dragonfly() as asked:
            return _dragonfly(asked, radix)
    return None


def _dragonfly(asked: keys.Dragonfly, radix: int) -> Dragonfly:
    balanced = Dragonfly.balanced(radix)
    hosts = asked.hosts or balanced.hosts_per_router
    return Dragonfly(hosts, asked.routers or 2 * hosts, asked.globals or hosts, asked.groups, radix)
