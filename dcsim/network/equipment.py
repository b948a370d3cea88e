"""What a network is made of: the counts that its price and power follow from."""

from __future__ import annotations

from dataclasses import dataclass

from dcsim.network.tree import Tree
from dcsim.network.wiring import Wiring


@dataclass(frozen=True, slots=True)
class Equipment:
    """Switches, cables (those of hosts included) and the transceivers at their ends, none at ends of copper."""

    switches: int
    cables: int
    transceivers: int


def equipment(wiring: Tree | Wiring, ports: int) -> Equipment:
    """Return what ``wiring`` takes in switches of ``ports`` ports.

    A switch has more ports than a small fat-tree needs at one node, so it serves as several: ports in use over ports.
    Other topologies state their switches themselves.
    """
    if isinstance(wiring, Wiring):
        return Equipment(wiring.switches, wiring.cables, wiring.transceivers)
    between = wiring.shape.edge_cables + wiring.shape.core_cables
    cables = wiring.hosts + between
    return Equipment(-(-(wiring.hosts + 2 * between) // ports), cables, 2 * cables)
