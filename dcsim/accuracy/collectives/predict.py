"""The time or rate that the model predicts for a case, and what plainer models do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, cast

import numpy as np

from dcsim.accuracy.collectives.algorithm import choice_of
from dcsim.accuracy.collectives.case import Case
from dcsim.accuracy.collectives.system import group_of, interconnect_of
from dcsim.catalogue import Shelf
from dcsim.errors import InputError
from dcsim.network.collectives.choice import ANY, bus_factor, collective_time
from dcsim.network.collectives.experts import Routing, dispatch_rate, dispatch_s
from dcsim.network.collectives.setting import Interconnect, Kind, RankGroup

LARGE_BYTES: Final = 16 * 2.0**30  # where no size is stated the rate is that of large ones
# A loop that waits for every call adds the launch and the wait: fitted on two rows (docs/explanation/collectives.md).
BLOCKING_S: Final = 20e-6
_DATA_SHEET_START_S: Final = 10e-6  # of the data-sheet model, to which most libraries come for a few bytes
_PAIR: Final = 2
_VERBS_SHARE: Final = 0.98  # of the line rate, one RDMA write of a MiB (recalled)

_KINDS: Final = MappingProxyType(
    {
        "allreduce": "all-reduce",
        "allgather": "all-gather",
        "reducescatter": "reduce-scatter",
        "alltoall": "all-to-all",
        "alltoallv": "all-to-all",
        "a2a": "all-to-all",
        "broadcast": "broadcast",
        "bcast": "broadcast",
        "reduce": "reduce",
        "gather": "gather",
        "scatter": "gather",
        "sendrecv": "send-receive",
        "sendreceive": "send-receive",
        "p2p": "send-receive",
        "barrier": "barrier",
    }
)


@dataclass(frozen=True, slots=True)
class Prediction:
    """Time [s] and rate [B/s] of a case; of one without a size the rate alone, of one without a model neither."""

    seconds: float | None
    rate: float | None
    reason: str = ""
    algorithm: str = ""


def predict(case: Case, shelf: Shelf) -> Prediction:
    """Return what the model predicts, with the reason where it cannot."""
    found = _predict(case, shelf)
    value = found.seconds if case.timed else found.rate
    if value is not None and not 0.0 < value < float("inf"):
        return Prediction(None, None, f"a {case.metric} of {value:g} says nothing")
    return found


def _predict(case: Case, shelf: Shelf) -> Prediction:
    try:
        if case.slips:
            raise InputError(case.slips)
        group = group_of(case)
        if group.ranks < _PAIR:
            raise InputError(f"{case.place}: found a collective over {group.ranks} rank, expected at least {_PAIR}")
        net = interconnect_of(case, group, shelf)
        name = re.sub(r"[^a-z0-9]", "", case.text("collective"))
        if name.startswith("moe") or name in ("dispatch", "combine"):
            return _experts(case, group, net)
        if name not in _KINDS:
            return Prediction(None, None, f"found collective {case.row['collective']!r}, expected all_reduce or alike")
        kind = cast(Kind, _KINDS[name])
        if case.text("algorithm").startswith("ib_"):
            return _verbs(case, net)
        return _collective(case, kind, group, net)
    except InputError as error:
        return Prediction(None, None, str(error))


def data_sheet_s(case: Case, shelf: Shelf) -> float | None:
    """Return the time by data sheets alone [s]: a fixed start and the bytes of a ring at the slower line rate."""
    group = group_of(case)
    if group.ranks < _PAIR:
        return None
    net = interconnect_of(case, group, shelf)
    kind = cast(Kind, _KINDS.get(re.sub(r"[^a-z0-9]", "", case.text("collective")), "all-to-all"))
    rate = net.line_rate(group.inside)
    if net.network is not None:
        rate = min(rate, net.network_rate * (1 if kind in ("all-to-all", "send-receive") else group.inside))
    size = case.size_bytes or LARGE_BYTES
    return _DATA_SHEET_START_S + bus_factor(kind, group.ranks) * size / max(rate, 1.0)


def measured_s(case: Case) -> float | None:
    """Return the measured time [s], None for a rate without a size."""
    if case.timed:
        return case.value * case.scale
    if case.size_bytes is None:
        return None
    return case.size_bytes * factor(case) / (case.value * case.scale) or None  # none for a bus of one rank


def factor(case: Case) -> float:
    """Return what a rate is of size over time [1]: one, or the bus factor."""
    kind = _KINDS.get(re.sub(r"[^a-z0-9]", "", case.text("collective")))
    return bus_factor(cast(Kind, kind), group_of(case).ranks) if case.metric == "busbw" and kind else 1.0


def _collective(case: Case, kind: Kind, group: RankGroup, net: Interconnect) -> Prediction:
    size = case.size_bytes or LARGE_BYTES
    if kind == "barrier" and not case.timed:
        return Prediction(None, None, "a rate of a barrier says nothing")
    try:
        found = collective_time(kind, size, group, net, choice_of(case.text("algorithm")))
    except InputError:
        # What is named does not exist there, as reduction in a switch that cannot: then the library's own choice.
        found = collective_time(kind, size, group, net, ANY)
    seconds = float(found.seconds) + (BLOCKING_S if blocking(case) else 0.0)
    rate = size / seconds * (bus_factor(kind, group.ranks) if case.metric == "busbw" else 1.0)
    name = f"{found.algorithm} {found.protocol}"
    if case.size_bytes is None and case.timed and kind != "barrier":
        return Prediction(None, None, "no message_bytes stated, without which a time means nothing")
    return Prediction(seconds if case.size_bytes or case.timed else None, rate, "", name)


def _experts(case: Case, group: RankGroup, net: Interconnect) -> Prediction:
    if case.size_bytes is None:
        if case.timed:
            return Prediction(None, None, "no message_bytes stated, without which a time means nothing")
        return Prediction(None, dispatch_rate(group, net, Routing()), "", "once to each server")
    if case.timed or "low" in case.text("algorithm"):
        seconds = float(dispatch_s(np.asarray(case.size_bytes), group, net))
        return Prediction(seconds, case.size_bytes / seconds, "", "straight to each rank")
    rate = dispatch_rate(group, net, Routing())
    return Prediction(case.size_bytes / rate, rate, "", "once to each server")


def _verbs(case: Case, net: Interconnect) -> Prediction:
    """One remote write between two hosts, no collective library above it."""
    if net.network is None:
        return Prediction(None, None, "a remote write inside one host")
    size = case.size_bytes or LARGE_BYTES
    seconds = net.network.message + size / (net.network_rate * _VERBS_SHARE)
    if "bw" in case.text("algorithm"):  # many are under way
        seconds -= net.network.message
    return Prediction(seconds, size / seconds, "", "remote write")


def blocking(case: Case) -> bool:
    """Return whether the benchmark waits for every call before the next: by its note, or known of its source."""
    said = "blocking" in case.text("note", "harness") and "non-blocking" not in case.text("note", "harness")
    return said or ("stas00/ml-engineering" in case.text("source") and "(sharp)" not in case.text("source"))
