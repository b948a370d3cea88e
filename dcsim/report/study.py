"""A study at the terminal: its points as a table, or how its metrics spread over many of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dcsim import units
from dcsim.report.columns import columns

if TYPE_CHECKING:
    import pandas as pd

    from dcsim.results.study import StudyResult
    from dcsim.scenario.study import Constraint

_ROWS, _METRICS, _REASONS = 24, 6, 5


def summary(found: StudyResult, bounds: Sequence[Constraint] = ()) -> str:
    """Return what a study found: every point if they are few, else the range of each metric and where its ends are."""
    done = found.done
    kept = done[feasible(done, bounds)]
    head = f"{found.name}: {len(found.frame):,} points, {len(found.failed):,} failed"
    if bounds:
        head += f", {len(kept):,} of {len(done):,} keep the constraints"
    parts = [head, _table(found, kept) if 0 < len(kept) <= _ROWS else _ranges(found, kept), _reasons(found)]
    return "\n\n".join(part for part in parts if part)


def feasible(frame: pd.DataFrame, bounds: Sequence[Constraint]) -> Any:
    """Return for each row whether its metrics keep the constraints, shape (rows,); one that is not there does not."""
    import numpy as np

    kept = np.ones(len(frame), dtype=bool)
    for bound in bounds:
        if bound.name in frame.columns and frame[bound.name].dtype.kind == "f":
            kept &= np.array([bound.met(value) for value in frame[bound.name]], dtype=bool)
    return kept


def _table(found: StudyResult, kept: pd.DataFrame) -> str:
    metrics = varying(found, kept)[:_METRICS]
    head, rows = [_short(name) for name in (*found.axes, *metrics)], []
    for _, row in kept.iterrows():
        rows.append([plain(row[axis]) for axis in found.axes] + [units.show(row[m], found.unit(m)) for m in metrics])
    left_out = len(found.metrics) - len(metrics)
    more = f"\n({left_out} more metrics are kept)" if left_out else ""
    return columns(head, rows, range(len(head))) + more


def varying(found: StudyResult, kept: pd.DataFrame) -> list[str]:
    """Return the metrics that differ between points; all if there is one point."""
    known = [name for name in found.metrics if kept[name].notna().all() and len(kept)]
    return [name for name in known if len(kept) == 1 or kept[name].nunique() > 1]


def _ranges(found: StudyResult, kept: pd.DataFrame) -> str:
    head, rows = ("metric", "lowest", "median", "highest", "lowest at"), []
    for metric in varying(found, kept)[: 2 * _METRICS]:
        values, unit = kept[metric], found.unit(metric)
        where = kept.iloc[int(values.to_numpy().argmin())]
        at = ", ".join(f"{_short(axis)}={plain(where[axis])}" for axis in found.axes)
        rows.append([metric, *(units.show(v, unit) for v in (values.min(), values.median(), values.max())), at])
    return columns(head, rows, (1, 2, 3)) if rows else ""


def _reasons(found: StudyResult) -> str:
    counts = found.failed["reason"].value_counts()
    lines = [f"{count:,} failed: {reason}" for reason, count in counts.head(_REASONS).items()]
    more = len(counts) - len(lines)
    return "\n".join([*lines, f"and {more} other reasons"] if more > 0 else lines)


def _short(path: str) -> str:
    return ".".join(path.split(".")[-2:])


def plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
