"""The links inside servers that traffic crosses on its way to network cards and peers, where they can hold it back.

Between an accelerator and a card under its PCIe switch lie the accelerator's PCIe link and the card's; between a card
and the memory of the host, where storage traffic begins and ends, the card's link and the uplink of its switch. Only
what can be the bottleneck is numbered: an accelerator's link where it has several cards, an uplink where the cards
under it are faster together. Accelerators that meet over PCIe have one link for their peers and for the network, and
share the uplinks of their switches and the links between sockets.

Modelled: rates, each direction of a link by itself. Not modelled: copies between the memory of the host and that of
accelerators, root complexes that pass less than their links could, and the time of these hops, which the published
latencies of messages include.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dcsim.network.layout import Endpoint, Inside
from dcsim.network.rings import accelerators_beside, cards_beside
from dcsim.network.route import RouteBuilder
from dcsim.network.tree import Floats, Indices

NO_LINK = -1
PCIE, SOCKET = "pcie", "socket"  # tiers
_ROUNDING = 1.0 + 1e-9

Add = Callable[[str, str, float], int]


@dataclass(frozen=True, slots=True)
class _Server:
    """A server whose inside is told: its first accelerator and card among all, and what its cards can send [B/s]."""

    endpoint: Endpoint
    inside: Inside
    gpu: int
    card: int
    rates: Floats


class Boards:
    """The links inside all servers by number; the way back of a link is the next one.

    Attributes
    ----------
    gpus
        Accelerators of all endpoints before each, shape (endpoints,): accelerators are numbered over all of them here.
    beside
        The accelerator beside each card, the first of several, shape (hosts,).
    meshed
        Whether accelerators of some server meet over PCIe.
    """

    def __init__(self, endpoints: Sequence[Endpoint], cards: Floats, ports: Indices, add: Add) -> None:
        """Number what can hold ``cards`` [B/s] back; ``ports`` is the first of each endpoint or -1."""
        # What sends from a node without accelerators has a number of its own, too.
        counts, nics = [max(1, each.accelerators) for each in endpoints], [each.nics for each in endpoints]
        self.gpus, first = _before(counts), _before(nics)
        near = [gpu for each in endpoints for gpu in accelerators_beside(each)]
        self.beside = np.repeat(self.gpus, nics) + np.array(near, dtype=np.int64)
        self._add, self.meshed = add, False
        self._memory = np.full(sum(nics), NO_LINK, dtype=np.int64)  # of each card: the uplink to the host's memory
        self._own, self._up, self._socket, self._across, self._others = np.full((5, sum(counts)), NO_LINK)
        stored = any(each.accelerators == 0 for each in endpoints)  # on storage nodes
        for number, endpoint in enumerate(endpoints):
            if endpoint.inside is not None:
                card, gpu = int(first[number]), int(self.gpus[number])
                server = _Server(endpoint, endpoint.inside, gpu, card, cards[card : card + endpoint.nics])
                self._number_accelerators(server, int(ports[number]))
                self._number_uplinks(server, stored)

    def leave(self, builder: RouteBuilder, ends: tuple[Indices, Indices], amounts: Floats | float) -> None:
        """Let what goes over the network cross the own links of the accelerators at both ``ends``."""
        _cross(builder, self._own[ends[0]], amounts)
        _cross(builder, _back(self._own[ends[1]]), amounts)

    def store(self, builder: RouteBuilder, hosts: tuple[Indices, Indices], amounts: Floats | float) -> None:
        """Let what goes over the network cross what lies between the cards ``hosts`` and the memories at both ends."""
        _cross(builder, _back(self._memory[hosts[0]]), amounts)
        _cross(builder, self._memory[hosts[1]], amounts)

    def meet(self, builder: RouteBuilder, ends: tuple[Indices, Indices], amounts: Floats | float) -> None:
        """Let what goes between accelerators of one server cross what lies between their own links."""
        if not self.meshed:
            return
        (source, target), each = ends, np.broadcast_to(np.asarray(amounts, dtype=np.float64), ends[0].shape)
        apart = self._up[source] != self._up[target]
        source, target, each = source[apart], target[apart], each[apart]
        _cross(builder, self._up[source], each)
        _cross(builder, _back(self._up[target]), each)
        here, there = self._socket[source], self._socket[target]
        # From every socket a link to each other one, in order.
        way = self._across[source] + here * self._others[source] + there - (there > here)
        _cross(builder, np.where(here == there, NO_LINK, way), each)

    def _number_accelerators(self, server: _Server, port: int) -> None:
        """Give accelerators that can be slower than their cards a link: the port to their peers if that is PCIe."""
        endpoint, inside = server.endpoint, server.inside
        own = slice(server.gpu, server.gpu + endpoint.accelerators)
        if inside.peers and port >= 0:
            self._own[own] = port + 2 * np.arange(endpoint.accelerators)
            return
        for gpu in range(endpoint.accelerators):
            if self._slower(inside, server.rates[list(cards_beside(gpu, endpoint))]):
                name = f"{endpoint.name} gpu {gpu} pcie"
                self._own[server.gpu + gpu] = self._add(f"{name} out", PCIE, inside.pcie_bytes_per_s)
                self._add(f"{name} in", PCIE, inside.pcie_bytes_per_s)

    def _number_uplinks(self, server: _Server, stored: bool) -> None:
        """Give switches whose cards or accelerators can be faster together than their uplink a link each way."""
        endpoint, inside = server.endpoint, server.inside
        gpus, cards = endpoint.accelerators // inside.pcie_switches, endpoint.rank_nics // inside.pcie_switches
        meet = inside.peers and inside.pcie_switches > 1
        self.meshed |= meet
        for switch in range(inside.pcie_switches):
            below = slice(switch * cards, (switch + 1) * cards)
            fills = stored and not endpoint.storage_nics and self._slower(inside, server.rates[below])
            if not (meet or fills):
                continue
            socket = switch // (inside.pcie_switches // inside.sockets)
            up = self._join(endpoint, (f"pcie {switch}", f"socket {socket}"), (PCIE, inside.pcie_bytes_per_s))
            first = server.gpu + switch * gpus
            self._up[first : first + gpus], self._socket[first : first + gpus] = up, socket
            if not endpoint.storage_nics:
                self._memory[server.card + below.start : server.card + below.stop] = up
        if meet and inside.sockets > 1:
            own = slice(server.gpu, server.gpu + endpoint.accelerators)
            self._across[own], self._others[own] = self._join_sockets(endpoint, inside), inside.sockets - 1

    def _join_sockets(self, endpoint: Endpoint, inside: Inside) -> int:
        """Add a link from every socket to every other; return the first."""
        pairs = [(low, high) for low in range(inside.sockets) for high in range(inside.sockets) if low != high]
        rate = inside.socket_bytes_per_s
        links = [self._add(f"{endpoint.name} socket {a} > {endpoint.name} socket {b}", SOCKET, rate) for a, b in pairs]
        return links[0]

    def _join(self, endpoint: Endpoint, ends: tuple[str, str], what: tuple[str, float]) -> int:
        low, high = (f"{endpoint.name} {end}" for end in ends)
        up = self._add(f"{low} > {high}", *what)
        self._add(f"{high} > {low}", *what)
        return up

    @property
    def used(self) -> bool:
        """Whether what ranks send can cross more than cards and the ports between accelerators."""
        return self.meshed or bool(np.any(self._own != NO_LINK))

    @staticmethod
    def _slower(inside: Inside, cards: Floats) -> bool:
        return float(cards.sum()) > inside.pcie_bytes_per_s * _ROUNDING


def _cross(builder: RouteBuilder, links: Indices, amounts: Floats | float) -> None:
    used = links != NO_LINK
    if used.any():
        builder.links(links[used], np.broadcast_to(np.asarray(amounts, dtype=np.float64), links.shape)[used])


def _back(links: Indices) -> Indices:
    return np.where(links == NO_LINK, NO_LINK, links + 1)


def _before(counts: Sequence[int]) -> Indices:
    return np.cumsum([0, *counts[:-1]], dtype=np.int64)
