"""Rings: all collectives in which chunks travel from rank to rank."""

from __future__ import annotations

import numpy as np

from dcsim.network.collectives.estimate import ring_estimate
from dcsim.network.collectives.setting import FLAG_SHARE, PROTOCOLS, Call, Candidate, Floats, Protocol, saturating

_ROUNDS = {"all-reduce": 2, "reduce-scatter": 1, "all-gather": 1, "broadcast": 1, "reduce": 1}


def ring(call: Call) -> list[Candidate]:
    """Return a ring with each protocol, empty for a kind that rings do not do.

    Notes
    -----
    base + inner steps x hop + network steps x network hop + (steps + tail) x part / rate, the rate that of the slower
    of the links inside and the network cards. LL adds a ramp as more processors take part, Simple a time of every step
    that grows with its part until chunks have their full size; through the network a pipeline of chunks fills. The
    steps are those of NCCL's tuning model (src/graph/tuning.cc); tails, ramps and fill are this model's, from fits.
    """
    rounds = _ROUNDS.get(call.kind)
    if rounds is None:
        return []
    return [_ring(call, rounds, protocol) for protocol in PROTOCOLS]


def _ring(call: Call, rounds: int, protocol: Protocol) -> Candidate:
    group, net, gpu = call.group, call.net, call.net.gpu
    steps, crossings = rounds * (group.ranks - 1), rounds * (group.domains - 1)
    base, hop = net.inner(protocol)
    latency = base + (steps - crossings) * hop + crossings * net.delay(protocol)
    # The root of a broadcast or reduction moves the whole payload, in chunks; ranks of the others a part each step.
    whole = call.kind in ("broadcast", "reduce")
    part = call.size / group.ranks
    sent = call.size if whole else steps * part
    rate = min(net.ring_rate(group, protocol), net.domain_rate(group.inside) * _share(protocol))
    wire = (sent + _tail(call, protocol) * part) / rate
    seconds = latency + wire + _filling(call, wire, crossings * net.delay(protocol))
    if protocol == "LL":
        seconds = seconds + gpu.ramp * saturating(call.size, gpu.ramp_size)
    if protocol == "Simple":
        seconds = seconds + (steps - crossings) * gpu.chunk * saturating(part, gpu.chunk_size)
    return Candidate("Ring", protocol, seconds, seconds * 0.0 + latency, ring_estimate(call, protocol, rounds))


def _filling(call: Call, wire: Floats, network_s: float) -> Floats | float:
    """Return the time in which the pipeline of chunks through the network fills [s]; see :func:`pipelined`."""
    network = call.net.network
    return 0.0 if network is None else np.minimum(2.0 * np.sqrt(network_s * wire), network.fill)


def _tail(call: Call, protocol: Protocol) -> float:
    tail = call.net.gpu.tail
    if protocol != "Simple":
        return tail.fast
    return {"all-reduce": tail.all_reduce, "reduce-scatter": tail.reduce_scatter}.get(call.kind, tail.all_gather)


def _share(protocol: Protocol) -> float:
    """Return the payload of what crosses the network [1]: 120 of 128 bytes with LL128."""
    return {"LL": FLAG_SHARE, "LL128": 120.0 / 128.0, "Simple": 1.0}[protocol]
