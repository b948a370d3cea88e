"""The topology that a scenario asks for."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

from dcsim.catalogue.parts import Switch
from dcsim.network.topologies.base import Topology
from dcsim.network.topologies.dragonfly import Dragonfly
from dcsim.network.topologies.dual_plane import DualPlane
from dcsim.network.topologies.graph_file import GraphFile
from dcsim.network.topologies.leaf_spine import LeafSpine
from dcsim.network.topologies.nvlink_domain import NvlinkDomain
from dcsim.network.topologies.pcie_tree import PcieTree
from dcsim.network.topologies.rail_optimized import RailOptimized
from dcsim.network.topologies.three_layer import ThreeLayer
from dcsim.network.topologies.torus import Torus
from dcsim.network.topologies.wan import Wan, WanLink
from dcsim.scenario import topologies as keys
from dcsim.scenario.fabric import Network


def topology(network: Network, switch: Switch, folder: Path) -> Topology | None:
    """Return the topology of ``network``, None for a fat-tree, which is held in closed form.

    ``folder`` is the scenario's, where its other files lie.
    """
    radix, over = network.radix or switch.ports, network.oversubscription
    match network.wires:
        case keys.Clos(kind="leaf-spine"):
            return LeafSpine(radix, over)
        case keys.ThreeLayer(aggregations=count):
            return ThreeLayer(radix, over, (network.core_oversubscription or over) / over, count)
        case keys.RailOptimized(spine=spine, rails=rails):
            return RailOptimized(radix, over, spine, rails)
        case keys.DualPlane(rails=rails):
            return DualPlane(radix, over, rails)
        case keys.Torus(sizes=sizes, dimensions=dimensions, twist=twist):
            return Torus(sizes or (), dimensions, twist)
        case keys.Dragonfly() as asked:
            return _dragonfly(asked, radix)
        case other:
            return _special(other, radix, over, folder)


def _special(asked: keys.TopologyKeys, radix: int, over: float, folder: Path) -> Topology | None:
    match asked:
        case keys.NvlinkDomain(size=size, switches=switches):
            return NvlinkDomain(size, switches)
        case keys.PcieTree(devices=devices, switches=switches, sockets=sockets, between_sockets=between):
            return PcieTree(devices, sockets, switches, between)
        case keys.Wan() as wan:
            return Wan(radix, tuple((site.name, site.servers) for site in wan.sites), _wan_links(wan), over)
        case keys.GraphFile(file=file):
            return GraphFile(folder / file)
    return None


def _dragonfly(asked: keys.Dragonfly, radix: int) -> Dragonfly:
    balanced = Dragonfly.balanced(radix)
    hosts = asked.hosts or balanced.hosts_per_router
    return Dragonfly(hosts, asked.routers or 2 * hosts, asked.globals or hosts, asked.groups, radix)


def _wan_links(wan: keys.Wan) -> tuple[WanLink, ...]:
    """Return the links that are there, by default one between every two sites."""
    if not wan.links:
        return tuple(WanLink(pair, wan.rate, wan.latency) for pair in combinations([s.name for s in wan.sites], 2))
    return tuple(
        WanLink(
            (link.between[0], link.between[1]),
            wan.rate if link.rate is None else link.rate,
            wan.latency if link.latency is None else link.latency,
        )
        for link in wan.links
    )
