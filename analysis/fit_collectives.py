"""Fit the parts of gpu-fabrics nvlink3, nvlink4 and nvlink5 to the rows marked so in the shipped cases; print them.

    python analysis/fit_collectives.py [--evaluations 250]

Least squares on the logarithm of predicted over measured time, with a soft L1 loss so that single rows do not pull, and
a weak pull toward the values in the catalogue (a change by a factor e counts as an error of 5 %). Rows of a loop that
waits for every call count without the 20 us of the wait.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from dcsim.accuracy.collectives.case import Case, read
from dcsim.accuracy.collectives.predict import BLOCKING_S, measured_s
from dcsim.accuracy.collectives.system import group_of
from dcsim.catalogue import Shelf
from dcsim.catalogue.fabrics import GpuFabric
from dcsim.network.collectives import Interconnect, Kind, RankGroup, collective_time

Floats = NDArray[np.float64]
GENERATIONS = {"A100-SXM": "nvlink3", "H100-SXM": "nvlink4", "H200-SXM": "nvlink4", "B200-SXM": "nvlink5"}
KINDS: Mapping[str, Kind] = {
    "all_reduce": "all-reduce",
    "all_gather": "all-gather",
    "reduce_scatter": "reduce-scatter",
    "alltoall": "all-to-all",
}
SHARED = (
    "ramp_size",
    "chunk_size",
    "ring.ll128",
    "tail.all_reduce",
    "tail.fast",
    "exchange.tail",
    "in_switch.chunk_size",
)
OWN = (
    *(f"{group}.{protocol}" for group in ("base", "hop") for protocol in ("ll", "ll128", "simple")),
    *("ramp", "chunk", "ring.simple", "ring.ll", "tail.all_gather", "tail.reduce_scatter"),
    *(f"exchange.{key}" for key in ("short_base", "short_peer", "short_ramp", "short_rate", "base", "peer", "chunk")),
    *("exchange.efficiency", "exchange.to_one"),
)
SWITCH = ("in_switch.base", "in_switch.rank", "in_switch.efficiency")
PULL, SOFT = 0.05, 0.06

Name = tuple[str, str]  # a part, "" for all of them, and a field
Series = tuple[str, Kind, RankGroup, Floats, Floats]


def names(parts: Mapping[str, GpuFabric]) -> list[Name]:
    """Return every constant that is fitted."""
    own = [(part, field) for part in parts for field in OWN]
    return [("", field) for field in SHARED] + own + [(p, f) for p in parts if parts[p].in_switch for f in SWITCH]


def get(part: GpuFabric, field: str) -> float:
    """Return a field by its dotted name."""
    group, _, key = field.rpartition(".")
    return float(getattr(getattr(part, group) if group else part, key))


def put(part: GpuFabric, field: str, value: float) -> GpuFabric:
    """Return a part with another value of a field."""
    group, _, key = field.rpartition(".")
    if not group:
        return part.model_copy(update={key: value})
    inner = getattr(part, group)
    return part if inner is None else part.model_copy(update={group: inner.model_copy(update={key: value})})


def series(cases: Sequence[Case]) -> list[Series]:
    """Return sizes and times [s] of the fitted rows in one server, by part, kind and ranks."""
    found: dict[tuple[str, str, int], list[tuple[float, float]]] = {}
    for case in cases:
        seconds, ranks = measured_s(case), group_of(case).ranks
        usable = case.text("fitted") == "yes" and case.nodes == 1 and case.row["collective"] in KINDS
        part = GENERATIONS.get(case.row["gpu"])
        if usable and part and seconds and case.size_bytes and (case.size_bytes >= 2**20 or case.timed):
            waited = BLOCKING_S if "blocking" in case.text("note") else 0.0
            found.setdefault((part, case.row["collective"], ranks), []).append((case.size_bytes, seconds - waited))
    return [(part, KINDS[kind], RankGroup(ranks), *np.array(points).T) for (part, kind, ranks), points in found.items()]


def with_values(parts: Mapping[str, GpuFabric], wanted: Sequence[Name], values: Floats) -> dict[str, GpuFabric]:
    """Return the parts with other values of the fitted constants."""
    found = dict(parts)
    for (part, field), value in zip(wanted, values.tolist(), strict=True):
        for name in [part] if part else parts:
            found[name] = put(found[name], field, value)
    return found


def errors(parts: Mapping[str, GpuFabric], rows: Sequence[Series]) -> Floats:
    """Return the logarithm of predicted over measured time of every row."""
    found = [
        np.log(collective_time(kind, sizes, group, Interconnect(parts[part])).seconds / seconds)
        for part, kind, group, sizes, seconds in rows
    ]
    return np.concatenate(found)


def main(arguments: list[str]) -> int:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--evaluations", type=int, default=250, help="of the model, at most")
    options = parser.parse_args(arguments)
    shelf = Shelf()
    parts = {name: shelf.take(GpuFabric, name) for name in dict.fromkeys(GENERATIONS.values())}
    wanted, rows = names(parts), series(read(None))
    first = next(name for name in parts if parts[name].in_switch)
    start = np.log([get(parts[part or first], field) for part, field in wanted])

    def residuals(values: Floats) -> Floats:
        return np.concatenate([errors(with_values(parts, wanted, np.exp(values)), rows), PULL * (values - start)])

    solution = least_squares(residuals, start, loss="soft_l1", f_scale=SOFT, max_nfev=options.evaluations)
    fitted = with_values(parts, wanted, np.exp(solution.x))
    found = np.abs(np.expm1(errors(fitted, rows)))
    print(f"{len(found)} rows, {len(wanted)} constants: median error {np.median(found):.1%}, worst {found.max():.1%}")
    for (part, field), value in zip(wanted, np.exp(solution.x).tolist(), strict=True):
        print(f"{part or 'all':8} {field:24} {value:.4g}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
