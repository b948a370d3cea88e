"""What joins the ranks of a job, from the names of catalogue parts."""

from __future__ import annotations

from typing import Final, Literal

from dcsim.catalogue import Shelf
from dcsim.catalogue.fabrics import GpuFabric, NetworkFabric
from dcsim.catalogue.parts import Link, Server
from dcsim.network.collectives.setting import Interconnect

NetworkKind = Literal["infiniband", "roce", "efa-v1", "efa-v2", "ethernet"]
_GENERIC: Final = "generic"


def gpu_fabric(shelf: Shelf, link: str | None) -> GpuFabric:
    """Return what libraries reach on a kind of link; that of any switched links where it was never measured."""
    known = shelf.names("gpu-fabrics")
    return shelf.take(GpuFabric, link if link in known else _GENERIC)


def of_server(shelf: Shelf, server: Server, ranks: int, network: NetworkKind = "infiniband") -> Interconnect:
    """Return what joins ``ranks`` ranks a server, each with its share of the network cards.

    The rate inside is that of the server's own link, which may be one that ``gpu_fabric`` knows nothing of.
    """
    rate = shelf.take(Link, server.link).rate if server.link else 0.0
    return Interconnect(
        gpu=gpu_fabric(shelf, server.link),
        network=shelf.take(NetworkFabric, network),
        network_rate=server.rank_nics * server.nic_rate / ranks,
        gpu_rate=rate,
    )
