"""Variants beside each other: small multiples of the metrics that differ most."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dcsim.report import style
from dcsim.report.figures.drawing import Box, Drawing, axes_at, beside, canvas, styled, ticks
from dcsim.report.numbers import percent, short_labels, shorten, show
from dcsim.report.tables import row_scale
from dcsim.results.comparison import Comparison, MetricRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# What people compare first; more that differ follow if there is room.
_FIRST = (
    "step_time",
    "exposed_communication",
    "finish",
    "site.energy",
    "site.cost",
    "site.carbon",
    "site.power_peak",
    "site.pue",
)
_MOST_PANELS, _MOST_BARS, _ROW, _ACROSS = 8, 16, 17.0, 2
_LONGEST_UNIT = 8  # beside a value; the title has it too
_NOTICED = 1e-3  # a smaller difference shows in the table only
_LEFT, _VALUE, _HEAD, _FOOT = 132.0, 116.0, 22.0, 12.0


def variants(comparison: Comparison, metrics: Sequence[str] = ()) -> Drawing:
    """One small panel a metric, one bar a variant, all from zero; the first is what the others are compared with.

    ``metrics`` are the endings of the names of those to show, in order; the ones that people compare first and those
    that differ most unless given.
    """
    rows = _named(comparison, metrics) if metrics else chosen(comparison)
    if not rows:
        return Drawing(
            "variants",
            "The variants differ by less than 0.1 % in every metric."
            if len(comparison.labels) > 1
            else "There is only one result.",
        )
    bars = min(len(comparison.labels), _MOST_BARS)
    with styled():
        tall = _HEAD + _ROW * bars + _FOOT
        width = style.WIDE_PX / _ACROSS
        figure = canvas(style.WIDE_PX, tall * -(-len(rows) // _ACROSS))
        for place, row in enumerate(rows):
            corner = (place % _ACROSS * width, place // _ACROSS * tall)
            box = Box(corner[0] + _LEFT, corner[1] + _HEAD, width - _LEFT - _VALUE, _ROW * bars)
            _panel(axes_at(figure, box), row, short_labels(comparison.labels)[:bars])
    subtitle = (
        "One panel a metric, one bar a variant, axes from zero; at the right the value and its difference to the first"
    )
    if comparison.axis:
        subtitle += f"; bars by {comparison.axis}"
    if len(comparison.labels) > bars:
        subtitle += f"; the first {bars} of {len(comparison.labels)} variants"
    described = "; ".join(f"{row.title}: {', '.join(show(value, row.unit) for value in row.values)}" for row in rows)
    return Drawing("variants", _finding(comparison, rows), subtitle, described, figure)


def chosen(comparison: Comparison) -> list[MetricRow]:
    """Return the metrics worth a panel: those that people compare first, then those that differ most."""
    differing = [row for row in comparison.rows if row.differs(_NOTICED)]
    first = [row for ending in _FIRST for row in differing if row.name == ending or row.name.endswith(f".{ending}")]
    others = sorted((row for row in differing if row not in first), key=lambda row: -_largest(row))
    return [*first, *others][:_MOST_PANELS]


def _named(comparison: Comparison, metrics: Sequence[str]) -> list[MetricRow]:
    return [
        row for ending in metrics for row in comparison.rows if row.name == ending or row.name.endswith(f".{ending}")
    ]


def _largest(row: MetricRow) -> float:
    return max((abs(difference) for difference in row.differences if difference is not None), default=0.0)


def _panel(axes: Axes, row: MetricRow, labels: tuple[str, ...]) -> None:
    unit = row_scale(row)
    shown = row.values[: len(labels)]
    heights = [value / unit.divisor if value is not None and math.isfinite(value) else 0.0 for value in shown]
    colors = [style.color("idle"), *[style.color("compute")] * (len(labels) - 1)]
    axes.barh(range(len(labels)), heights, height=0.72, color=colors)
    for place, metric in enumerate(row.metrics[: len(labels)]):
        if metric is not None and metric.low is not None and metric.high is not None:
            axes.plot(
                [metric.low / unit.divisor, metric.high / unit.divisor],
                [place, place],
                color=style.color("ink"),
                lw=1.4,
            )
    for place, (value, difference) in enumerate(zip(shown, row.differences, strict=False)):
        named = unit.unit if len(unit.unit) <= _LONGEST_UNIT else ""
        text = "–" if value is None else f"{show(value / unit.divisor, '1')} {named}".rstrip()
        text += f" ({percent(difference, 2, sign=True)})" if place and difference else ""
        beside(axes, place, text)
    axes.set_title(f"{shorten(row.title, 52)} {unit.label}".rstrip(), x=0.0)
    axes.set_yticks(range(len(labels)), [shorten(label, 20) for label in labels])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    lowest, highest = min(0.0, *heights), max(0.0, *heights)
    axes.set_xlim(lowest * 1.05, highest * 1.05 if highest > lowest else 1.0)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="x", labelsize=8.0, pad=1.0)
    ticks(axes.xaxis, 4)


def _finding(comparison: Comparison, rows: list[MetricRow]) -> str:
    """Name the largest difference of the metric that comes first."""
    row = rows[0]
    differences = [
        (abs(difference), place) for place, difference in enumerate(row.differences) if difference is not None
    ]
    size, place = max(differences, default=(0.0, 0))
    if size == 0.0:
        return f"The variants differ in {row.title}"
    change = percent(row.differences[place], 2, sign=True)
    word = comparison.axis.rpartition(".")[2]
    labels = [f"{word} {label}".strip() for label in short_labels(comparison.labels)]
    names = shorten(labels[place], 40), shorten(labels[0], 40)
    return f"{shorten(row.title, 50)} changes by {change} with {names[0]} against {names[1]}"
