"""Who takes part in a collective and what joins them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dcsim.catalogue.fabrics import GpuFabric, NetworkFabric

Floats = NDArray[np.float64]
Kind = Literal[
    "all-reduce",
    "reduce-scatter",
    "all-gather",
    "all-to-all",
    "broadcast",
    "reduce",
    "gather",
    "send-receive",
    "barrier",
]
Protocol = Literal["LL", "LL128", "Simple"]
PROTOCOLS: Final[tuple[Protocol, ...]] = ("LL", "LL128", "Simple")
FLAG_SHARE: Final = 0.5  # payload of a line of 16 bytes with the protocol LL


@dataclass(frozen=True, slots=True)
class RankGroup:
    """``ranks`` ranks, of which ``per_domain`` share the links of a server or rack; all of them unless given."""

    ranks: int
    per_domain: int = 0

    @property
    def inside(self) -> int:
        """Ranks of one domain, at most all."""
        return min(self.per_domain or self.ranks, self.ranks)

    @property
    def domains(self) -> int:
        """Servers or racks that the ranks fill."""
        return -(-self.ranks // self.inside)


@dataclass(frozen=True, slots=True)
class Interconnect:
    """What joins the ranks: links inside a domain, and the network between domains.

    Attributes
    ----------
    gpu
        The links inside a domain and what a library reaches on them.
    network
        The same of the network; None where all ranks share a domain.
    network_rate
        Line rate of the network cards of a rank [B/s]: that of a server over its ranks in the collective.
    gpu_rate
        Line rate of a rank inside its domain [B/s]; that of ``gpu`` unless given.
    reduces
        Whether switches of the network can reduce (InfiniBand SHARP).
    """

    gpu: GpuFabric
    network: NetworkFabric | None = None
    network_rate: float = 0.0
    gpu_rate: float = 0.0
    reduces: bool = False

    def line_rate(self, ranks: int) -> float:
        """Return the line rate of a rank that talks to ``ranks - 1`` others in its domain [B/s].

        Accelerators joined pair by pair use only the links to those that take part.
        """
        rate = self.gpu_rate or self.gpu.rate
        return rate if self.gpu.peers is None else rate * min(max(ranks - 1, 1), self.gpu.peers) / self.gpu.peers

    def domain_rate(self, inside: int) -> float:
        """Return what all network cards of a domain carry together [B/s], infinite without a network."""
        if self.network is None:
            return float("inf")
        return self.network_rate * inside * self.network.efficiency

    def delay(self, protocol: Protocol, tree: bool = False) -> float:
        """Return the time of one step through the network [s]."""
        if self.network is None:
            return 0.0
        delays = self.network.tree_hop if tree else self.network.hop
        return {"LL": delays.ll, "LL128": delays.ll128, "Simple": delays.simple}[protocol]

    def inner(self, protocol: Protocol) -> tuple[float, float]:
        """Return the time to begin a collective and that of one step inside a domain [s]."""
        base, hop = self.gpu.base, self.gpu.hop
        found = {
            "LL": (base.ll, hop.ll),
            "LL128": (base.ll128, hop.ll128),
            "Simple": (base.simple, hop.simple),
        }
        return found[protocol]

    def ring_rate(self, group: RankGroup, protocol: Protocol) -> float:
        """Return what a ring carries inside a domain with a protocol [B/s]."""
        rates, line = self.gpu.ring, self.line_rate(group.inside)
        if protocol == "Simple":
            return line * rates.simple
        return line * rates.simple * rates.ll128 if protocol == "LL128" else min(rates.ll, FLAG_SHARE * line)


class Call(NamedTuple):
    """One collective: its kind, sizes [B] shape (n,), ranks, and what joins them."""

    kind: Kind
    size: Floats
    group: RankGroup
    net: Interconnect


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to do it: the time for each size, and the time for a size of zero [s], both shape (n,).

    ``estimate_s`` is what the library reckons with when it chooses, None where it has no estimate.
    """

    algorithm: str
    protocol: Protocol
    seconds: Floats
    latency_s: Floats
    estimate_s: Floats | None = None


def saturating(size: Floats, half: float) -> Floats:
    """Return size / (size + half): from 0 to 1 as sizes grow, 0.5 at ``half`` [1]."""
    return size / (size + half)


def pipelined(size: Floats, rate: float, latency_s: float, fill_s: float) -> Floats:
    """Return the time of a chain of hops that chunks pass in a pipeline [s]: L + S/B + min(2 sqrt(L S/B), fill).

    With chunks of the best size it takes (sqrt(L) + sqrt(S / B))^2 (Sanders, Speck, Traff, "Two-tree algorithms for
    full bandwidth broadcast, reduction and scan", Parallel Computing 35 (2009) 581, section 2, for many hops).
    Libraries bound the size of a chunk, after which the time to fill the pipeline no longer grows.
    """
    wire = size / rate
    return latency_s + wire + np.minimum(2.0 * np.sqrt(latency_s * wire), fill_s)
