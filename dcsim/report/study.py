"""A study at the terminal: its points as a table, or how its metrics spread over many of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from textwrap import fill
from typing import TYPE_CHECKING, Any

from dcsim import units
from dcsim.report.columns import columns
from dcsim.results import known_errors

if TYPE_CHECKING:
    import pandas as pd

    from dcsim.results.study import StudyResult
    from dcsim.scenario.study import Constraint

_ROWS, _METRICS, _REASONS, _WIDTH = 24, 6, 5, 100
_WORDY = 3  # axes that tables name by two words each


def summary(found: StudyResult, bounds: Sequence[Constraint] = ()) -> str:
    """Return what a study found: every point if they are few, else the range of each metric and where its ends are."""
    done = found.done
    kept = done[feasible(done, bounds)]
    head = f"{found.name}: {len(found.frame):,} points, {len(found.failed):,} failed"
    if bounds:
        head += f", {len(kept):,} of {len(done):,} keep the constraints"
    told = _table(found, kept) if 0 < len(kept) <= _ROWS else _ranges(found, kept)
    parts = [head, told, fill(resting(found, varying(found, kept)), _WIDTH), _reasons(found)]
    return "\n\n".join(part for part in parts if part)


def resting(found: StudyResult, metrics: Sequence[str]) -> str:
    """Return in a line what metrics of a study rest on."""
    return known_errors.line_of_points({name: found.rests_on(name) for name in metrics})


def feasible(frame: pd.DataFrame, bounds: Sequence[Constraint]) -> Any:
    """Return for each row whether its metrics keep the constraints, shape (rows,); one that is not there does not."""
    import numpy as np

    kept = np.ones(len(frame), dtype=bool)
    for bound in bounds:
        if bound.name in frame.columns and frame[bound.name].dtype.kind == "f":
            kept &= np.array([bound.met(value) for value in frame[bound.name]], dtype=bool)
    return kept


def _table(found: StudyResult, kept: pd.DataFrame) -> str:
    shown = [name for name, _ in found.objectives]
    metrics = list(dict.fromkeys([*shown, *varying(found, kept)]))
    values = [[units.show(value, found.unit(name)) for value in kept[name]] for name in metrics]
    cells = [[_last(name, metrics), *column] for name, column in zip(metrics, values, strict=True)]
    axes = [[short(axis), *map(plain, kept[axis])] for axis in found.axes]
    least = len(axes) + max(1, len(shown))
    if _fitting([*axes, *cells]) < least:  # what is chosen by matters more than whole names
        axes = [[_last(axis, found.axes), *column[1:]] for axis, column in zip(found.axes, axes, strict=True)]
    cells = [*axes, *cells]
    fitting = max(len(axes) + 1, _fitting(cells))
    head, *rows = zip(*cells[:fitting], strict=True)
    left_out = len(found.metrics) - fitting + len(found.axes)
    more = f"\n({left_out} more metrics are kept)" if left_out else ""
    return columns(head, rows, range(len(head))) + more


def _fitting(cells: Sequence[Sequence[str]]) -> int:
    """Return how many columns fit beside each other, two blanks between them."""
    ends = accumulate(max(map(len, column)) + 2 for column in cells)
    return sum(end <= _WIDTH + 2 for end in ends)


def _last(name: str, names: Sequence[str]) -> str:
    """Return the last word of a metric's name where it is the only one of ``names`` with it."""
    last = name.rpartition(".")[2]
    return last if sum(other.rpartition(".")[2] == last for other in names) == 1 else short(name)


def varying(found: StudyResult, kept: pd.DataFrame) -> list[str]:
    """Return the metrics that differ between points; all if there is one point."""
    known = [name for name in found.metrics if kept[name].notna().all() and len(kept)]
    return [name for name in known if len(kept) == 1 or kept[name].nunique() > 1]


def _ranges(found: StudyResult, kept: pd.DataFrame) -> str:
    head, rows = ("metric", "lowest", "median", "highest", "lowest at"), []
    for metric in varying(found, kept)[: 2 * _METRICS]:
        values, unit = kept[metric], found.unit(metric)
        where = kept.iloc[int(values.to_numpy().argmin())]
        at = ", ".join(f"{short(axis)}={plain(where[axis])}" for axis in found.axes)
        rows.append([metric, *(units.show(v, unit) for v in (values.min(), values.median(), values.max())), at])
    return columns(head, rows, (1, 2, 3)) if rows else ""


def _reasons(found: StudyResult) -> str:
    counts = found.failed["reason"].value_counts()
    lines = [f"{count:,} failed: {reason}" for reason, count in counts.head(_REASONS).items()]
    more = len(counts) - len(lines)
    return "\n".join([*lines, f"and {more} other reasons"] if more > 0 else lines)


def heads_of(axes: Sequence[str]) -> list[str]:
    """Return the heads of columns of axes: two words of each, one where there are so many that these take the width."""
    return [short(axis) if len(axes) <= _WORDY else _last(axis, axes) for axis in axes]


def short(path: str) -> str:
    """Return the last two words of a path: one alone, such as "global", tells nobody of what it is."""
    return ".".join(path.split(".")[-2:])


def plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
