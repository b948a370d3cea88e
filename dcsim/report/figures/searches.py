"""Searches and rankings: what candidates reach, what they trade, and which axes move a metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dcsim.report import style
from dcsim.report.figures.drawing import Box, Drawing, axes_at, beside, canvas, styled, ticks
from dcsim.report.numbers import Scale, scale, shorten, show
from dcsim.results.search import Found, Ranking

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEFT, _TOP, _HEIGHT, _BOTTOM, _RIGHT = 78.0, 18.0, 260.0, 46.0, 40.0
_ROW, _HEAD, _NAMES, _VALUE, _MOST = 18.0, 26.0, 260.0, 130.0, 6


def history(found: Found) -> Drawing:
    """One objective of every candidate in the order they were looked at, and the best so far as a line."""
    if not found.candidates:
        return Drawing("optimum", "No candidate could be simulated.")
    (metric, direction), unit = found.objectives[0], _unit(found, 0)
    values = np.array([candidate.values[0] for candidate in found.candidates])
    kept = np.array([candidate.feasible for candidate in found.candidates])
    places = np.arange(1, len(values) + 1)
    worst = np.inf if direction == "minimize" else -np.inf
    best = (np.minimum if direction == "minimize" else np.maximum).accumulate(np.where(kept, values, worst))
    with styled():
        figure = canvas(style.WIDE_PX, _TOP + _HEIGHT + _BOTTOM)
        axes = axes_at(figure, Box(_LEFT, _TOP, style.WIDE_PX - _LEFT - _RIGHT, _HEIGHT))
        _points(axes, places, values / unit.divisor, kept)
        shown = np.isfinite(best)
        axes.step(places[shown], best[shown] / unit.divisor, where="post", color=style.color("ink"), lw=1.4)
        axes.set_xlabel("candidate")
        axes.set_ylabel(f"{metric} {unit.label}".rstrip())
        ticks(axes.yaxis, 5)
        ticks(axes.xaxis, 8, integer=True)
    reached = f"{show(best[-1] / unit.divisor, '1')} {unit.unit}".strip() if np.isfinite(best[-1]) else "nothing"
    title = f"The search reaches {reached} of {metric} after {len(values)} candidates"
    subtitle = "Dots: candidates, crosses those that miss a constraint; line: the best so far"
    return Drawing("optimum", title, subtitle, f"{title}. {subtitle}.", figure)


def pareto(found: Found) -> Drawing:
    """The first two objectives of every candidate; those that nothing beats in all objectives are joined."""
    if not found.best:
        return Drawing("optimum", "No candidate keeps the constraints.")
    first, second = _unit(found, 0), _unit(found, 1)
    kept = np.array([candidate.feasible for candidate in found.points])
    points = np.array([candidate.values[:2] for candidate in found.points]) / [first.divisor, second.divisor]
    front = np.array([candidate.values[:2] for candidate in found.best]) / [first.divisor, second.divisor]
    with styled():
        figure = canvas(style.WIDE_PX, _TOP + _HEIGHT + _BOTTOM)
        axes = axes_at(figure, Box(_LEFT, _TOP, style.WIDE_PX - _LEFT - _RIGHT, _HEIGHT))
        _points(axes, points[:, 0], points[:, 1], kept)
        axes.plot(front[:, 0], front[:, 1], "o-", color=style.color("fault"), ms=6, lw=1.2)
        axes.set_xlabel(f"{found.objectives[0][0]} {first.label}".rstrip())
        axes.set_ylabel(f"{found.objectives[1][0]} {second.label}".rstrip())
        ticks(axes.xaxis, 6)
        ticks(axes.yaxis, 5)
    title = f"{len(found.best)} of {len(found.points)} candidates are not beaten in every objective"
    subtitle = "Joined: those; dots: other candidates, crosses those that miss a constraint"
    return Drawing("optimum", title, subtitle, f"{title}. {subtitle}.", figure)


def tornado(rankings: Sequence[Ranking]) -> Drawing:
    """One panel a metric, one bar an axis by its total effect, the largest first, with its 95 % interval."""
    if not rankings:
        return Drawing("sensitivity", "No metric varies.")
    shown = list(rankings)[:_MOST]
    bars = len(shown[0].effects)
    tall = _HEAD + _ROW * bars + 26.0
    with styled():
        figure = canvas(style.WIDE_PX, tall * len(shown))
        for place, ranking in enumerate(shown):
            box = Box(_NAMES, place * tall + _HEAD, style.WIDE_PX - _NAMES - _VALUE, _ROW * bars)
            _bars(axes_at(figure, box), ranking)
    first = shown[0]
    title = f"{first.effects[0].axis} moves {first.metric} most"
    subtitle = "One panel a metric, one bar an axis, from zero; thin lines are 95 % intervals"
    told = "; ".join(f"{r.metric}: {', '.join(e.axis for e in r.effects)}" for r in shown)
    return Drawing("sensitivity", title, subtitle, told, figure)


def _points(axes: Axes, across: object, up: object, kept: object) -> None:
    across, up, kept = np.asarray(across), np.asarray(up), np.asarray(kept, dtype=bool)
    axes.plot(across[kept], up[kept], "o", color=style.color("compute"), ms=4, alpha=0.7)
    axes.plot(across[~kept], up[~kept], "x", color=style.color("idle"), ms=5)


def _bars(axes: Axes, ranking: Ranking) -> None:
    totals = np.array([effect.total for effect in ranking.effects])
    halves = np.array([effect.total_half for effect in ranking.effects])
    fitted = scale(totals.tolist(), ranking.unit)
    places = np.arange(len(totals))
    axes.barh(places, totals / fitted.divisor, height=0.7, color=style.color("compute"))
    axes.hlines(
        places, (totals - halves) / fitted.divisor, (totals + halves) / fitted.divisor, color=style.color("ink"), lw=1.4
    )
    for place, total in enumerate(totals.tolist()):
        text = f"{show(total / fitted.divisor, '1')} {fitted.unit}".strip()
        beside(axes, place, text)
    axes.set_yticks(places, [shorten(effect.axis, 42) for effect in ranking.effects])
    axes.set_ylim(len(totals) - 0.5, -0.5)
    axes.set_xlim(0.0, float((totals + halves).max()) / fitted.divisor * 1.05)
    axes.set_title(f"{ranking.metric} {fitted.label}".rstrip(), x=0.0)
    axes.grid(axis="y", visible=False)
    ticks(axes.xaxis, 5)


def _unit(found: Found, objective: int) -> Scale:
    """Return the scale in which all candidates show an objective."""
    metric = found.objectives[objective][0]
    unit = found.candidates[0].row.metrics[metric][1]
    return scale([candidate.values[objective] for candidate in found.candidates], unit)
