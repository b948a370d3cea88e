"""Fit the parts of gpu-fabrics nvlink3, nvlink4 and nvlink5 to the rows marked so in the shipped cases; print them.

    python analysis/fit_collectives.py [--evaluations 30] [--study]

Least squares on the logarithm of predicted over measured time, with a soft L1 loss so that single rows do not pull.
Generations pull at each other: a constant that is a factor e away from the mean of the three counts as an error of
10 %, and as one of 1 % where it is that far from where the fit began. Rows of a loop that waits for every call count
without the 20 us of the wait.

``--study`` prints how far predictions are off for rows, and for systems, that the constants were not fitted to. Those
fits use every row that is not flagged, and begin with constants that no generation has of its own.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from dcsim.accuracy.collectives.algorithm import choice_of
from dcsim.accuracy.collectives.case import Case, read
from dcsim.accuracy.collectives.predict import BLOCKING_S, blocking, measured_s
from dcsim.accuracy.collectives.system import group_of
from dcsim.catalogue import Shelf
from dcsim.catalogue.fabrics import GpuFabric
from dcsim.network.collectives import Choice, Interconnect, Kind, RankGroup, collective_time

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
PULL, POOL, SOFT = 0.01, 0.1, 0.06
FOLDS = 5
_MIB = 2.0**20
_STEP = 1e-4  # of the logarithm of a constant, for slopes

Name = tuple[str, str]  # a part, "" for all of them, and a field
Parts = Mapping[str, GpuFabric]


class Series(NamedTuple):
    """Sizes [B] and times [s] of one kind of collective over as many ranks."""

    part: str
    kind: Kind
    group: RankGroup
    choice: Choice
    sizes: Floats
    seconds: Floats


def names(parts: Parts) -> list[Name]:
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


def usable(case: Case) -> bool:
    """Return whether a row was measured in one server of a known generation, and is no fault."""
    large = (case.size_bytes or 0.0) >= _MIB
    known = case.row["collective"] in KINDS and case.row["gpu"] in GENERATIONS and case.nodes == 1
    return known and not case.flagged and bool(case.size_bytes) and (large or case.timed)


def series(cases: Sequence[Case]) -> list[Series]:
    """Return the rows as series."""
    found: dict[tuple[str, str, int, str], list[tuple[float, float]]] = {}
    for case in cases:
        key = (GENERATIONS[case.row["gpu"]], case.row["collective"], group_of(case).ranks, case.text("algorithm"))
        waited = BLOCKING_S if blocking(case) else 0.0
        found.setdefault(key, []).append((case.size_bytes or 0.0, (measured_s(case) or 0.0) - waited))
    return [
        Series(part, KINDS[kind], RankGroup(ranks), choice_of(text), *np.array(points).T)
        for (part, kind, ranks, text), points in found.items()
    ]


def with_values(parts: Parts, wanted: Sequence[Name], values: Floats) -> dict[str, GpuFabric]:
    """Return the parts with other values of the fitted constants."""
    found = dict(parts)
    for (part, field), value in zip(wanted, values.tolist(), strict=True):
        for name in [part] if part else parts:
            found[name] = put(found[name], field, value)
    return found


def errors(parts: Parts, rows: Sequence[Series]) -> Floats:
    """Return the logarithm of predicted over measured time of every row."""
    found = [
        np.log(collective_time(row.kind, row.sizes, row.group, Interconnect(parts[row.part]), row.choice).seconds)
        - np.log(row.seconds)
        for row in rows
    ]
    return np.concatenate(found)


def values_of(parts: Parts, wanted: Sequence[Name]) -> Floats:
    """Return the logarithms of the constants; those that all share from a part that has them."""
    whole = next(name for name in parts if parts[name].in_switch)
    return np.log([get(parts[part or whole], field) for part, field in wanted])


def together(wanted: Sequence[Name]) -> Floats:
    """Return the matrix that takes from each constant the mean of the same one over the parts."""
    fields = np.array([field for _, field in wanted])
    alike = (fields[:, None] == fields).astype(np.float64)
    return np.eye(len(wanted)) - alike / alike.sum(axis=1, keepdims=True)


def fit(parts: Parts, rows: Sequence[Series], evaluations: int) -> dict[str, GpuFabric]:
    """Return the parts with the constants that fit the rows best."""
    wanted = names(parts)
    start, apart = values_of(parts, wanted), POOL * together(wanted)
    pulls = np.concatenate([PULL * np.eye(len(wanted)), apart])
    held = np.concatenate([PULL * start, np.zeros(len(wanted))])

    def of(values: Floats) -> Floats:
        return errors(with_values(parts, wanted, np.exp(values)), rows)

    def slopes(values: Floats) -> Floats:
        return np.concatenate([_slopes(of, values, wanted, rows), pulls])

    solution = least_squares(
        lambda values: np.concatenate([of(values), pulls @ values - held]),
        start,
        jac=slopes,
        loss="soft_l1",
        f_scale=SOFT,
        max_nfev=evaluations,
    )
    return with_values(parts, wanted, np.exp(solution.x))


def _slopes(of: Callable[[Floats], Floats], values: Floats, wanted: Sequence[Name], rows: Sequence[Series]) -> Floats:
    """Return the derivatives: the same constant of all generations moves at once, since each row has but one."""
    owner = np.concatenate([[row.part] * len(row.sizes) for row in rows])
    fields = np.array([field for _, field in wanted])
    found, here = np.zeros((len(owner), len(wanted))), of(values)
    for field in dict.fromkeys(fields.tolist()):
        slope = (of(values + _STEP * (fields == field)) - here) / _STEP
        for column in np.flatnonzero(fields == field):
            part = wanted[column][0]
            found[:, column] = np.where((owner == part) | (part == ""), slope, 0.0)
    return found


def neutral(parts: Parts) -> dict[str, GpuFabric]:
    """Return the parts with the geometric means of their constants in place of their own."""
    wanted = names(parts)
    values = values_of(parts, wanted)
    return with_values(parts, wanted, np.exp(values - together(wanted) @ values))


def left_out(parts: Parts, cases: Sequence[Case], key: Callable[[Case], object], evaluations: int) -> list[str]:
    """Return a line on the errors of each group of cases, each predicted by a fit to all others."""
    start, lines = neutral(parts), []
    every: list[tuple[float, float]] = []
    for label in dict.fromkeys(key(case) for case in cases):
        out = series([case for case in cases if key(case) == label])
        found = fit(start, series([case for case in cases if key(case) != label]), evaluations)
        sizes = np.concatenate([row.sizes for row in out]).tolist()
        own = list(zip(sizes, errors(found, out).tolist(), strict=True))
        every += own
        lines.append(f"  {label!s:64.64} {scored(own)}")
    return [f"  {'all':64} {scored(every)}", *lines]


def scored(found: Sequence[tuple[float, float]]) -> str:
    """Return the median and ninetieth percentile of errors from and below 1 MiB as text."""
    texts = []
    for name, large in (("from 1 MiB", True), ("below", False)):
        sizes = np.abs(np.expm1([error for size, error in found if (size >= _MIB) == large]))
        shown = f"{np.median(sizes):6.1%} ({np.quantile(sizes, 0.9):6.1%})" if sizes.size else f"{'none':>16}"
        texts.append(f"{name} {shown} of {sizes.size:3}")
    return "   ".join(texts)


def main(arguments: list[str]) -> int:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--evaluations", type=int, default=30, help="of the model and its slopes, at most")
    parser.add_argument("--study", action="store_true", help="print errors of rows and systems that were left out")
    options = parser.parse_args(arguments)
    shelf, cases = Shelf(), [case for case in read(None) if usable(case)]
    parts = {name: shelf.take(GpuFabric, name) for name in dict.fromkeys(GENERATIONS.values())}
    if options.study:
        print("one of five parts of the rows left out: median (90th percentile)")
        fold = left_out(parts, cases, lambda case: crc32(case.id.encode()) % FOLDS, options.evaluations)
        print("\n".join([*fold, "one system left out"]))
        print("\n".join(left_out(parts, cases, lambda case: case.row["system"], options.evaluations)))
        return 0
    rows = series([case for case in cases if case.text("fitted") == "yes"])
    fitted = fit(parts, rows, options.evaluations)
    found, wanted = np.abs(np.expm1(errors(fitted, rows))), names(parts)
    print(f"{len(found)} rows, {len(wanted)} constants: median error {np.median(found):.1%}, worst {found.max():.1%}")
    for (part, field), value in zip(wanted, np.exp(values_of(fitted, wanted)).tolist(), strict=True):
        print(f"{part or 'all':8} {field:24} {value:.4g}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
