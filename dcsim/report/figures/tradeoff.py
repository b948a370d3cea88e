"""Two objectives of several results against each other, with those that no other one beats joined."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dcsim.report import style
from dcsim.report.figures.drawing import Box, Drawing, axes_at, canvas, styled, ticks
from dcsim.report.numbers import short_labels, shorten
from dcsim.report.tables import row_scale
from dcsim.results.comparison import Comparison, MetricRow
from dcsim.results.standing import Objective, undominated

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEFT, _TOP, _HEIGHT, _BOTTOM, _RIGHT = 78.0, 24.0, 260.0, 46.0, 170.0
_MOST_NAMES = 24


def tradeoff(comparison: Comparison, by: Sequence[Objective]) -> Drawing:
    """Draw the first two objectives that do not move alike; every result is a dot with its label."""
    pair = _pair(comparison, by)
    if pair is None:
        return Drawing("pareto", "There are no two objectives that differ between the results.")
    rows = [row for row in map(comparison.row, (name for name, _ in pair)) if row is not None]
    best = undominated(comparison, pair)
    with styled():
        figure = canvas(style.WIDE_PX, _TOP + _HEIGHT + _BOTTOM)
        axes = axes_at(figure, Box(_LEFT, _TOP, style.WIDE_PX - _LEFT - _RIGHT, _HEIGHT))
        _dots(axes, comparison, rows, best)
    aims = " and ".join(
        f"{'less' if aim == 'minimize' else 'more'} {row.title}" for row, (_, aim) in zip(rows, pair, strict=True)
    )
    title = (
        f"{shorten(comparison.labels[best[0]], 40)} is best in both: {aims}"
        if len(best) == 1
        else f"{len(best)} of {len(comparison.labels)} variants trade {rows[0].title} for {rows[1].title}"
    )
    subtitle = f"Wanted: {aims}; filled and joined: not beaten in both at once"
    return Drawing("pareto", title, subtitle, f"{title}. {subtitle}.", figure)


def _pair(comparison: Comparison, by: Sequence[Objective]) -> tuple[Objective, Objective] | None:
    """Return the first two objectives whose values differ; where one of a later pair has a trade, that pair."""
    known = []
    for name, aim in by:
        row = comparison.row(name)
        if row is not None and row.differs(1e-9) and all(v is not None and math.isfinite(v) for v in row.values):
            known.append((name, aim))
    pairs = [(a, b) for place, a in enumerate(known) for b in known[place + 1 :]]
    return next((pair for pair in pairs if len(undominated(comparison, pair)) > 1), pairs[0] if pairs else None)


def _dots(axes: Axes, comparison: Comparison, rows: Sequence[MetricRow], best: Sequence[int]) -> None:
    scales = [row_scale(row) for row in rows]
    points = [
        (float(across or 0.0) / scales[0].divisor, float(up or 0.0) / scales[1].divisor)
        for across, up in zip(rows[0].values, rows[1].values, strict=True)
    ]
    front = sorted(points[place] for place in best)
    axes.plot(*zip(*front, strict=True), color=style.color("compute"), lw=1.2)
    for place, (point, label) in enumerate(zip(points, short_labels(comparison.labels), strict=True)):
        filled = style.color("compute") if place in best else style.color("paper")
        axes.plot(*point, "o", ms=7, markerfacecolor=filled, markeredgecolor=style.color("compute"), zorder=5)
        if place < _MOST_NAMES:
            axes.annotate(shorten(label, 24), point, xytext=(8, 3), textcoords="offset points", fontsize=style.SMALL_PX)
    names = [f"{shorten(row.title, 44)} {fitted.label}".rstrip() for row, fitted in zip(rows, scales, strict=True)]
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])
    axes.margins(0.08, 0.12)
    ticks(axes.xaxis, 6)
    ticks(axes.yaxis, 5)
