"""Dispatch and combine of a mixture of experts: tokens go to the ranks of their experts, and come back.

A library such as DeepEP sends small batches straight to every rank ("low latency"), and large ones once to each server,
which passes them on inside. Rates are logical, as its benchmarks count them: with the bytes that stay on the rank or
in its server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dcsim.network.collectives.setting import Floats, Interconnect, RankGroup

# Fits to deepseek-ai/DeepEP docs/legacy.md and README.md (2026); see docs/explanation/collectives.md for the rows.
START_S: Final = 35e-6
NETWORK_SHARE: Final = 0.96  # of what a collective library reaches on the cards
INSIDE_SHARE: Final = 0.9  # of the rate of a ring


@dataclass(frozen=True, slots=True)
class Routing:
    """How tokens choose experts, which lie evenly over the ranks: ``experts`` of at most ``groups`` servers a token."""

    experts: int = 8
    groups: int = 4


def dispatch_s(size_bytes: Floats, group: RankGroup, net: Interconnect) -> Floats:
    """Return the time in which each rank sends ``size_bytes`` [B] of tokens to experts everywhere, few at a time [s].

    What stays inside the domain and what leaves it move at once. Combining the results is the same the other way round.
    """
    near = size_bytes * (group.inside - 1) / group.ranks / _inside(group, net)
    far = size_bytes * (group.ranks - group.inside) / group.ranks
    slower = near if group.domains == 1 else (far / _outside(net)).clip(min=near)
    return START_S + slower


def dispatch_rate(group: RankGroup, net: Interconnect, routing: Routing) -> float:
    """Return the logical rate of a rank for many tokens at the bottleneck [B/s].

    Within a domain the 1 / n of the tokens that stay are counted but not sent. Between m domains a token crosses the
    network once for each that it is sent to, 1 / m of which are its own; there it goes on to all ranks that hold one of
    its experts, which can bind instead.
    """
    inside = _inside(group, net) * group.inside / (group.inside - 1) if group.inside > 1 else float("inf")
    if group.domains == 1:
        return inside
    servers = min(group.domains, routing.groups)
    experts = routing.experts / servers
    missed: float = (1.0 - 1.0 / group.inside) ** experts
    ranks = group.inside * (1.0 - missed)
    return min(_outside(net) * group.domains / (group.domains - 1), inside / max(ranks, 1.0))


def _inside(group: RankGroup, net: Interconnect) -> float:
    return INSIDE_SHARE * net.ring_rate(RankGroup(max(group.inside, 2)), "Simple")


def _outside(net: Interconnect) -> float:
    return NETWORK_SHARE * net.domain_rate(1)
