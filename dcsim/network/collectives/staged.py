"""Algorithms that a scenario may name beside those that libraries choose from: stages of rings, pairs and servers."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, isqrt, log2

from dcsim.network.collectives.ring import ring
from dcsim.network.collectives.setting import Call, Candidate, Floats, Interconnect, Kind, RankGroup

_PAT_RATE = 0.75  # of the ring's, NCCL src/graph/tuning.cc


def pat(call: Call) -> list[Candidate]:
    """Return the parallel aggregated trees of an all-gather or reduce-scatter with one rank a domain.

    ceil(log2 n) rounds in place of n - 1, at three quarters of a ring's rate (NCCL src/graph/tuning.cc; S. Jeaugey,
    "PAT: a new algorithm for all-gather and reduce-scatter operations at scale", arXiv 2506.20252, 2025).
    """
    group, net = call.group, call.net
    if call.kind not in ("all-gather", "reduce-scatter") or group.inside > 1 or net.network is None:
        return []
    latency = net.inner("Simple")[0] + ceil(log2(group.ranks)) * net.delay("Simple")
    sent = call.size * (group.ranks - 1) / group.ranks
    return [_simple("PAT", latency, sent / (_PAT_RATE * net.domain_rate(1)))]


def halving_doubling(call: Call) -> list[Candidate]:
    """Return recursive halving, doubling, or both: log2 n rounds of halves (Rabenseifner 2004), for powers of two."""
    rounds = {"all-reduce": 2, "reduce-scatter": 1, "all-gather": 1}.get(call.kind, 0)
    group = call.group
    if not rounds or group.ranks & (group.ranks - 1):
        return []
    near, far = ceil(log2(group.inside)), ceil(log2(group.domains))
    base, hop = call.net.inner("Simple")
    latency = base + rounds * (near * hop + far * call.net.delay("Simple"))
    inside = call.size * rounds * (1.0 - 1.0 / group.inside) / _link(call.net, group)
    # What the domains have left to exchange is the part that a rank owns after the rounds inside.
    outside = call.size * rounds * (1.0 - 1.0 / group.domains) / group.inside / call.net.domain_rate(1)
    return [_simple("HalvingDoubling", latency, inside + outside)]


def bruck(call: Call) -> list[Candidate]:
    """Return the all-to-all of Bruck et al. (1997): ceil(log2 n) rounds in each of which half the payload moves."""
    if call.kind != "all-to-all":
        return []
    group, net = call.group, call.net
    rounds, far = ceil(log2(group.ranks)), ceil(log2(group.domains))
    base, hop = net.inner("Simple")
    latency = base + (rounds - far) * hop + far * net.delay("Simple")
    near = (rounds - far) * call.size / 2.0 / _link(net, group)
    return [_simple("Bruck", latency, near + far * call.size / 2.0 / net.domain_rate(1))]


def hierarchical(call: Call) -> list[Candidate]:
    """Return the stages of an all-reduce: reduce-scatter inside, all-reduce between domains, all-gather inside."""
    group = call.group
    if call.kind != "all-reduce" or group.domains == 1 or group.inside == 1:
        return []
    inner = RankGroup(group.inside)
    stages: tuple[tuple[Kind, Floats, RankGroup], ...] = (
        ("reduce-scatter", call.size, inner),
        ("all-reduce", call.size / group.inside, RankGroup(group.domains, 1)),
        ("all-gather", call.size, inner),
    )
    return [_sum("Hierarchical", [_best(call._replace(kind=k, size=s, group=g)) for k, s, g in stages])]


def torus(call: Call) -> list[Candidate]:
    """Return rings along the two sides of the squarest torus of the ranks, the first on all, the second on a part."""
    group = call.group
    if call.kind != "all-reduce":
        return []
    side = next(x for x in range(isqrt(group.ranks), 0, -1) if group.ranks % x == 0)
    if side == 1:
        return []
    rows = RankGroup(group.ranks // side, min(group.inside, group.ranks // side))
    columns = RankGroup(side, max(1, group.inside // rows.ranks))
    stages: tuple[tuple[Kind, Floats, RankGroup], ...] = (
        ("reduce-scatter", call.size, rows),
        ("all-reduce", call.size / rows.ranks, columns),
        ("all-gather", call.size, rows),
    )
    return [_sum("Torus", [_best(call._replace(kind=k, size=s, group=g)) for k, s, g in stages])]


def parameter_server(call: Call) -> list[Candidate]:
    """Return push and pull by one server beside a rank: n - 1 payloads through one port, in and out."""
    if call.kind != "all-reduce":
        return []
    group, net = call.group, call.net
    base, hop = net.inner("Simple")
    hop = max(hop, net.delay("Simple"))
    rate = min(_link(net, group), net.domain_rate(1)) if group.domains > 1 else _link(net, group)
    return [_simple("ParameterServer", base + 2.0 * hop, 2.0 * (group.ranks - 1) * call.size / rate)]


def _link(net: Interconnect, group: RankGroup) -> float:
    return net.ring_rate(group, "Simple") if group.inside > 1 else float("inf")


def _best(call: Call) -> Candidate:
    """Return the ring whose protocol is fastest for the largest size; a stage of one rank takes no time."""
    if call.group.ranks == 1:
        return _simple("Ring", 0.0, call.size * 0.0)
    return min(ring(call), key=lambda candidate: float(candidate.seconds.sum()))


def _sum(algorithm: str, stages: list[Candidate]) -> Candidate:
    total = stages[0]
    for stage in stages[1:]:
        total = replace(total, seconds=total.seconds + stage.seconds, latency_s=total.latency_s + stage.latency_s)
    return replace(total, algorithm=algorithm)


def _simple(algorithm: str, latency: float, wire: Floats) -> Candidate:
    return Candidate(algorithm, "Simple", latency + wire, wire * 0.0 + latency)
