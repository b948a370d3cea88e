"""The inside of a catalogue's server as a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.catalogue.parts import Link, Server
from dcsim.network.topologies.server import Rates, ServerInside

if TYPE_CHECKING:
    from dcsim.catalogue.shelf import Shelf


def inside(server: Server, shelf: Shelf) -> ServerInside | None:
    """Return what ``server`` has inside, its links looked up on ``shelf``; None where the part does not tell.

    A part tells by its fields sockets, pcie_switches and pcie, and socket_link with several sockets; without nvswitches
    accelerators meet over PCIe only.
    """
    sockets, switches = server.sockets, server.pcie_switches
    if sockets is None or switches is None or server.pcie is None or (sockets > 1 and server.socket_link is None):
        return None
    nvswitches = server.nvswitches if server.link is not None else None
    rates = Rates(
        nvlink=_rate(shelf, server.link) if nvswitches else 0.0,
        pcie=_rate(shelf, server.pcie),
        socket=_rate(shelf, server.socket_link),
        nic=server.nic_rate,
    )
    return ServerInside(server.accelerators, server.nics, sockets, switches, nvswitches or 0, rates)


def _rate(shelf: Shelf, link: str | None) -> float:
    return 0.0 if link is None else shelf.take(Link, link).rate


def nearest_cards(of: ServerInside) -> list[list[int]]:
    """Return the cards with the fewest links to each accelerator, NVLink not counted: those of its PCIe switch."""
    import networkx as nx

    graph = of.graph()
    host = graph.edge_subgraph([ends for ends in graph.edges if graph.edges[ends]["tier"] != "nvlink"])
    found = []
    for gpu in range(of.accelerators):
        hops = nx.single_source_shortest_path_length(host, f"gpu {gpu}")
        away = [hops[f"nic {card}"] for card in range(of.nics)]
        found.append([card for card, links in enumerate(away) if links == min(away)])
    return found
