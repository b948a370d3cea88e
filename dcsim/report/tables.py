"""Tables of the page: one unit a column, numbers aligned, every cell with the value by which it sorts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dcsim.report.numbers import Scale, decimals, fixed, percent, scale, short_labels, show
from dcsim.results import dictionary, known_errors
from dcsim.results.comparison import Comparison, MetricRow
from dcsim.results.result import Metric, Result
from dcsim.results.tables import TABLES

if TYPE_CHECKING:
    import pandas as pd

_MOST_ROWS = 250
_TITLES = {
    "capacity_bytes_per_s": "capacity",
    "mean_utilization": "mean load",
    "peak_utilization": "peak load",
    "busiest_utilization": "busiest link",
    "saturated_s": "time full",
    "size_bytes": "size",
    "ideal_s": "ideal time",
    "exposed_s": "exposed",
    "hidden_s": "hidden",
    "alone_s": "time alone",
    "offered_bytes": "asked for",
    "moved_bytes": "moved",
    "mean_bytes_per_s": "mean rate",
    "slowdown": "times as long",
    "usd": "cost",
    "time_s": "time",
    "seconds": "time of one",
    "lifted_by": "lifted by",
    "flops": "FLOPs",
}


@dataclass(frozen=True)
class Cell:
    """What a cell shows, and what it sorts by."""

    text: str
    key: str = ""


@dataclass(frozen=True)
class Column:
    """The head of a column."""

    title: str
    unit: str = ""
    numeric: bool = False


@dataclass(frozen=True)
class View:
    """A table ready to be written; ``note`` says what is not shown."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


def view(result: Result, name: str, columns: Sequence[str] = (), sort: str = "") -> View:
    """Return the table ``name`` of a result, its largest ``sort`` first, at most a few hundred rows."""
    frame = result.table(name)
    units = {**TABLES[name].columns, **frame.attrs.get("units", {})}
    frame = frame[list(columns)] if columns else frame
    if sort:
        frame = frame.sort_values(sort, ascending=False, kind="stable")
    shown = frame.head(_MOST_ROWS)
    note = (
        f"The first {len(shown)} of {len(frame)} rows; all are in tables/{name}.parquet."
        if len(frame) > len(shown)
        else ""
    )
    made = [_column(shown[column], column, units.get(column, "")) for column in shown.columns]
    rows = tuple(zip(*(cells for _, cells in made), strict=True)) if len(shown) else ()
    return View(name, TABLES[name].title, tuple(head for head, _ in made), rows, note)


def _column(values: pd.Series[Any], name: str, unit: str) -> tuple[Column, list[Cell]]:
    """Return the head and the cells of one column."""
    title = _TITLES.get(name, name.replace("_", " "))
    if values.dtype.kind not in "iuf":
        return Column(title), [Cell("" if value is None else str(value)) for value in values]
    numbers = [float(value) for value in values.astype(float)]
    # The unit "1" of a table is a share, counts have none.
    fitted = scale(numbers, "share" if unit == "1" else unit) if unit else None
    divisor = fitted.divisor if fitted else 1.0
    places = decimals([number / divisor for number in numbers])
    cells = [Cell(fixed(number / divisor, places), repr(number)) for number in numbers]
    return Column(title, fitted.unit if fitted else "", True), cells


def published(result: Result) -> View:
    """Return the published figures of jobs beside those of the run."""
    rows = []
    for row in result.table("measured").to_dict("records"):
        name, unit, error = f"jobs.{row['job']}.{row['metric']}", str(row["unit"]), float(row["error"])
        entry = dictionary.find(name)
        figures = (
            Cell(number(name, float(row[key]), unit), repr(float(row[key]))) for key in ("measured", "predicted")
        )
        off = Cell(percent(error, 2, sign=True), repr(error))
        what = Cell(entry.title if entry else str(row["metric"]))
        rows.append((Cell(str(row["job"])), what, *figures, off, Cell(str(row["source"]))))
    heads = (
        *(Column(text) for text in ("job", "figure")),
        *(Column(text, "", True) for text in ("published", "here", "error")),
    )
    return View("measured", TABLES["measured"].title, (*heads, Column("source")), tuple(rows))


def metrics(result: Result) -> View:
    """Return every metric with its interval, its provenance and what bounds it."""
    rows = []
    for name in sorted(result.metrics, key=dictionary.order):
        metric = result.metrics[name]
        value = Cell(number(name, metric.value, metric.unit), repr(metric.value))
        rows.append(
            (
                Cell(dictionary.title(name)),
                value,
                Cell(interval(name, metric)),
                Cell(metric.provenance),
                Cell(metric.bound_by),
                Cell(name),
            )
        )
    heads = (
        Column("metric"),
        Column("value", "", True),
        Column("interval"),
        Column("provenance"),
        Column("bound by"),
        Column("name"),
    )
    return View("metrics", "All metrics", heads, tuple(rows))


def number(name: str, value: float | None, unit: str) -> str:
    """Return a metric's value as tables and tiles show it: shares in percent, the rest with a fitted prefix."""
    return percent(value) if dictionary.share(name) else show(value, unit)


def interval(name: str, metric: Metric) -> str:
    """Return the bounds of a metric with their unit, once where it is the same; nothing where it has none."""
    if metric.low is None or metric.high is None:
        return ""
    low, high = (number(name, bound, metric.unit) for bound in (metric.low, metric.high))
    same = low.partition(" ")[2] == high.partition(" ")[2]
    return f"{low.partition(' ')[0] if same else low} – {high}"


def row_scale(row: MetricRow) -> Scale:
    """Return the one scale in which all values of a row of a comparison are shown."""
    values = [value for value in row.values if value is not None]
    return scale(values, "share" if dictionary.share(row.name) else row.unit)


def comparison_metrics(comparison: Comparison) -> View:
    """Return the metrics of all results, one unit a row, with their differences to the first in percent."""
    labels = short_labels(comparison.labels)
    heads = [Column("metric"), Column("unit"), Column(labels[0], "", True)]
    for label in labels[1:]:
        heads += [Column(label, "", True), Column("change", "%", True)]
    rows = []
    for row in comparison.rows:
        fitted = row_scale(row)
        cells = [Cell(row.title), Cell(fitted.unit)]
        for place, (value, difference) in enumerate(zip(row.values, row.differences, strict=True)):
            text = "–" if value is None else show(value / fitted.divisor, "1", 4)
            cells.append(Cell(text, "" if value is None else repr(value)))
            if place:
                change = "0" if difference == 0.0 else percent(difference, 3, sign=True).removesuffix(" %")
                change += "~" if row.within_noise(0, place) else ""
                cells.append(Cell(change, "" if difference is None else repr(difference)))
        rows.append(tuple(cells))
    return View("comparison", "Metrics", tuple(heads), tuple(rows))


_HEADLINE = ("finish", "token_rate", "step_time", "mfu", "energy_per_token")
_HEADLINE_SITE = ("site.energy", "site.power_peak", "site.pue", "site.cost", "site.carbon", "site.water")


def comparison_headline(comparison: Comparison, by: Sequence[tuple[str, str]]) -> View:
    """Return the decision numbers of every result, those chosen by first; the best of each row is marked, ties are not.

    ``by`` are (metric, "minimize" or "maximize"); what the dictionary knows to be better counts for the others.
    """
    chosen = dict(by)
    rows = [row for row in (comparison.row(name) for name in chosen) if row is not None]
    usual = [row for row in comparison.rows if row.name in _HEADLINE_SITE or row.name.rpartition(".")[2] in _HEADLINE]
    rows += [row for row in usual if row.name not in chosen]
    heads = (Column("metric"), Column("unit"), *(Column(label, "", True) for label in short_labels(comparison.labels)))
    heads, found = (*heads, Column("rests on, and how far off")), []
    bases: list[known_errors.Basis] = []
    for row in rows:
        entry, fitted = dictionary.find(row.name), row_scale(row)
        better = chosen.get(row.name) or {"lower": "minimize", "higher": "maximize"}.get(
            entry.better if entry else "", ""
        )
        best = _best(row, better)
        cells = [
            Cell("–")
            if value is None
            else Cell(show(value / fitted.divisor, "1", 4) + " ★" * (place == best), repr(value))
            for place, value in enumerate(row.values)
        ]
        rests = comparison.rests_on(row.name)
        bases += rests.values()
        told = known_errors.told({label: basis.brief for label, basis in rests.items()})
        found.append((Cell(row.title), Cell(fitted.unit), *cells, Cell(told)))
    note = f"★ best of its row. {known_errors.legend(bases)}"
    return View("headline", "Decision numbers", heads, tuple(found), note if found else "")


def _best(row: MetricRow, better: str) -> int | None:
    """Return the place of the only best value of a row, None where others are as good or nobody knows."""
    known = [(value, place) for place, value in enumerate(row.values) if value is not None and math.isfinite(value)]
    if not better or len(known) < 2:
        return None
    ordered = sorted(known, reverse=better == "maximize")
    (first, place), (second, other) = ordered[:2]
    return None if math.isclose(first, second, rel_tol=1e-9) or row.within_noise(place, other) else place


def comparison_runs(comparison: Comparison) -> View:
    """Return what has to be the same for each result to come out the same."""
    heads = ("variant", "scenario", "digest", "seed", "replications", "dcsim", "provenance of its metrics")
    rows = []
    for label, result in zip(comparison.labels, comparison.results, strict=True):
        known = [str(result.manifest.get(key, "")) for key in ("seed", "replications", "dcsim")]
        counts = Counter(str(metric.provenance) for metric in result.metrics.values())
        rests = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
        rows.append(tuple(map(Cell, (label, result.name, result.digest[:16], *known, rests))))
    return View("runs", "What each result came from", tuple(map(Column, heads)), tuple(rows))


def comparison_inputs(comparison: Comparison) -> View:
    """Return the keys of the scenarios that are not the same everywhere."""
    heads = (Column("key"), *(Column(label) for label in short_labels(comparison.labels)))
    rows = tuple((Cell(row.path), *(Cell(value) for value in row.values)) for row in comparison.inputs)
    return View("inputs", "Inputs that differ", heads, rows)


def comparison_links(comparison: Comparison) -> View:
    """Return the mean and the peak load of every tier of links in every result."""
    heads = [Column("tier")]
    for label in short_labels(comparison.labels):
        heads += [Column(f"{label}: mean load", "%", True), Column("peak load", "%", True)]
    tables = [result.table("links") for result in comparison.results]
    rows = []
    for tier in dict.fromkeys(tier for table in tables for tier in table["tier"].unique()):
        cells = [Cell(str(tier))]
        for table in tables:
            own = table[table["tier"] == tier]
            for load in (own["mean_utilization"].mean(), own["peak_utilization"].max()):
                cells.append(Cell(fixed(100.0 * float(load), 1), repr(float(load))) if len(own) else Cell("–"))
        rows.append(tuple(cells))
    return View("links", "Link loads by tier", tuple(heads), tuple(rows))
