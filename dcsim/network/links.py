"""The numbering of every directed link: the wiring, the ports inside servers, and resources added by others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dcsim.errors import RunError
from dcsim.network import topology
from dcsim.network.boards import Boards
from dcsim.network.layout import Endpoint, FabricLayout
from dcsim.network.tree import Floats, Indices, Tree, grow
from dcsim.network.wiring import Wiring, wire

NVLINK = "nvlink"


class Links:
    """Names, tiers and payload capacities [B/s] of all links, and which of them send and receive."""

    def __init__(self, layout: FabricLayout) -> None:
        self.endpoints = layout.endpoints
        self.wiring = _wiring(layout)
        self.names = _names(layout, self.wiring)
        self.tiers = self.wiring.tiers
        self._capacities = list(self.wiring.capacities * layout.efficiency)
        self.first_nic = _before([endpoint.nics for endpoint in layout.endpoints])
        cards = self._bound_cards()
        self._first_port = self._add_ports()
        self.boards = Boards(layout.endpoints, cards, self._first_port, self.add)
        self.appliances = [self.add(each.name, each.kind, each.rate_bytes_per_s) for each in layout.appliances]

    @property
    def capacities(self) -> Floats:
        """Payload capacity of each link [B/s], shape (links,)."""
        return np.array(self._capacities, dtype=np.float64)

    def add(self, name: str, tier: str, capacity_bytes_per_s: float) -> int:
        """Number one more link."""
        self.names.append(name)
        self.tiers.append(tier)
        self._capacities.append(capacity_bytes_per_s)
        return len(self.names) - 1

    def ports(self, endpoint: int) -> tuple[int, int]:
        """Return the ids of the out and in port of the endpoint's first accelerator; each next one is two further."""
        first = int(self.out_ports(np.array([endpoint]))[0])
        return first, first + 1

    def out_ports(self, endpoints: Indices) -> Indices:
        """Return the out port of each endpoint's first accelerator, shape (endpoints,); see :meth:`ports`."""
        first = self._first_port[endpoints]
        if np.any(first < 0):
            endpoint = self.endpoints[int(endpoints[np.argmin(first)])]
            raise RunError(f"{endpoint.name} has no links between its accelerators")
        return first

    def cable(self, name: str) -> Indices:
        """Return both directions of the cable, or of the port of an accelerator, that the link ``name`` is one of.

        Raises
        ------
        KeyError
            If no link has that name.
        """
        number = {link: i for i, link in enumerate(self.names)}
        return np.array(sorted({number[name], number.get(_back(name), number[name])}), dtype=np.int64)

    def of_switch(self, name: str) -> Indices:
        """Return the links into and out of the switch ``name``.

        Raises
        ------
        KeyError
            If there is no such switch.
        """
        if isinstance(self.wiring, Wiring):
            node = {each: i for i, each in enumerate(self.wiring.nodes)}[name]
            found = np.flatnonzero((self.wiring.tails == node) | (self.wiring.heads == node))
        else:
            found = np.array([i for i, link in enumerate(self.names) if name in link.split(" > ")], dtype=np.int64)
            edges = {edge: i for i, edge in enumerate(topology.edge_names(self.wiring.shape))}
            if name in edges:
                each = self.wiring.shape.hosts_per_edge
                hosts = np.arange(edges[name] * each, min((edges[name] + 1) * each, self.wiring.hosts))
                found = np.concatenate((hosts, self.wiring.starts[1] + hosts, found))
        if not len(found):
            raise KeyError(name)
        return found

    def switch_names(self) -> list[str]:
        """Return the names of the switches."""
        if isinstance(self.wiring, Wiring):
            return list(self.wiring.nodes)
        shape = self.wiring.shape
        return topology.edge_names(shape) + topology.aggregation_names(shape) + topology.core_names(shape)

    def senders(self) -> NDArray[np.bool_]:
        """Return which links are the first of a path, out of a network card or accelerator, shape (links,)."""
        return self._sides(0)

    def receivers(self) -> NDArray[np.bool_]:
        """Return which links are the last of a path, shape (links,)."""
        return self._sides(1)

    def _sides(self, side: int) -> NDArray[np.bool_]:
        chosen = np.zeros(len(self.names), dtype=bool)
        start = self.wiring.host_links[side]
        chosen[start : start + self.wiring.hosts] = True
        for first, endpoint in zip(self._first_port, self.endpoints, strict=True):
            if first >= 0:
                chosen[first + side : first + 2 * endpoint.accelerators : 2] = True
        return chosen

    def _bound_cards(self) -> Floats:
        """Let no card be faster than its PCIe link; return what each can send [B/s], shape (hosts,)."""
        up, down = self.wiring.host_links
        for first, endpoint in zip(self.first_nic.tolist(), self.endpoints, strict=True):
            if endpoint.inside is not None:
                for card in (start + first + i for start in (up, down) for i in range(endpoint.nics)):
                    self._capacities[card] = min(self._capacities[card], endpoint.inside.pcie_bytes_per_s)
        return np.array(self._capacities[up : up + self.wiring.hosts], dtype=np.float64)

    def _add_ports(self) -> Indices:
        first = np.full(len(self.endpoints), -1, dtype=np.int64)
        for index, endpoint in enumerate(self.endpoints):
            if endpoint.inner is None or endpoint.accelerators < 2:
                continue
            first[index] = len(self.names)
            for accelerator in range(endpoint.accelerators):
                for direction in ("out", "in"):
                    self.add(f"{endpoint.name} gpu {accelerator} {direction}", NVLINK, endpoint.inner.rate_bytes_per_s)
        return first


def _wiring(layout: FabricLayout) -> Tree | Wiring:
    return _tree(layout) if layout.topology is None else wire(layout.topology.graph(layout.cards))


def _tree(layout: FabricLayout) -> Tree:
    hosts = layout.hosts
    shape = layout.shape or topology.TreeShape.of_radix(layout.radix or topology.smallest_radix(hosts), hosts)
    over = layout.oversubscription, layout.core_oversubscription or layout.oversubscription
    rates = [endpoint.nic_rate_bytes_per_s for endpoint in layout.endpoints]
    cards = np.repeat(rates, [endpoint.nics for endpoint in layout.endpoints])
    return grow(shape, np.minimum(cards, layout.link_bytes_per_s), layout.link_bytes_per_s, over)


def _names(layout: FabricLayout, wiring: Tree | Wiring) -> list[str]:
    cards = [name for endpoint in layout.endpoints for name in _cards(endpoint)]
    hosts = [f"{card} {direction}" for direction in ("out", "in") for card in cards]
    return hosts + wiring.names[2 * wiring.hosts :]


def _cards(endpoint: Endpoint) -> list[str]:
    return [f"{endpoint.name} nic {i}" for i in range(endpoint.nics)]


def _back(name: str) -> str:
    """Return the name of a link's other direction."""
    for one, other in ((" out", " in"), (" in", " out")):
        if name.endswith(one):
            return name[: -len(one)] + other
    ends, mark, number = name.partition(" #")
    low, _, high = ends.partition(" > ")
    return f"{high} > {low}{mark}{number}"


def _before(counts: list[int]) -> Indices:
    return np.cumsum([0, *counts[:-1]], dtype=np.int64)
