"""The page of a study: what was asked, what the points show, and every one of them in a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dcsim.report import figures, study_best, study_outlook
from dcsim.report.capacity import Outlook
from dcsim.report.numbers import percent, show
from dcsim.report.page import item
from dcsim.report.study import heads_of, plain, summary, varying
from dcsim.report.tables import Cell, Column, View
from dcsim.results import dictionary
from dcsim.results.known_errors import Basis, legend
from dcsim.results.study import StudyResult

_MOST_ROWS, _MOST_METRICS = 500, 10


def of_study(found: StudyResult, outlook: Outlook | None = None) -> dict[str, Any]:
    """Return the values of the template of a study."""
    view = study_outlook.table(found, outlook or Outlook())
    sections = [("points", "What changes"), ("capacity", "Capacity"), ("ranges", "Ranges"), ("table", "All points")]
    best = study_best.lines(found)
    return {
        "title": f"{found.name}: dcsim study",
        "heading": f"{found.name}: {len(found.frame):,} points",
        "facts": [f"{axis}: {found.frame[axis].nunique()} values" for axis in found.axes],
        "badges": [],
        "sections": [("best", "Which is best")] * bool(best) + sections + [("failed", "Failed"), ("again", "Again")],
        "best": best,
        "pareto": item(study_best.drawing(found)),
        "best_table": study_best.table(found),
        "drawing": item(figures.points(found)),
        "capacity_table": view,
        "capacity_told": study_outlook.told(found, outlook or Outlook()),
        "ranges": _ranges(found),
        "table_view": _table(found),
        "failed": _failed(found),
        "command": f"dcsim sweep {found.about.get('file') or found.name + '.yaml'}",
        "same": _same(found),
        "summary": summary(found).split("\n", 1)[0],
    }


def _same(found: StudyResult) -> list[tuple[str, str]]:
    """Return what has to be the same for the same numbers to the last bit."""
    about, keys = found.about, ("base", "seed", "start", "shared", "dcsim")
    words = ("base scenario", "seed", "start", "digest of what all points share", "dcsim")
    told = [(word, str(about[key])) for key, word in zip(keys, words, strict=True) if about.get(key) is not None]
    bounds = "; ".join(map(str, about.get("constraints") or ()))
    return [*told, ("constraints", bounds)] if bounds else told


def _ranges(found: StudyResult) -> View:
    """One row a metric: its lowest, median and highest value, and where the ends are."""
    heads = ("metric", "rests on, and how far off", "lowest", "at", "median", "highest", "at")
    rows, known, named = [], list[Basis](), dict(zip(found.axes, heads_of(found.axes), strict=True))
    for metric in varying(found, found.done):
        values, unit = found.done[metric], found.unit(metric)
        ends = [found.done.iloc[int(place)] for place in (values.to_numpy().argmin(), values.to_numpy().argmax())]
        low, high = (_number(metric, float(end[metric]), unit) for end in ends)
        where = [Cell(", ".join(f"{name}={plain(end[axis])}" for axis, name in named.items())) for end in ends]
        bases = found.rests_on(metric)
        known += bases
        rests = Cell(" or ".join(basis.brief for basis in bases))
        middle = _number(metric, float(values.median()), unit)
        rows.append((Cell(dictionary.title(metric)), rests, low, where[0], middle, high, where[1]))
    columns = tuple(Column(head, "", head in ("lowest", "median", "highest")) for head in heads)
    return View("ranges", "Metrics that vary", columns, tuple(rows), legend(known) if known else "")


def _table(found: StudyResult) -> View:
    metrics = varying(found, found.done)[:_MOST_METRICS]
    columns = [
        Column(name, "", found.frame[axis].dtype.kind == "f")
        for axis, name in zip(found.axes, heads_of(found.axes), strict=True)
    ]
    columns += [Column(dictionary.title(metric), "", True) for metric in metrics]
    rows = [_row(found, row, metrics) for _, row in found.done.head(_MOST_ROWS).iterrows()]
    hidden = len(found.done) - len(rows)
    note = f"The first {_MOST_ROWS} points; {hidden:,} more are in the folder points/." if hidden > 0 else ""
    return View("points", "Points", tuple(columns), tuple(rows), note)


def _row(found: StudyResult, row: Any, metrics: Sequence[str]) -> tuple[Cell, ...]:
    axes = [Cell(plain(row[axis]), repr(row[axis]) if isinstance(row[axis], float) else "") for axis in found.axes]
    return (*axes, *(_number(metric, float(row[metric]), found.unit(metric)) for metric in metrics))


def _failed(found: StudyResult) -> View:
    heads = (*map(Column, heads_of(found.axes)), Column("reason"))
    failed = found.failed.head(_MOST_ROWS)
    rows = tuple(
        (*(Cell(plain(row[axis])) for axis in found.axes), Cell(str(row["reason"]))) for _, row in failed.iterrows()
    )
    return View("failed", "Points that failed", heads, rows)


def _number(metric: str, value: float, unit: str) -> Cell:
    text = percent(value, 4) if dictionary.share(metric) else show(value, unit, 4)
    return Cell(text, repr(value)) if math.isfinite(value) else Cell("–")
