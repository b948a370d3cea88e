"""How far predictions are off: rows, their summary over all and by group, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isnan
from statistics import fmean, median
from typing import Any

from dcsim import units

_NINETY = 0.9


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement and its prediction, in ``unit``; ``predicted`` is None, with the reason, where there is none.

    ``low`` and ``high`` are the interval of the prediction, where it has one. ``fitted`` is true where a parameter was
    fitted on this very measurement. ``naive`` is what a plainer model predicts, for comparison.
    """

    id: str
    metric: str
    unit: str
    measured: float
    predicted: float | None
    low: float | None = None
    high: float | None = None
    fitted: bool = False
    reason: str = ""
    naive: float | None = None
    groups: Mapping[str, str] | None = None
    more: Mapping[str, float | None] | None = None

    @property
    def error(self) -> float | None:
        """Predicted over measured, less one [1]."""
        return None if self.predicted is None else self.predicted / self.measured - 1.0

    @property
    def naive_error(self) -> float | None:
        """The same of the plainer model [1]."""
        return None if self.naive is None else self.naive / self.measured - 1.0

    def as_dict(self) -> dict[str, Any]:
        """Return the row as it is written to JSON, its groups and what more is known as columns of their own."""
        plain = asdict(self)
        groups, more = plain.pop("groups") or {}, plain.pop("more") or {}
        if isnan(self.measured):  # JSON has no such number
            plain["measured"] = None
        return {**plain, "error": self.error, "naive_error": self.naive_error, **more, **groups}


@dataclass(frozen=True, slots=True)
class Score:
    """Absolute errors of some rows [1]; coverage is the share of rows with a prediction."""

    rows: int
    median: float | None
    mean: float | None
    ninetieth: float | None
    worst: float | None
    coverage: float


def score(errors: Sequence[float | None]) -> Score:
    """Return the score of errors, None where nothing was predicted."""
    found = sorted(abs(error) for error in errors if error is not None)
    coverage = len(found) / len(errors) if errors else 0.0
    if not found:
        return Score(len(errors), None, None, None, None, coverage)
    return Score(len(errors), median(found), fmean(found), quantile(found, _NINETY), found[-1], coverage)


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the ``share`` quantile of an ordered sample, linear between its values (Hyndman and Fan's type 7)."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the scores over all rows, of the plainer model, and by every group."""
    found: dict[str, Any] = {
        "all": asdict(score([row.error for row in rows])),
        "naive": asdict(score([row.naive_error for row in rows])),
    }
    for group in dict.fromkeys(key for row in rows for key in row.groups or {}):
        found[f"by_{group}"] = {
            value: asdict(score([row.error for row in chosen])) for value, chosen in _grouped(rows, group).items()
        }
    return found


def to_json(rows: Sequence[Row], facts: Mapping[str, Any]) -> str:
    """Return rows and summary as JSON; ``facts`` are added to the summary."""
    return json.dumps({"rows": [row.as_dict() for row in rows], "summary": {**summary(rows), **facts}}, indent=1)


def table(rows: Sequence[Row]) -> str:
    """Return rows and scores as text for a terminal."""
    head = ("id", "measured", "predicted", "error", "naive")
    body = [
        (row.id, units.show(row.measured, row.unit), _shown(row), _percent(row.error), _percent(row.naive_error))
        for row in rows
    ]
    parts = [columns([head, *body])]
    parts += [f"{row.id}: not predicted: {row.reason}" for row in rows if row.predicted is None]
    scores = [("", "rows", "median", "mean", "90 %", "worst", "coverage"), _scored("all", [row.error for row in rows])]
    for group in dict.fromkeys(key for row in rows for key in row.groups or {}):
        scores += [_scored(value, [row.error for row in chosen]) for value, chosen in _grouped(rows, group).items()]
    if any(row.naive is not None for row in rows):
        scores.append(_scored("naive roofline", [row.naive_error for row in rows]))
    return "\n\n".join([*parts, columns(scores)])


def _scored(label: str, errors: Sequence[float | None]) -> tuple[str, ...]:
    return scored(label, asdict(score(errors)))


def scored(label: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the line of a table for a score as it is written to JSON."""
    sizes = (found["median"], found["mean"], found["ninetieth"], found["worst"])
    return (label, str(found["rows"]), *(_percent(size, sign=False) for size in sizes), f"{found['coverage']:.0%}")


def _grouped(rows: Iterable[Row], group: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault((row.groups or {}).get(group, ""), []).append(row)
    return found


def _shown(row: Row) -> str:
    return "-" if row.predicted is None else units.show(row.predicted, row.unit)


def _percent(share: float | None, sign: bool = True) -> str:
    return "-" if share is None else f"{share:+.1%}" if sign else f"{share:.1%}"


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as text, the first column to the left and the others to the right."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    align: list[Callable[[str, int], str]] = [str.ljust, *[str.rjust] * (len(widths) - 1)]
    return "\n".join(
        "  ".join(place(cell, width) for place, cell, width in zip(align, row, widths, strict=True)).rstrip()
        for row in rows
    )
