"""Inside a server: accelerators on NVSwitches, and with network cards under PCIe switches under processor sockets.

Every accelerator has an equal part of its NVLink rate to each NVSwitch. PCIe switches have equal shares of accelerators
and cards, in order, and sockets have equal shares of PCIe switches; a switch's uplink is as fast as one device. Rates
are line rates in one direction; what protocols leave of them is the efficiency of the kind of link.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from dcsim.network.topologies.base import MisfitError

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, slots=True)
class Rates:
    """Line rates in one direction [B/s]: an accelerator's NVLink, a device's PCIe link, between sockets, of a card."""

    nvlink: float
    pcie: float
    socket: float
    nic: float


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """A server's inside in closed form.

    Attributes
    ----------
    nodes, links
        Of the graph.
    nvlink_bisection_bytes_per_s, pcie_bisection_bytes_per_s
        The least capacity from the first half of the accelerators to the second over NVSwitches and over PCIe [B/s].
    disjoint_paths
        Paths without a common link between two accelerators: one over each NVSwitch and one over PCIe.
    card_bytes_per_s
        From an accelerator to a card under its switch [B/s].
    alone_bytes_per_s, together_bytes_per_s
        From a socket's memory to one of its accelerators, with the others idle and with all reading at once [B/s].
    """

    nodes: int
    links: int
    nvlink_bisection_bytes_per_s: float
    pcie_bisection_bytes_per_s: float
    disjoint_paths: int
    card_bytes_per_s: float
    alone_bytes_per_s: float
    together_bytes_per_s: float


@dataclass(frozen=True, slots=True)
class ServerInside:
    """How many of what is in a server, and how fast it is joined.

    ``storage_nics`` are cards for storage traffic alone, numbered after the others and dealt out over the sockets.
    """

    accelerators: int
    nics: int
    sockets: int
    pcie_switches: int
    nvswitches: int
    rates: Rates
    storage_nics: int = 0

    def check(self) -> None:
        """Raise :class:`MisfitError` unless every switch and socket has an equal share."""
        for key, count, by in (
            ("accelerators", self.accelerators, self.pcie_switches),
            ("nics", self.nics, self.pcie_switches),
            ("pcie_switches", self.pcie_switches, self.sockets),
        ):
            if count % by:
                raise MisfitError(key, str(count), f"a multiple of {by}, so that every part above has an equal share")

    def facts(self) -> ServerFacts:
        """Return the closed forms; raises :class:`MisfitError` as :meth:`check` does.

        The bisections are of an even number of accelerators, of PCIe switches (or one) and of sockets (or one).
        """
        self.check()
        n, switches, sockets, rates = self.accelerators, self.pcie_switches, self.sockets, self.rates
        uplinks = switches // 2 * rates.pcie if switches > 1 else inf
        between = (sockets // 2) ** 2 * rates.socket if sockets > 1 else inf
        return ServerFacts(
            nodes=n + self.nics + self.storage_nics + sockets + switches + self.nvswitches,
            links=n * (self.nvswitches + 1) + self.nics + self.storage_nics + switches + sockets * (sockets - 1) // 2,
            nvlink_bisection_bytes_per_s=n // 2 * rates.nvlink if self.nvswitches else 0.0,
            pcie_bisection_bytes_per_s=min(n // 2 * rates.pcie, uplinks, between),
            disjoint_paths=self.nvswitches + 1,
            card_bytes_per_s=min(rates.pcie, rates.nic),
            alone_bytes_per_s=rates.pcie,
            together_bytes_per_s=rates.pcie * switches / n,
        )

    def graph(self) -> nx.Graph[str]:
        """Return the graph: nodes have ``kind``, links ``tier`` (nvlink, pcie, socket) and ``capacity_bytes_per_s``."""
        import networkx as nx

        self.check()
        graph: nx.Graph[str] = nx.Graph()
        for kind, count in self._counts().items():
            graph.add_nodes_from((f"{kind} {i}" for i in range(count)), kind=kind)
        for kind, of, count in (
            ("gpu", "pcie", self.accelerators // self.pcie_switches),
            ("nic", "pcie", self.nics // self.pcie_switches),
            ("pcie", "socket", self.pcie_switches // self.sockets),
        ):
            below = ((f"{kind} {i}", f"{of} {i // count}") for i in range(self._counts()[kind]))
            graph.add_edges_from(below, tier="pcie", capacity_bytes_per_s=self.rates.pcie)
        stores = ((f"nic {self.nics + i}", f"socket {i % self.sockets}") for i in range(self.storage_nics))
        graph.add_nodes_from((f"nic {self.nics + i}" for i in range(self.storage_nics)), kind="nic")
        graph.add_edges_from(stores, tier="pcie", capacity_bytes_per_s=self.rates.pcie)
        sockets = [(f"socket {i}", f"socket {j}") for j in range(self.sockets) for i in range(j)]
        graph.add_edges_from(sockets, tier="socket", capacity_bytes_per_s=self.rates.socket)
        ports = [(f"gpu {i}", f"nvswitch {j}") for i in range(self.accelerators) for j in range(self.nvswitches)]
        graph.add_edges_from(ports, tier="nvlink", capacity_bytes_per_s=self.rates.nvlink / max(self.nvswitches, 1))
        return graph

    def _counts(self) -> dict[str, int]:
        return {
            "gpu": self.accelerators,
            "nic": self.nics,
            "pcie": self.pcie_switches,
            "socket": self.sockets,
            "nvswitch": self.nvswitches,
        }
