"""PCIe tree: devices under PCIe switches under processor sockets, which are joined in a chain of one or two.

As inside a server without NVLink: a device reaches one under the same switch through it alone, one of the same socket
through the socket's root complex, and another through the link between the sockets as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcsim.network.topologies.base import Cards, Facts, MisfitError, Plan

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, slots=True)
class PcieTree:
    """Devices fill the switches in order, switches the sockets.

    Attributes
    ----------
    devices_per_switch
        Devices under a switch, whose own uplink is as fast as one of them.
    sockets
        Processor sockets, fully joined.
    switches_per_socket
        Switches under a socket.
    socket_bytes_per_s
        Rate of the link between two sockets [B/s]; as a device's unless given.
    """

    devices_per_switch: int = 2
    sockets: int = 2
    switches_per_socket: int = 2
    socket_bytes_per_s: float | None = None

    def facts(self, cards: Cards) -> Facts:
        """Return the closed forms: half of the sockets, switches or devices on either side of the cut."""
        places = self.devices_per_switch * self.switches_per_socket * self.sockets
        if cards.hosts > places:
            raise MisfitError(
                "topology",
                f"{self.sockets} sockets x {self.switches_per_socket} switches x {self.devices_per_switch} devices",
                f"at least {cards.hosts} places, one for every card",
            )
        link = cards.link_bytes_per_s
        if self.sockets > 1:
            half, other = self.sockets // 2, self.sockets - self.sockets // 2
            uplinks = half * self.switches_per_socket * link
            between = half * other * (self.socket_bytes_per_s or link)
            cut = min(uplinks, between, places / 2 * link)
        else:
            cut = min(max(self.switches_per_socket // 2, 1), places / 2) * link
        switches = self.sockets * self.switches_per_socket
        return Facts(places, 0, switches + self.sockets * (self.sockets - 1) // 2, cut, 1)

    def graph(self, cards: Cards) -> nx.MultiGraph[str]:
        """Return the graph; cables are of the tiers host, pcie (switch to socket) and socket."""
        self.facts(cards)
        plan, link = Plan(cards), cards.link_bytes_per_s
        sockets = [f"socket {i}" for i in range(self.sockets)]
        switches = [f"pcie {i}" for i in range(self.sockets * self.switches_per_socket)]
        plan.switches(switches, "pcie", kind="router")
        plan.switches(sockets, "socket", kind="router")
        for host in range(cards.hosts):
            plan.host(host, switches[host // self.devices_per_switch])
        for i, switch in enumerate(switches):
            plan.cable((switch, sockets[i // self.switches_per_socket]), "pcie", link, copper=1.0)
        for i, low in enumerate(sockets):
            for high in sockets[i + 1 :]:
                plan.cable((low, high), "socket", self.socket_bytes_per_s or link, copper=1.0)
        return plan.graph
