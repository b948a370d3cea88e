"""The summary of a run and of a comparison for the terminal: at most 25 lines, nothing wraps at 100 columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcsim.report import headline
from dcsim.report.numbers import percent, short_labels, shorten, show
from dcsim.report.tables import number, row_scale
from dcsim.results import dictionary
from dcsim.results.comparison import Comparison, InputRow, MetricRow
from dcsim.results.result import Result

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, Group, RenderResult
    from rich.table import Table
    from rich.text import Text

_WIDTH = 100
_MOST_JOBS, _MOST_LIMITS, _MOST_VARIANTS, _MOST_INPUTS = 4, 4, 4, 4
_MOOD = {"good": "green", "warn": "yellow", "bad": "red"}
_JOB_COLUMNS = (
    ("finish", "finish"),
    ("step_time", "step"),
    ("exposed_communication", "exposed"),
    ("mfu", "MFU"),
    ("energy", "energy"),
    ("lost_time", "lost"),
    ("restarts", "restarts"),
    ("final_loss", "loss"),
)
# What a comparison shows first; differing metrics fill the rest.
_COMPARED = (
    "step_time",
    "exposed_communication",
    "finish",
    "mfu",
    "site.energy",
    "site.cost",
    "site.carbon",
    "site.power_peak",
)
_MOST_METRICS = 14
_NAME = 38  # characters of the first column of a comparison
_NOTICED = 1e-3


@dataclass(frozen=True)
class Sheet:
    """What rich prints: as wide as the terminal, 100 columns in a pipe or file."""

    content: Group

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the content at the width of the place it goes to."""
        width = min(options.max_width, _WIDTH) if console.is_terminal else _WIDTH
        yield from console.render(self.content, options.update(width=width))


def summary(result: Result) -> Sheet:
    """Return the decision numbers, the jobs and the limits as something rich prints."""
    from rich.console import Group
    from rich.text import Text

    heading = Text(shorten(result.name, 40), style="bold")
    heading.append(
        "  " + shorten(headline.question(_scenario(result), result), _WIDTH - len(heading.plain) - 3), style="not bold"
    )
    parts: list[Table | Text] = [heading, _badges(result), Text(), _numbers(result), Text()]
    if result.jobs:
        parts.append(_jobs(result))
    found = headline.limits(result)
    if found:
        parts += [Text(), _limits(found)]
    return Sheet(Group(*parts))


def comparison(compared: Comparison) -> Sheet:
    """Return the inputs that differ, the metrics with differences to the first, and the link loads beside them."""
    from rich.console import Group
    from rich.text import Text

    shown = short_labels(compared.labels)[:_MOST_VARIANTS]
    parts: list[Table | Text] = []
    if compared.inputs:
        parts += [_inputs(compared.inputs, shown), Text()]
    rows = _rows(compared)
    if rows:
        parts.append(_metrics(rows, shown))
    equal = sum(1 for row in compared.rows if not row.differs(_NOTICED))
    if equal:
        parts.append(Text(f"{equal} of {len(compared.rows)} metrics differ by less than 0.1 %", style="dim"))
    loads = _loads(compared, shown)
    if loads is not None:
        parts += [Text(), loads]
    hidden = len(compared.labels) - len(shown)
    if hidden > 0:
        parts.append(Text(f"{hidden} more variants: write them all with --html or --json", style="dim"))
    return Sheet(Group(*parts))


def _scenario(result: Result) -> dict[str, object]:
    from dcsim.report.page import scenario_of

    return dict(scenario_of(result.scenario_text))


def _badges(result: Result) -> Text:
    from rich.text import Text

    line = Text(no_wrap=True, overflow="ellipsis")
    for place, badge in enumerate(headline.badges(result)):
        line.append("  " if place else "")
        line.append(f"{badge.sign} {badge.text}", style=_MOOD[badge.mood])
    return line


def _grid() -> Table:
    from rich.table import Table

    return Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)


def _table(columns: Iterable[str], width: int = 0) -> Table:
    """Return a table of right-aligned columns behind a first one of names."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        table.add_column(
            _plain(column),
            justify="right" if place else "left",
            no_wrap=True,
            overflow="ellipsis",
            max_width=width or None,
        )
    return table


def _plain(text: str, style: str = "") -> Text:
    """Return a cell whose brackets are never read as markup: names come from users."""
    from rich.text import Text

    return Text(text, style=style)


def _numbers(result: Result) -> Table:
    table = _grid()
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=35)
    table.add_column(justify="right", no_wrap=True, style="bold")
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=28)
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=16, style="dim")
    for tile in headline.tiles(result):
        notes = ", ".join([tile.interval, *tile.notes] if tile.interval else tile.notes)
        basis = tile.bound_by or tile.provenance.replace("-", " ")
        table.add_row(*map(_plain, (shorten(tile.label, 35), tile.value, notes, basis)))
    return table


def _jobs(result: Result) -> Table:
    """One row a job, the columns that any job has."""
    jobs = result.jobs
    columns = [
        (name, title) for name, title in _JOB_COLUMNS if any(f"jobs.{job}.{name}" in result.metrics for job in jobs)
    ]
    table = _table(["job", *(title for _, title in columns)])
    for job in jobs[:_MOST_JOBS]:
        names = [f"jobs.{job}.{name}" for name, _ in columns]
        found = [(name, result.metrics.get(name)) for name in names]
        cells = ["–" if metric is None else number(name, metric.value, metric.unit) for name, metric in found]
        table.add_row(*map(_plain, (shorten(job, 24), *cells)))
    if len(jobs) > _MOST_JOBS:
        table.add_row(f"… {len(jobs) - _MOST_JOBS} more")
    return table


def _limits(found: list[headline.Limit]) -> Table:
    table = _grid()
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=36)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=25, style="dim")
    for limit in found[:_MOST_LIMITS]:
        cells = (shorten(limit.what, 36), limit.used, f"lifted by {limit.lifted_by}" if limit.lifted_by else "")
        table.add_row(_plain(f"{limit.room} left", _MOOD[limit.mood]), *map(_plain, cells))
    return table


def _rows(compared: Comparison) -> list[MetricRow]:
    """Return the metrics to print: of those that differ the ones asked for most, then others, as many as fit."""
    present = [row for row in compared.rows if any(value is not None for value in row.values)]
    shown = [row for row in present if row.differs(_NOTICED)] or present
    first = [row for row in shown if any(row.name == end or row.name.endswith(f".{end}") for end in _COMPARED)]
    others = [row for row in shown if row not in first]
    chosen = [*first, *others][:_MOST_METRICS]
    return sorted(chosen, key=lambda row: dictionary.order(row.name))


def _metrics(rows: list[MetricRow], labels: tuple[str, ...]) -> Table:
    table = _table(["metric", *(shorten(label, _room(labels)) for label in labels)])
    for row in rows:
        fitted = row_scale(row)
        cells = [f"{shorten(row.title, _NAME - len(fitted.label))} {fitted.label}".rstrip()]
        for place, (value, difference) in enumerate(zip(row.values, row.differences, strict=True)):
            change = f" {percent(difference, 2, sign=True)}".replace(" %", "%") if place and difference else ""
            cells.append("–" if value is None else f"{show(value / fitted.divisor, '1')}{change}")
        table.add_row(*map(_plain, cells[: 1 + len(labels)]))
    return table


def _room(labels: tuple[str, ...]) -> int:
    """Return how many characters a column of each of ``labels`` may have."""
    return max(9, (_WIDTH - _NAME) // max(1, len(labels)) - 2)


def _inputs(inputs: tuple[InputRow, ...], labels: tuple[str, ...]) -> Table:
    room = _room(labels)
    table = _table(["input", *(shorten(label, room) for label in labels)], 34)
    for row in inputs[:_MOST_INPUTS]:
        table.add_row(
            *map(_plain, (shorten(row.path, 34), *(shorten(value, room) for value in row.values[: len(labels)])))
        )
    if len(inputs) > _MOST_INPUTS:
        table.add_row(f"… {len(inputs) - _MOST_INPUTS} more")
    return table


def _loads(compared: Comparison, labels: tuple[str, ...]) -> Table | None:
    """Return mean and peak load of every tier of links, None where no result has links."""
    tables = [result.table("links") for result in compared.results[: len(labels)]]
    tiers = list(dict.fromkeys(str(tier) for table in tables for tier in table["tier"]))
    if not tiers:
        return None
    room = _room(labels)
    made = _table(["links: mean load, peak of any", *(shorten(label, room) for label in labels)], 34)
    for tier in tiers[:6]:
        groups = [table[table["tier"] == tier] for table in tables]
        cells = [
            ", ".join(
                percent(float(load), 2) for load in (group["mean_utilization"].mean(), group["peak_utilization"].max())
            )
            if len(group)
            else "–"
            for group in groups
        ]
        made.add_row(*map(_plain, (shorten(tier, 30), *cells)))
    return made


def details(result: Result) -> Sheet:
    """Return every metric and every conservation check, for ``--verbose``."""
    from rich.console import Group

    metrics = _table(["metric", "value", "provenance"])
    for name in sorted(result.metrics, key=dictionary.order):
        metric = result.metrics[name]
        metrics.add_row(*map(_plain, (name, show(metric.value, metric.unit, 6), metric.provenance)))
    checks = _table(["check", "relative difference", "verdict"])
    for check in result.manifest.get("checks") or ():
        verdict = "passed" if check.get("passed") else "FAILED"
        checks.add_row(*map(_plain, (str(check.get("name")), f"{float(check.get('residual') or 0.0):.1e}", verdict)))
    return Sheet(Group(metrics, _plain(""), checks))
