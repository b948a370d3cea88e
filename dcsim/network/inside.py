"""The inside of a catalogue's server as a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.catalogue.parts import Link, Server
from dcsim.network.topologies.server import Rates, ServerInside

if TYPE_CHECKING:
    from dcsim.catalogue.shelf import Shelf


def told(server: Server) -> bool:
    """Return whether ``server`` tells of its inside.

    It does by its fields sockets, pcie_switches and pcie, and socket_link with several sockets. Its accelerators meet
    over PCIe if its link is of the same type, and otherwise over links of their own, which have switches if it has
    nvswitches.
    """
    return not missing(server) and server.sockets is not None


def missing(server: Server) -> list[str]:
    """Return the fields that a server which tells a part of its inside lacks, none where it tells all or nothing."""
    needed = ["sockets", "pcie_switches", "pcie"]
    if any(getattr(server, field) is not None for field in (*needed, "socket_link")):
        needed += ["socket_link"] if (server.sockets or 0) > 1 else []
        return [field for field in needed if getattr(server, field) is None]
    return []


def inside(server: Server, shelf: Shelf) -> ServerInside | None:
    """Return what ``server`` has inside, its links looked up on ``shelf``; None where the part does not tell."""
    sockets, switches = server.sockets, server.pcie_switches
    if not told(server) or sockets is None or switches is None:
        return None
    nvswitches = server.nvswitches if server.link is not None else None
    rates = Rates(
        nvlink=_rate(shelf, server.link) if nvswitches else 0.0,
        pcie=_rate(shelf, server.pcie),
        socket=_rate(shelf, server.socket_link),
        nic=server.nic_rate,
    )
    return ServerInside(
        server.accelerators, server.rank_nics, sockets, switches, nvswitches or 0, rates, server.storage_nics or 0
    )


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
