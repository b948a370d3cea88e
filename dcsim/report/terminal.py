"""The summary of a run and of a comparison for the terminal: at most 25 lines, nothing wraps at 100 columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from dcsim.report import headline
from dcsim.report.numbers import percent, short_labels, shorten, show
from dcsim.report.plain import NOISE, mark, resting, verdicts
from dcsim.report.tables import number, published, row_scale
from dcsim.results import dictionary, known_errors
from dcsim.results.comparison import Comparison, InputRow, MetricRow
from dcsim.results.result import Result
from dcsim.results.standing import Objective

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console, ConsoleOptions, Group, RenderResult
    from rich.table import Table
    from rich.text import Text

_WIDTH, _LINES = 100, 25
_SMALL = 0.005  # shares of a step that are not shown
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
    ("best_score", "best score"),
    ("trials", "trials"),
    ("trials_pruned", "pruned"),
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
_MOST_METRICS = 10
_MOST_PLANS = 2
_MOST_PUBLISHED = 2
_BARS = 10
_NAME = 38  # characters of the first column of a comparison
_NOTICED = 1e-3
_MOST_BADGE_LINES, _LONGEST_LIMIT = 3, 44
_LONG_MFU = "Utilization of peak (MFU)"  # the terminal has room for its last word, which the table of jobs uses too


@dataclass(frozen=True)
class Sheet:
    """What rich prints: as wide as the terminal, 100 columns in a pipe or file."""

    content: Group

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the content at the width of the place it goes to."""
        width = min(options.max_width, _WIDTH) if console.is_terminal else _WIDTH
        yield from console.render(self.content, options.update(width=width))


def write(sheet: Sheet) -> None:
    """Print ``sheet`` on standard output."""
    from rich.console import Console

    Console(highlight=False, markup=False, soft_wrap=True).print(sheet)


def summary(result: Result) -> Sheet:
    """Return the decision numbers, the jobs and the limits as something rich prints."""
    from rich.console import Group
    from rich.text import Text

    jobs = min(len(result.jobs), _MOST_JOBS + 1)
    upper = [*_heading(result), *_badges(result), Text()]
    rests = known_errors.meaning(tile.basis.brief for tile in headline.tiles(result))
    parts: list[Table | Text] = [*upper, _numbers(result), Text(rests, style="dim"), Text()]
    steps = [*_steps(result), *_published(result)]
    if jobs:
        parts += [_jobs(result), *steps]
    # What is left of the page under the jobs' head, an empty line and the one that names the folder.
    room = _LINES - len(upper) - len(headline.tiles(result)) - 2 - (1 + jobs if jobs else 0) - 2 - len(steps)
    lines = _limits(headline.limits(result)[:_MOST_LIMITS], room)
    if lines:
        parts += [Text(), *lines]
    return Sheet(Group(*parts))


def network(result: Result) -> Sheet:
    """Return the network tier by tier from the top down: what it joins, and how loaded its links were."""
    from rich.console import Group
    from rich.text import Text

    tiers = result.table("tiers")
    if tiers.empty:
        return Sheet(Group(Text("The run says nothing of its network.", style="dim")))
    made = table(["tier", "joins", "links", "rate", "mean", "busiest", "peak", "full for", ""])
    for row in reversed(tiers.to_dict("records")):
        load = float(row["busiest_utilization"])
        cells = (
            shorten(str(row["tier"]), 18),
            _joins(row),
            f"{int(row['links'])}",
            show(float(row["capacity_bytes_per_s"]), "B/s"),
            percent(float(row["mean_utilization"])),
            percent(load),
            percent(float(row["peak_utilization"])),
            show(float(row["saturated_s"]), "s"),
            ("█" * round(_BARS * min(load, 1.0))).ljust(_BARS, "░"),
        )
        made.add_row(*map(plain, cells))
    return Sheet(Group(Text(), made, Text("busiest: mean load of the busiest link, as the bar shows it", style="dim")))


def _joins(row: Mapping[Any, Any]) -> str:
    """Return how many of what the links of a tier join, as "8 leaf – 2 spine"."""
    ends = [(int(row[f"{end}_count"]), str(row[end])) for end in ("low", "high")]
    return shorten(" – ".join(f"{count} {kind}" for count, kind in ends if count), 26)


def comparison(compared: Comparison, by: Sequence[Objective] = ()) -> Sheet:
    """Return the inputs that differ, the metrics with differences to the first, who is best, and the link loads."""
    from rich.console import Group
    from rich.text import Text

    shown = short_labels(compared.labels)[:_MOST_VARIANTS]
    parts: list[Table | Text] = [Text(f"! {compared.warning}", style=_MOOD["warn"])] if compared.warning else []
    if compared.inputs and not compared.axis:
        parts += [_inputs(compared.inputs, shown), Text()]
    rows = _rows(compared, [name for name, _ in by])
    if rows:
        parts.append(_metrics(rows, shown, compared.axis))
    parts += [Text(line, style="dim") for line in wrap(resting(compared, rows), _WIDTH)]
    equal = sum(1 for row in compared.rows if not row.differs(_NOTICED))
    if equal:
        more = len(compared.rows) - equal - len(rows)
        others = f"; {more} more are not shown: write all with --markdown -" if more > 0 else ""
        parts.append(Text(f"{equal} of {len(compared.rows)} metrics differ by less than 0.1 %{others}", style="dim"))
    if any(row.noisy for row in rows):
        meaning = f"{NOISE} is within noise: the 95 % interval of the paired difference holds zero"
        parts.append(Text(meaning, style="dim"))
    parts += [Text(shorten(line, 2 * _WIDTH)) for line in verdicts(compared, by)]
    hidden = len(compared.labels) - len(shown)
    parts += _loads(compared, shown, _LINES - sum(map(_height, parts)) - (hidden > 0))
    if hidden > 0:
        parts.append(Text(f"{hidden} more variants: write them all with --html or --json", style="dim"))
    return Sheet(Group(*parts))


def _heading(result: Result) -> list[Text]:
    """Return the name and the question, on a line each where one cannot hold both."""
    from rich.text import Text

    name = Text(shorten(result.name, 40), style="bold")
    question = headline.question(headline.scenario_of(result.scenario_text), result)
    if len(name) + 2 + len(question) <= _WIDTH:
        return [name.append(f"  {question}", style="not bold")]
    return [name, Text(shorten(question, _WIDTH))]


def _badges(result: Result) -> list[Text]:
    """Return the verdicts on as many lines as they need, at most three."""
    from rich.text import Text

    lines: list[Text] = []
    for badge in headline.badges(result):
        text = shorten(f"{badge.sign} {badge.text}", _WIDTH)
        if lines and len(lines[-1]) + 2 + len(text) <= _WIDTH:
            lines[-1].append("  ").append(text, style=_MOOD[badge.mood])
        else:
            lines.append(Text().append(text, style=_MOOD[badge.mood]))
    return lines[:_MOST_BADGE_LINES]


def _grid() -> Table:
    from rich.table import Table

    return Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)


def table(columns: Iterable[str], width: int = 0) -> Table:
    """Return a table of right-aligned columns behind a first one of names."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        table.add_column(
            plain(column),
            justify="right" if place else "left",
            no_wrap=True,
            overflow="ellipsis",
            max_width=width or None,
        )
    return table


def plain(text: str, style: str = "") -> Text:
    """Return a cell whose brackets are never read as markup: names come from users."""
    from rich.text import Text

    return Text(text, style=style)


def _numbers(result: Result) -> Table:
    """One row a number; the notes get what the other columns leave and lose their last part where it is too little."""
    table = _grid()
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right", style="bold")
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="dim")
    tiles = headline.tiles(result)
    labels = [shorten(tile.label.replace(_LONG_MFU, "MFU"), 38) for tile in tiles]
    heads = [(label, tile.value, tile.basis.brief) for label, tile in zip(labels, tiles, strict=True)]
    room = _WIDTH - 6 - sum(max(map(len, column)) for column in zip(*heads, strict=True))
    for (label, value, basis), tile in zip(heads, tiles, strict=True):
        table.add_row(*map(plain, (label, value, _notes(tile, room), basis)))
    return table


def _notes(tile: headline.Tile, room: int) -> str:
    """Return as many of the interval, what bounds the number and the notes as ``room`` characters hold."""
    bound = f"by {tile.bound_by}" if tile.bound_by else ""
    parts = [part for part in (tile.interval, bound, *tile.notes) if part]
    while len(parts) > 1 and len(", ".join(parts)) > room:
        parts.pop()
    return shorten(", ".join(parts), room)


def _jobs(result: Result) -> Table:
    """One row a job, the columns that any job has."""
    jobs = result.jobs
    columns = [
        (name, title) for name, title in _JOB_COLUMNS if any(f"jobs.{job}.{name}" in result.metrics for job in jobs)
    ]
    made = table(["job", *(title for _, title in columns)])
    for job in jobs[:_MOST_JOBS]:
        names = [f"jobs.{job}.{name}" for name, _ in columns]
        found = [(name, result.metrics.get(name)) for name in names]
        cells = ["–" if metric is None else number(name, metric.value, metric.unit) for name, metric in found]
        made.add_row(*map(plain, (shorten(job, 24), *cells)))
    if len(jobs) > _MOST_JOBS:
        made.add_row(f"… {len(jobs) - _MOST_JOBS} more")
    return made


def _steps(result: Result) -> list[Text]:
    """Return a line for each job with a parallel plan: what its step's time goes to, the largest parts first.

    Of a plan that was left to be chosen, lines before it say which was and why.
    """
    table = result.table("step_parts")
    lines: list[Text] = []
    few = len(result.jobs) <= _MOST_PLANS  # of more jobs the page tells it
    for plan in list(result.manifest.get("plans") or ()) if few else ():
        told = f"{shorten(str(plan['job']), 24)}, its plan: {plan['plan']}"
        lines += [plain(shorten(told, _WIDTH), "dim"), plain(shorten(f"  {plan['why']}", _WIDTH), "dim")]
    for job in result.jobs[:_MOST_JOBS]:
        rows = sorted(table[table["job"] == job].to_dict("records"), key=lambda row: -row["share"])
        shares = [f"{row['part']} {row['share']:.0%}".replace("%", " %") for row in rows[:6] if row["share"] >= _SMALL]
        if shares:
            lines.append(plain(shorten(f"{shorten(job, 24)}, a step: {', '.join(shares)}", _WIDTH), "dim"))
    return lines


def _published(result: Result) -> list[Text]:
    """Return a line for the first figures that were published of jobs, beside what the run says."""
    rows = [[cell.text for cell in row] for row in published(result).rows[:_MOST_PUBLISHED]]
    texts = (
        f"{shorten(job, 24)}, published: {was}, here {now} ({off}); {source}" for job, _, was, now, off, source in rows
    )
    return [plain(shorten(text, _WIDTH), "dim") for text in texts]


def _limits(found: list[headline.Limit], room: int) -> list[Text]:
    """Return at most ``room`` lines: what is left of each limit and, if it is near, what lifts it."""
    from rich.text import Text

    left = max((len(limit.room) for limit in found), default=0) + len(" left")
    what = min(max((len(limit.what) for limit in found), default=0), _LONGEST_LIMIT)
    used = max((len(limit.used) for limit in found), default=0)
    lines: list[Text] = []
    for limit in found:
        line = Text(f"{limit.room} left".rjust(left), style=_MOOD[limit.mood])
        line.append(f"  {shorten(limit.what, what).ljust(what)}  {limit.used.ljust(used)}", style="default")
        remedy = f"lifted by {limit.lifted_by}" if limit.lifted_by else ""
        # A remedy that the line has no room for stands under it.
        fits = len(line) + 2 + len(remedy) <= _WIDTH
        below = [Text(" " * (left + 2) + shorten(remedy, _WIDTH - left - 2), style="dim")] if not fits else []
        line.append(f"  {remedy}" if fits and remedy else "", style="dim")
        line.rstrip()
        if len(lines) + 1 + len(below) > room:
            break
        lines += [line, *below]
    return lines


def _height(part: Table | Text) -> int:
    """Return how many lines a part of a comparison takes; none of its cells wraps."""
    return getattr(part, "row_count", 0) + 1


def _rows(compared: Comparison, by: Sequence[str]) -> list[MetricRow]:
    """Return the metrics to print: of those that differ what is chosen ``by``, what is asked for most, then others."""
    present = [row for row in compared.rows if any(value is not None for value in row.values)]
    shown = [row for row in present if row.differs(_NOTICED)] or present
    usual = [row for row in shown if any(row.name == end or row.name.endswith(f".{end}") for end in _COMPARED)]
    chosen = [*(row for row in present if row.name in by), *usual, *shown]
    chosen = list({row.name: row for row in chosen}.values())[:_MOST_METRICS]
    return sorted(chosen, key=lambda row: dictionary.order(row.name))


def _metrics(rows: list[MetricRow], labels: tuple[str, ...], axis: str) -> Table:
    made = table([shorten(axis, _NAME) or "metric", *(shorten(label, _room(labels)) for label in labels)])
    for row in rows:
        fitted = row_scale(row)
        cells = [f"{shorten(row.title, _NAME - len(fitted.label))} {fitted.label}".rstrip()]
        for place, (value, difference) in enumerate(zip(row.values, row.differences, strict=True)):
            change = f" {percent(difference, 2, sign=True)}{mark(row, place)}" if place and difference else ""
            change = change.replace(" %", "%")
            cells.append("–" if value is None else f"{show(value / fitted.divisor, '1')}{change}")
        made.add_row(*map(plain, cells[: 1 + len(labels)]))
    return made


def _room(labels: tuple[str, ...]) -> int:
    """Return how many characters a column of each of ``labels`` may have."""
    return max(9, (_WIDTH - _NAME) // max(1, len(labels)) - 2)


def _inputs(inputs: tuple[InputRow, ...], labels: tuple[str, ...]) -> Table:
    room = _room(labels)
    made = table(["input", *(shorten(label, room) for label in labels)], 34)
    for row in inputs[:_MOST_INPUTS]:
        made.add_row(
            *map(plain, (shorten(row.path, 34), *(shorten(value, room) for value in row.values[: len(labels)])))
        )
    if len(inputs) > _MOST_INPUTS:
        made.add_row(f"… {len(inputs) - _MOST_INPUTS} more")
    return made


def _loads(compared: Comparison, labels: tuple[str, ...], room: int) -> list[Table | Text]:
    """Return mean and peak load of as many tiers of links as ``room`` lines hold; nothing where it holds none."""
    from rich.text import Text

    tables = [result.table("links") for result in compared.results[: len(labels)]]
    tiers = list(dict.fromkeys(str(tier) for table in tables for tier in table["tier"].unique()))
    if not tiers or room < 3:
        return []
    made = table(["links: mean load, peak of any", *(shorten(label, _room(labels)) for label in labels)], 34)
    for tier in _busiest(tiers, tables)[: room - 2]:
        groups = [made[made["tier"] == tier] for made in tables]
        cells = [
            ", ".join(
                percent(float(load), 2) for load in (group["mean_utilization"].mean(), group["peak_utilization"].max())
            )
            if len(group)
            else "–"
            for group in groups
        ]
        made.add_row(*map(plain, (shorten(tier, 30), *cells)))
    return [Text(), made]


def _busiest(tiers: list[str], tables: Sequence[pd.DataFrame]) -> list[str]:
    """Return the tiers, those whose mean load is the largest in any result first."""
    means = [table.groupby("tier")["mean_utilization"].mean() for table in tables]
    return sorted(tiers, key=lambda tier: -max(mean.get(tier, 0.0) for mean in means))


def details(result: Result) -> Sheet:
    """Return every metric and every conservation check, for ``--verbose``."""
    from rich.console import Group

    metrics = table(["metric", "value", "rests on"])
    for name in sorted(result.metrics, key=dictionary.order):
        metric = result.metrics[name]
        rests = known_errors.of_result(result, name).brief
        metrics.add_row(*map(plain, (name, show(metric.value, metric.unit, 6), rests)))
    checks = table(["check", "relative difference", "verdict"])
    for check in result.manifest.get("checks") or ():
        verdict = "passed" if check.get("passed") else "FAILED"
        checks.add_row(*map(plain, (str(check.get("name")), f"{float(check.get('residual') or 0.0):.1e}", verdict)))
    return Sheet(Group(metrics, plain(""), checks))
