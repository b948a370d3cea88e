"""What NCCL reckons with when it chooses inside one domain: constants of its tuning model, not of any measurement.

The constants of this file are the same for all links; those that differ are in the catalogue (``estimate`` of a part of
``gpu-fabrics``). All from NVIDIA/nccl src/graph/tuning.cc (2026).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from dcsim.network.collectives.setting import FLAG_SHARE, Call, Floats, Protocol

_BASE_S: Final = MappingProxyType({"LL": 6.6e-6, "LL128": 14e-6, "Simple": 8.4e-6})
_LL128_SHARE: Final = 0.92
_IN_SWITCH_S: Final = 25e-6


def ring_estimate(call: Call, protocol: Protocol, rounds: int) -> Floats | None:
    """Return the estimate for a ring of ``rounds`` (n - 1) steps [s], None between domains."""
    if call.group.domains > 1:
        return None
    part, ranks = call.net.gpu.estimate, call.group.ranks
    rate = call.net.ring_rate(call.group, "Simple")
    hop, share = {
        "LL": (part.ll, min(FLAG_SHARE * rate, part.ll_rate)),
        "LL128": (part.ll128, _LL128_SHARE * rate),
        "Simple": (part.simple, rate),
    }[protocol]
    steps = rounds * (ranks - 1)
    return _BASE_S[protocol] + steps * hop + steps * call.size / ranks / share


def in_switch_estimate(call: Call) -> Floats:
    """Return the estimate for an all-reduce by the switch of a domain [s]."""
    rate = call.net.gpu.estimate.in_switch * call.net.ring_rate(call.group, "Simple")
    return _IN_SWITCH_S + call.size / rate
