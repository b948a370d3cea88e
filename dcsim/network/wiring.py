"""Any topology frozen into integer link ids and arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from dcsim.errors import InputError
from dcsim.network.tree import Floats, Indices

if TYPE_CHECKING:
    import networkx as nx

NO_GROUP = -1
V = TypeVar("V")


@dataclass(frozen=True, slots=True, eq=False)
class Wiring:
    """The directed links of a graph: host up (host i has link i), host down, then both directions of each cable.

    Attributes
    ----------
    hosts
        Network cards.
    switches
        Switches of the graph that are boxes of their own, not parts of a chip.
    cables
        Cables of the graph, those of hosts included and what joins a host to a router of its own chip left out.
    transceivers
        Transceivers at the ends of these cables, none at those of copper.
    nodes
        Names of the places that routes pass, in the order of the graph: the switches, and every host that has several
        cables.
    attached
        The node that each host sends to and hears from, shape (hosts,).
    transit
        Which nodes hand on what is not for them, shape (nodes,).
    groups
        The group of each node (of a dragonfly) or NO_GROUP, shape (nodes,).
    rails
        The rail of each host (of a rail-optimized network) or NO_GROUP, shape (hosts,).
    tails, heads
        Node that each link leaves and enters, -1 for the host itself, shape (links,).
    capacities, latencies_s
        Of each link [B/s], [s], shape (links,).
    weights
        What each link adds to the length of a path, as routing sees it, above zero, shape (links,).
    tiers, names
        Of each link.
    """

    hosts: int
    switches: int
    cables: int
    transceivers: int
    nodes: tuple[str, ...]
    attached: Indices
    transit: NDArray[np.bool_]
    groups: Indices
    rails: Indices
    tails: Indices
    heads: Indices
    capacities: Floats
    latencies_s: Floats
    weights: Floats
    tiers: list[str]
    names: list[str]

    @property
    def links(self) -> int:
        """Directed links."""
        return len(self.tails)

    @property
    def host_links(self) -> tuple[int, int]:
        """The first link up from hosts and the first down to them."""
        return 0, self.hosts

    @property
    def tier_numbers(self) -> Indices:
        """The tier of each link as a number, in the order of first appearance, shape (links,)."""
        number = {tier: i for i, tier in enumerate(dict.fromkeys(self.tiers))}
        return np.array([number[tier] for tier in self.tiers], dtype=np.int64)


class _Numbering:
    """The nodes of a graph by number: hosts with a single cable are no node of their own."""

    def __init__(self, graph: nx.MultiGraph[str]) -> None:
        kinds: dict[str, str] = {name: str(kind) for name, kind in graph.nodes(data="kind")}
        self.hosts = [name for name, kind in kinds.items() if kind == "host"]
        self.single = {name: next(iter(graph[name])) for name in self.hosts if graph.degree(name) == 1}
        self.nodes = [name for name in kinds if name not in self.single]
        self.number = {name: i for i, name in enumerate(self.nodes)}
        self.transit: NDArray[np.bool_] = np.array([kinds[name] != "host" for name in self.nodes], dtype=np.bool_)
        self.switches = sum(kind == "switch" for kind in kinds.values())

    def attached(self) -> Indices:
        return np.array([self.number[self.single.get(name, name)] for name in self.hosts], dtype=np.int64)


def wire(graph: nx.MultiGraph[str]) -> Wiring:
    """Freeze a graph made by one of :mod:`dcsim.network.topologies`.

    A host with one cable has that cable's links. One with several is a node of its own, with links to itself of the sum
    of its cables' capacities.

    Raises
    ------
    InputError
        If a host has no cable, a cable no capacity, or a host's only cable ends at another such host.
    """
    numbering = _Numbering(graph)
    _check(graph, numbering)
    cables = [
        (low, high, attributes)
        for low, high, attributes in graph.edges(data=True)
        if low not in numbering.single and high not in numbering.single
    ]
    own = [_own(graph, name) for name in numbering.hosts]
    rates = [capacity for capacity, _ in own] * 2 + _twice(each["capacity_bytes_per_s"] for *_, each in cables)
    delays = [delay for _, delay in own] * 2 + _twice(each.get("latency_s", 0.0) for *_, each in cables)
    ends = [(numbering.number[low], numbering.number[high]) for low, high, _ in cables]
    attached, none = numbering.attached(), np.full(len(numbering.hosts), -1, dtype=np.int64)
    both = np.array([pair for low, high in ends for pair in ((low, high), (high, low))], dtype=np.int64).reshape(-1, 2)
    return Wiring(
        len(numbering.hosts),
        numbering.switches,
        *_cabling(graph),
        tuple(numbering.nodes),
        attached,
        numbering.transit,
        np.array([graph.nodes[name].get("group", NO_GROUP) for name in numbering.nodes], dtype=np.int64),
        np.array([graph.nodes[name].get("rail", NO_GROUP) for name in numbering.hosts], dtype=np.int64),
        np.concatenate((none, attached, both[:, 0])),
        np.concatenate((attached, none, both[:, 1])),
        np.array(rates, dtype=np.float64),
        np.array(delays, dtype=np.float64),
        np.array([1.0] * (2 * len(own)) + _twice(each.get("weight", 1.0) for *_, each in cables), dtype=np.float64),
        ["host"] * (2 * len(numbering.hosts)) + _twice(each["tier"] for *_, each in cables),
        _names(numbering, [(low, high) for low, high, _ in cables]),
    )


def _cabling(graph: nx.MultiGraph[str]) -> tuple[int, int]:
    """Return cables and transceivers."""
    kinds = {name: attributes["kind"] for name, attributes in graph.nodes(data=True)}
    copper = [bool(edge.get("copper")) for *_, edge in graph.edges(data=True)]
    inside = [{kinds[low], kinds[high]} == {"host", "router"} for low, high in graph.edges()]
    cables = inside.count(False)
    return cables, 2 * sum(not (within or plain) for within, plain in zip(inside, copper, strict=True))


def _twice(values: Iterable[V]) -> list[V]:
    return [value for value in values for _ in range(2)]


def _own(graph: nx.MultiGraph[str], host: str) -> tuple[float, float]:
    """Return capacity [B/s] and latency [s] of a host's own link, the sum of its cables where it has several."""
    cables = [attributes for *_, attributes in graph.edges(host, data=True)]
    latency_s = float(cables[0].get("latency_s", 0.0)) if len(cables) == 1 else 0.0
    total = sum(float(cable["capacity_bytes_per_s"]) for cable in cables)
    return min(total, float(graph.nodes[host].get("capacity_bytes_per_s", total))), latency_s


def _names(numbering: _Numbering, cables: list[tuple[str, str]]) -> list[str]:
    ups = [f"{host} > {numbering.single.get(host, 'its cables')}" for host in numbering.hosts]
    downs = [f"{numbering.single.get(host, 'its cables')} > {host}" for host in numbering.hosts]
    names, seen = ups + downs, dict[tuple[str, str], int]()
    for low, high in cables:
        count = seen[low, high] = seen.get((low, high), 0) + 1
        suffix = f" #{count}" if count > 1 else ""
        names += [f"{low} > {high}{suffix}", f"{high} > {low}{suffix}"]
    return names


def _check(graph: nx.MultiGraph[str], numbering: _Numbering) -> None:
    for host in numbering.hosts:
        if not graph.degree(host):
            raise InputError(f"{host} has no cable, expected every host to have one")
    for host, other in numbering.single.items():
        if other in numbering.single:
            raise InputError(f"{host} is joined to {other} alone, expected a switch between them")
    for low, high, attributes in graph.edges(data=True):
        rate = attributes.get("capacity_bytes_per_s")
        if rate is None or not rate > 0.0:
            raise InputError(f"the cable from {low} to {high} has a capacity of {rate}, expected a rate above zero")
