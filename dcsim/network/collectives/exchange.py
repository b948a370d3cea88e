"""Direct exchanges: every rank sends straight to those that want its bytes."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from dcsim.network.collectives.setting import FLAG_SHARE, Call, Candidate, Floats, RankGroup, saturating

_SHORT_BYTES: Final = 16384.0  # NCCL_P2P_LL_THRESHOLD, NCCL src/enqueue.cc (recalled)


def exchange(call: Call) -> list[Candidate]:
    """Return the direct all-to-all or gather of short and of long messages, empty for other kinds.

    Notes
    -----
    What goes to ranks of the own domain and what goes through the network travel at once; the slower decides. A gather
    is bound by the port of its root, which receives as much as a rank of an all-to-all does.
    """
    if call.kind not in ("all-to-all", "gather"):
        return []
    return [_short(call), _long(call)]


def send_receive(call: Call) -> list[Candidate]:
    """Return the time of one message from a rank to another, in another domain if there are several."""
    if call.kind != "send-receive":
        return []
    gpu, net, pair = call.net.gpu, call.net, RankGroup(2)
    latency = gpu.exchange.short_base + gpu.exchange.short_peer
    rate = net.ring_rate(pair, "Simple")
    if call.group.domains > 1:
        latency += net.delay("Simple")
        rate = min(rate, net.domain_rate(1))
    seconds = latency + gpu.exchange.short_ramp * saturating(call.size, gpu.ramp_size) + call.size / rate
    return [Candidate("Direct", "Simple", seconds, seconds * 0.0 + latency)]


def _short(call: Call) -> Candidate:
    gpu, peers = call.net.gpu, call.group.ranks - 1
    latency = gpu.exchange.short_base + peers * gpu.exchange.short_peer
    latency += call.net.delay("LL") if call.group.domains > 1 else 0.0
    near, far = _apart(call)
    wire = np.maximum(near / gpu.exchange.short_rate, far / FLAG_SHARE)
    seconds = latency + gpu.exchange.short_ramp * saturating(call.size, gpu.ramp_size) + wire
    return Candidate("Direct", "LL", seconds, seconds * 0.0 + latency, np.where(_is_short(call), 0.0, 1.0))


def _long(call: Call) -> Candidate:
    gpu, group = call.net.gpu, call.group
    peers = group.ranks - 1
    latency = gpu.exchange.base + peers * gpu.exchange.peer
    latency += call.net.delay("Simple") if group.domains > 1 else 0.0
    near, far = _apart(call)
    part = call.size / group.ranks
    line = call.net.line_rate(group.inside)
    rate = line * min(gpu.exchange.efficiency, max(group.inside - 1, 1) * gpu.exchange.to_one)
    inner = (near + gpu.exchange.tail * part) / rate if group.inside > 1 else near
    seconds = latency + gpu.exchange.chunk * saturating(part, gpu.chunk_size) + np.maximum(inner, far)
    return Candidate("Direct", "Simple", seconds, seconds * 0.0 + latency, np.where(_is_short(call), 1.0, 0.0))


def _is_short(call: Call) -> NDArray[np.bool_]:
    """Return whether the library sends a message with LL."""
    return call.size / call.group.ranks <= _SHORT_BYTES


def _apart(call: Call) -> tuple[Floats, Floats]:
    """Return the bytes of a rank for its own domain [B], and the time of those for others in the network [s]."""
    group, net = call.group, call.net
    near = call.size * (group.inside - 1) / group.ranks
    if net.network is None:
        return near, call.size * 0.0
    far = call.size * (group.ranks - group.inside) / group.ranks
    return near, far / net.domain_rate(1)
