"""Trees over the domains of an all-reduce: chains of ranks below each, or the switch between its accelerators."""

from __future__ import annotations

from math import ceil, log2

from dcsim.network.collectives.estimate import in_switch_estimate
from dcsim.network.collectives.setting import PROTOCOLS, Call, Candidate, Floats, Protocol, pipelined, saturating

_LL_TREE = 1.0 / 3.8  # payload rate of a tree with LL, NCCL src/graph/tuning.cc
_PATTERN = 0.92  # what a tree keeps of the ring's rate, the same


def tree(call: Call) -> list[Candidate]:
    """Return the double binary tree with each protocol; it sums and broadcasts, so it does all-reduces only.

    Notes
    -----
    Latency 2 [(g - 1) hop + ceil(log2 m) network hop] for m domains of g ranks, as in NCCL's tuning model. A rank of
    the chain inside a domain sends the payload twice, up and down. A domain sends it once if there are two, else about
    twice: to its parent in one tree and to its children in the other (P. Sanders et al., Parallel Computing 35 (2009)
    581).
    """
    if call.kind != "all-reduce":
        return []
    return [_tree(call, protocol) for protocol in PROTOCOLS]


def in_switch(call: Call) -> list[Candidate]:
    """Return the all-reduce by the switch of a domain (NVLS), with a tree between domains, or with their switches.

    Notes
    -----
    Every rank sends the payload to the switch and multicasts its part of the sum: S (1 + 1 / g) in each direction of
    its link, for g ranks (B. Klenk et al., "An in-network architecture for accelerating shared-memory multiprocessor
    collectives", ISCA 2020).
    """
    part, group, net = call.net.gpu.in_switch, call.group, call.net
    if call.kind != "all-reduce" or part is None or group.inside < 2:
        return []
    inner = part.efficiency * net.line_rate(group.inside) / (1.0 + 1.0 / group.inside)
    growing = part.rank * group.inside * saturating(call.size, part.chunk_size)
    if group.domains == 1:
        seconds = part.base + growing + call.size / inner
        return [Candidate("NVLS", "Simple", seconds, seconds * 0.0 + part.base, in_switch_estimate(call))]
    network = net.domain_rate(group.inside)
    latency = part.base + 2.0 * _levels(call) * net.delay("Simple", tree=True)
    found = [_candidate(call, "NVLSTree", "Simple", (min(inner, network * _sharing(call)), latency), growing)]
    if net.reduces and net.network is not None:
        latency = part.base + 2.0 * net.delay("Simple", tree=True)
        rate = min(inner * net.network.in_network, network)
        found.append(_candidate(call, "CollNet", "Simple", (rate, latency), growing))
    return found


def _tree(call: Call, protocol: Protocol) -> Candidate:
    group, net = call.group, call.net
    base, hop = net.inner(protocol)
    latency = base + 2.0 * ((group.inside - 1) * hop + _levels(call) * net.delay(protocol, tree=True))
    inner = net.line_rate(group.inside) * net.gpu.ring.simple * _PATTERN / 2.0 if group.inside > 1 else float("inf")
    inner = min(inner, net.gpu.tree or inner)
    rate = min(inner, net.domain_rate(group.inside) * _sharing(call))
    share = {"LL": _LL_TREE, "LL128": 120.0 / 128.0, "Simple": 1.0}[protocol]
    return _candidate(call, "Tree", protocol, (rate * share, latency))


def _candidate(
    call: Call, algorithm: str, protocol: Protocol, line: tuple[float, float], growing: Floats | float = 0.0
) -> Candidate:
    rate, latency = line
    fill = call.net.network.fill if call.net.network else 2.0 * (call.group.ranks - 1) * call.net.gpu.chunk
    seconds = pipelined(call.size, rate, latency, fill) + growing
    return Candidate(algorithm, protocol, seconds, seconds * 0.0 + latency)


def _levels(call: Call) -> int:
    return ceil(log2(call.group.domains))


def _sharing(call: Call) -> float:
    """Return the payload that leaves a domain over what its network cards send [1]."""
    return 1.0 if call.group.domains <= 2 else 0.5
