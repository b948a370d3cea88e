"""Collectives: how long each takes by every algorithm and protocol, and which of them a library chooses.

:func:`collective_time` is the one to call. Closed forms of the schedules alone are in
:mod:`dcsim.network.collectives.alpha_beta`.
"""

from __future__ import annotations

from dcsim.network.collectives.alpha_beta import (
    hierarchical_all_reduce_s,
    parameter_server_s,
    ring_all_reduce_s,
    ring_latency_s,
    ring_share,
    tree_all_reduce_s,
)
from dcsim.network.collectives.choice import ANY, Choice, CollectiveTime, bus_factor, collective_time
from dcsim.network.collectives.setting import Interconnect, Kind, RankGroup

__all__ = [
    "ANY",
    "Choice",
    "CollectiveTime",
    "Interconnect",
    "Kind",
    "RankGroup",
    "bus_factor",
    "collective_time",
    "hierarchical_all_reduce_s",
    "parameter_server_s",
    "ring_all_reduce_s",
    "ring_latency_s",
    "ring_share",
    "tree_all_reduce_s",
]
