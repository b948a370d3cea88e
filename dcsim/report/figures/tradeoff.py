"""Two objectives of several results or points against each other, with those that no other one beats joined."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dcsim.report import style
from dcsim.report.figures.drawing import Box, Drawing, Floats, axes_at, canvas, styled, ticks
from dcsim.report.numbers import Scale, scale, short_labels, shorten
from dcsim.report.tables import row_scale
from dcsim.results import dictionary
from dcsim.results.comparison import Comparison
from dcsim.results.standing import Objective, pareto

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Kept = NDArray[np.bool_]
_LEFT, _TOP, _HEIGHT, _BOTTOM, _RIGHT = 78.0, 24.0, 260.0, 46.0, 190.0
_MARGINS = (0.1, 0.14)  # of the range, left and right, above and below
_DOT = 6.0  # [px]
_LETTER = 0.55  # of its size: how wide a letter is
_MOST_NAMES = 16
_NOTICED = 1e-3  # a smaller difference is nothing to choose by


@dataclass(frozen=True)
class Aim:
    """One objective of all points: their values [unit of ``scale`` times its divisor], and which end is wanted."""

    title: str
    values: Floats
    scale: Scale
    least: bool

    @property
    def differs(self) -> bool:
        """Whether the values differ by what anybody would notice."""
        return bool(np.ptp(self.values) > _NOTICED * np.abs(self.values).max())

    @property
    def costs(self) -> Floats:
        """The values, less being better."""
        return self.values if self.least else -self.values


def tradeoff(comparison: Comparison, by: Sequence[Objective]) -> Drawing:
    """Draw the first two objectives of a comparison that trade against each other; every result has its label."""
    aims = []
    for name, aim in by:
        row = comparison.row(name)
        if row is not None and row.differs(_NOTICED) and all(v is not None and math.isfinite(v) for v in row.values):
            values = np.array([float(value or 0.0) for value in row.values])
            aims.append(Aim(row.title, values, row_scale(row), aim == "minimize"))
    labels = list(short_labels(comparison.labels))
    return _drawn(aims, labels, np.ones(len(labels), dtype=bool), "variants")


def frontier(
    columns: Sequence[tuple[str, str, Floats]], labels: Sequence[str], kept: Kept, aims: Sequence[str], named: str = ""
) -> Drawing:
    """Draw objectives of the points of a study: ``columns`` are (metric, unit, values), ``aims`` what is wanted.

    ``kept`` says which points keep the constraints; the others are crosses. Points that nothing beats have their label,
    and ``named`` says what that is.
    """
    made = []
    for (metric, unit, values), aim in zip(columns, aims, strict=True):
        fitted = scale(values.tolist(), "share" if dictionary.share(metric) else unit)
        made.append(Aim(dictionary.title(metric), values, fitted, aim == "minimize"))
    drawn = _drawn([aim for aim in made if aim.differs], labels, np.asarray(kept, dtype=bool), "points")
    return replace(drawn, subtitle=f"{drawn.subtitle}; labels: {named}") if named and drawn.figure else drawn


def _drawn(aims: Sequence[Aim], labels: Sequence[str], kept: Kept, word: str) -> Drawing:
    pair = _pair(aims, kept)
    if pair is None:
        return Drawing("pareto", f"There are no two objectives that differ between the {word}.")
    best = _best(pair, kept)
    with styled():
        figure = canvas(style.WIDE_PX, _TOP + _HEIGHT + _BOTTOM)
        _dots(axes_at(figure, Box(_LEFT, _TOP, style.WIDE_PX - _LEFT - _RIGHT, _HEIGHT)), pair, labels, (kept, best))
    wanted = " and ".join(f"{'less' if aim.least else 'more'} {shorten(aim.title, 50)}" for aim in pair)
    title = f"{len(best)} of {len(labels)} {word} trade {shorten(pair[0].title, 50)} for {shorten(pair[1].title, 50)}"
    if len({tuple(float(aim.values[place]) for aim in pair) for place in best}) == 1:
        title = f"{shorten(labels[best[0]], 60)} is best in both: {wanted}"
    crosses = "; crosses miss a constraint" if not kept.all() else ""
    subtitle = f"Wanted: {wanted}; filled and joined: not beaten in both at once{crosses}"
    return Drawing("pareto", title, subtitle, f"{title}. {subtitle}.", figure)


def _best(pair: Sequence[Aim], kept: Kept) -> list[int]:
    """Return the places of the points that keep the constraints and that no other such point beats in both."""
    places = np.flatnonzero(kept)
    costs = np.column_stack([aim.costs[places] for aim in pair])
    return [int(places[place]) for place in pareto([tuple(cost) for cost in costs.tolist()])]


def _pair(aims: Sequence[Aim], kept: Kept) -> tuple[Aim, Aim] | None:
    """Return the first two objectives that trade against each other, the first two at all where none do."""
    pairs = [(a, b) for place, a in enumerate(aims) for b in aims[place + 1 :]] if kept.any() else []
    return next((pair for pair in pairs if len(_best(pair, kept)) > 1), pairs[0] if pairs else None)


def _pixels(across: Floats, up: Floats) -> Floats:
    """Return where points are drawn, shape (points, 2) [px] from the lower left of the axes."""
    size = (style.WIDE_PX - _LEFT - _RIGHT, _HEIGHT)
    columns = [
        ((values - values.min()) / (float(np.ptp(values)) or 1.0) + margin) * px / (1.0 + 2.0 * margin)
        for values, px, margin in zip((across, up), size, _MARGINS, strict=True)
    ]
    return np.column_stack(columns)


def _spot(at: Floats, width: float, taken: Sequence[Floats]) -> tuple[float, float] | None:
    """Return by how much the middle of a name stands off its point [px] so that it hides nothing; None if nowhere."""
    side = 8.0 + width / 2.0
    end = style.WIDE_PX - _LEFT
    for spot in ((side, 6.0), (-side, 6.0), (0.0, 13.0), (0.0, -13.0)):
        middle, reach = at + spot, (width / 2.0 + 5.0, 10.0)
        others = [other for other in taken if not np.array_equal(other, at)]
        inside = middle[0] - width / 2.0 >= 0.0 and middle[0] + width / 2.0 <= end
        if inside and not any(np.all(np.abs(other - middle) <= reach) for other in others):
            return spot
    return None


def _dots(axes: Axes, pair: Sequence[Aim], labels: Sequence[str], which: tuple[Kept, Sequence[int]]) -> None:
    kept, best = which
    across, up = (aim.values / aim.scale.divisor for aim in pair)
    front = sorted(best, key=lambda place: float(across[place]))
    blue = style.color("compute")
    axes.plot(across[~kept], up[~kept], "x", color=style.color("idle"), ms=5)
    axes.plot(across[kept], up[kept], "o", ms=6, markerfacecolor=style.color("paper"), markeredgecolor=blue)
    axes.plot(across[front], up[front], "o-", color=blue, ms=7, lw=1.2, zorder=5)
    named = dict.fromkeys([*front, *range(len(labels))] if len(labels) <= _MOST_NAMES else front[:_MOST_NAMES])
    drawn = _pixels(across, up)
    names: list[Floats] = []
    told: list[int] = []
    for place in named:
        text = shorten(labels[place], 44)
        width = _LETTER * style.SMALL_PX * len(text)
        spot = _spot(drawn[place], width, [*drawn, *names])
        alone = not any(np.hypot(*(drawn[place] - drawn[other])) < _DOT for other in told)
        if spot is None and alone and place in best:  # the front has its names even where they lie on other points
            spot = _spot(drawn[place], width, names)
        if spot is not None:
            # Along the name, so that no other one lies across it.
            told.append(place)
            names += [drawn[place] + spot + (step * width / 4.0, 0.0) for step in (-2.0, -1.0, 0.0, 1.0, 2.0)]
            off = (spot[0] - np.sign(spot[0]) * width / 2.0, spot[1])
            side = {1.0: "left", -1.0: "right"}.get(float(np.sign(spot[0])), "center")
            how: dict[str, Any] = {"ha": side, "va": "center", "fontsize": style.SMALL_PX}
            axes.annotate(text, (across[place], up[place]), xytext=off, textcoords="offset points", **how)
    axes.set_xlabel(f"{shorten(pair[0].title, 50)} {pair[0].scale.label}".rstrip())
    axes.set_ylabel(f"{shorten(pair[1].title, 36)} {pair[1].scale.label}".rstrip())
    axes.margins(*_MARGINS)
    ticks(axes.xaxis, 6)
    ticks(axes.yaxis, 5)
