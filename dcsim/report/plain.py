"""A comparison as Markdown and as CSV, for documents and spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from dcsim.report.numbers import percent, show
from dcsim.report.tables import row_scale
from dcsim.results import known_errors
from dcsim.results.comparison import Comparison, MetricRow
from dcsim.results.standing import Objective, undominated, winners

NOISE = "~"


def markdown(compared: Comparison, by: Sequence[Objective] = ()) -> str:
    """Return the inputs that differ and the metrics as tables, and who is best, in Markdown."""
    parts = [f"> {compared.warning}"] if compared.warning else []
    labels = [_escaped(label) for label in compared.labels]
    if compared.inputs:
        rows = [[f"`{row.path}`", *map(_escaped, row.values)] for row in compared.inputs]
        parts.append(_table(["input", *labels], rows))
    parts.append(_table(["metric", "unit", *labels], [_cells(row) for row in compared.rows]))
    parts.append(_escaped(resting(compared, compared.rows)))
    if any(row.noisy for row in compared.rows):
        parts.append(f"{NOISE}: within noise, the 95 % interval of the paired difference to the first holds zero.")
    parts += ["\n".join(f"- {line}" for line in verdicts(compared, by))] if by else []
    return "\n\n".join(parts) + "\n"


def resting(compared: Comparison, rows: Sequence[MetricRow]) -> str:
    """Return in a line what each row rests on, of whom where the results differ in that."""
    found = ((row, compared.rests_on(row.name)) for row in rows)
    briefs = {row.title: known_errors.told({label: basis.brief for label, basis in of.items()}) for row, of in found}
    return known_errors.line(briefs)


def comma_separated(compared: Comparison) -> str:
    """Return one line a metric and result: metric, unit, label, value, difference, bounds of its interval, noise."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    names = ("metric", "unit", "variant", "value", "difference", "difference_low", "difference_high", "within_noise")
    writer.writerow(names)
    for row in compared.rows:
        for place, (label, value, difference) in enumerate(
            zip(compared.labels, row.values, row.differences, strict=True)
        ):
            pair = row.pair(0, place)
            bounds = (None, None) if pair is None else (pair.low, pair.high)
            writer.writerow([row.name, row.unit, label, value, difference, *bounds, row.within_noise(0, place)])
    return stream.getvalue()


def verdicts(compared: Comparison, by: Sequence[Objective]) -> list[str]:
    """Return a sentence an objective on who is best and by how much, and one on what cannot be beaten in all."""
    lines = []
    for winner in winners(compared, by):
        row, label = compared.row(winner.metric), compared.labels[winner.place]
        value = row.values[winner.place] if row else None
        reached = show(value, row.unit) if row else ""
        if len(winner.tied) == len(compared.labels):
            lines.append(f"{winner.title} ({winner.metric}): no variant is better than the others beyond noise")
        elif len(winner.tied) > 1:
            names = ", ".join(compared.labels[place] for place in winner.tied)
            lines.append(f"{winner.title} ({winner.metric}): {names} are equally good at {reached}")
        else:
            lead = percent(winner.lead, 2)
            lines.append(f"{winner.title} ({winner.metric}): {label} is best at {reached}, {lead} ahead of the next")
    best = undominated(compared, by)
    if len(by) > 1 and 0 < len(best) < len(compared.labels):
        names = ", ".join(compared.labels[place] for place in best)
        lines.append(f"Not beaten in all of these at once: {names}")
    return lines


def mark(row: MetricRow, place: int) -> str:
    """Return the sign of a difference to the first that is within noise, "" for any other."""
    return NOISE if place and row.within_noise(0, place) else ""


def _cells(row: MetricRow) -> list[str]:
    fitted = row_scale(row)
    cells = []
    for place, (value, difference) in enumerate(zip(row.values, row.differences, strict=True)):
        change = f" ({percent(difference, 2, sign=True)}{mark(row, place)})" if place and difference else ""
        cells.append("–" if value is None else f"{show(value / fitted.divisor, '1', 4)}{change}")
    return [_escaped(row.title), fitted.unit, *cells]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
