"""What every topology is: a plan of switches and cables that joins the network cards of servers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from dcsim.errors import InputError

if TYPE_CHECKING:
    import networkx as nx


class MisfitError(InputError):
    """A topology that cannot join its cards: the ``key`` at fault, what was ``found`` and what is ``expected``."""

    def __init__(self, key: str, found: str, expected: str) -> None:
        super().__init__(f"{key}: found {found}, expected {expected}")
        self.key, self.found, self.expected = key, found, expected


@dataclass(frozen=True, slots=True)
class Cards:
    """The network cards to join, numbered endpoint by endpoint.

    Attributes
    ----------
    counts
        Cards of each endpoint (server or storage node).
    rates_bytes_per_s
        Rate of a card of each endpoint [B/s].
    link_bytes_per_s
        Rate of a cable [B/s, each direction]; a host's cable runs at the slower of that and its card's rate.
    names
        Name of each endpoint, "train/3"; they are used where a topology tells endpoints apart.
    """

    counts: tuple[int, ...]
    rates_bytes_per_s: tuple[float, ...]
    link_bytes_per_s: float
    names: tuple[str, ...] = ()

    @classmethod
    def alike(cls, endpoints: int, each: int, link_bytes_per_s: float) -> Cards:
        """Return the cards of equal endpoints, as fast as the cables."""
        return cls((each,) * endpoints, (link_bytes_per_s,) * endpoints, link_bytes_per_s)

    @property
    def hosts(self) -> int:
        """All cards."""
        return sum(self.counts)

    @property
    def most(self) -> int:
        """Cards of the endpoint with most of them."""
        return max(self.counts, default=1)

    def places(self) -> list[tuple[int, int]]:
        """Return (endpoint, card) of every host in order."""
        return [(endpoint, card) for endpoint, count in enumerate(self.counts) for card in range(count)]

    def rates(self) -> list[float]:
        """Return the rate of every host's cable [B/s]."""
        link = self.link_bytes_per_s
        return [min(rate, link) for rate, n in zip(self.rates_bytes_per_s, self.counts, strict=True) for _ in range(n)]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a topology is in numbers, in closed form, as if every port for a host were taken.

    Attributes
    ----------
    hosts
        Places for hosts.
    switches
        Switches, those inside chips (of a torus) not counted.
    cables
        Cables between switches, hosts' own not counted.
    bisection_bytes_per_s
        The least capacity from the first half of the hosts to the second [B/s, one direction].
    disjoint_paths
        Paths without a common cable between two switches with hosts that are not neighbors.
    """

    hosts: int
    switches: int
    cables: int
    bisection_bytes_per_s: float
    disjoint_paths: int


class Topology(Protocol):
    """A plan of switches and cables."""

    def facts(self, cards: Cards) -> Facts:
        """Return what the topology is in numbers; raises :class:`MisfitError` where it cannot join ``cards``."""
        ...

    def graph(self, cards: Cards) -> nx.MultiGraph[str]:
        """Return the topology as a graph.

        Nodes are "host 0" and on in the order of ``cards``, then switches, with ``kind`` (host, switch, or router for
        one that is part of a chip) and ``tier``; edges have ``tier``, ``capacity_bytes_per_s`` and ``latency_s`` (of
        the cable beyond what a hop between ranks includes) and may have a ``weight`` other than 1, by which routing
        finds shortest paths. Raises :class:`MisfitError` as :meth:`facts` does.
        """
        ...


class Plan:
    """A graph in the making."""

    def __init__(self, cards: Cards) -> None:
        import networkx as nx

        self.graph: nx.MultiGraph[str] = nx.MultiGraph()
        self._rates = cards.rates()
        for host, (endpoint, card) in enumerate(cards.places()):
            self.graph.add_node(f"host {host}", kind="host", tier="host", endpoint=endpoint, card=card)

    def switches(self, names: Iterable[str], tier: str, kind: str = "switch") -> None:
        """Add switches of a tier."""
        self.graph.add_nodes_from(names, kind=kind, tier=tier)

    def host(self, host: int, switch: str) -> None:
        """Join a host to a switch by its card's rate."""
        self.cable((f"host {host}", switch), "host", self._rates[host])

    def cable(self, ends: tuple[str, str], tier: str, capacity_bytes_per_s: float, **others: float) -> None:
        """Join two nodes; ``others`` are latency_s, weight, and copper, which is 1 where there is no transceiver."""
        self.graph.add_edge(ends[0], ends[1], None, tier=tier, capacity_bytes_per_s=capacity_bytes_per_s, **others)

    def bundle(self, low: list[str], high: list[str], uplinks: int, what: tuple[str, float]) -> None:
        """Deal ``uplinks`` cables of each of ``low`` out over ``high`` in turn; ``what`` is their tier and rate."""
        for name in low:
            for uplink in range(uplinks):
                self.cable((name, high[uplink % len(high)]), *what)


def split(radix: int, oversubscription: float, key: str = "oversubscription") -> tuple[int, int]:
    """Return the ports of a switch that go down and up, so that downs over ups is at most ``oversubscription``.

    The ups are the fewest that leave no more than one port of ``radix`` without use at a whole oversubscription.

    Raises
    ------
    MisfitError
        If a switch has too few ports for any to go up; ``key`` says which oversubscription it is.
    """
    if radix < 2:
        raise MisfitError("radix", str(radix), "switches of at least 2 ports")
    if oversubscription > radix - 1:
        rule = f"at most {radix - 1}: of the {radix} ports of a switch one at least goes up"
        raise MisfitError(key, f"{oversubscription:g}", rule)
    up = max(1, int(radix / (1.0 + oversubscription) + 1e-9))
    return min(radix - up, int(up * oversubscription + 1e-9)), up


def spines_for(below: int, uplinks: int, radix: int, tiers: tuple[str, str] = ("leaf", "spine")) -> int:
    """Return the fewest switches of ``radix`` ports among which ``below`` others can deal their uplinks out evenly.

    Raises
    ------
    MisfitError
        If there are more of those below than a switch has ports; ``tiers`` are the names of both.
    """
    if below > radix:
        low, high = tiers
        raise MisfitError("radix", str(radix), f"a port of every {high} for each of {below} {low} switches")
    return next(count for count in range(1, uplinks + 1) if below * -(-uplinks // count) <= radix)
