"""The points of a study: every kept metric against the axis that has most values, a line for each of the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from dcsim.report import style
from dcsim.report.figures.drawing import Box, Drawing, axes_at, canvas, label_right, styled, ticks
from dcsim.report.numbers import scale, shorten
from dcsim.results import dictionary

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from dcsim.results.study import StudyResult

_MOST, _ACROSS, _MOST_LINES = 6, 2, 6
_LEFT, _HEAD, _HEIGHT, _FOOT, _RIGHT = 66.0, 26.0, 150.0, 44.0, 96.0
_LINE_ROLES = ("compute", "communication", "storage", "power", "cooling", "fault")


def points(found: StudyResult) -> Drawing:
    """One panel a metric that varies, objectives first; a study of one axis, or a sample, is drawn as dots."""
    aims = [name for name in found.about.get("objectives") or () if name in found.metrics]
    metrics = [name for name in dict.fromkeys([*aims, *found.metrics]) if _varies(found.done[name])][:_MOST]
    if not metrics:
        return Drawing("points", "No metric differs between the points.")
    across, lines = _roles(found)
    with styled():
        width, tall = style.WIDE_PX / _ACROSS, _HEAD + _HEIGHT + _FOOT
        figure = canvas(style.WIDE_PX, tall * -(-len(metrics) // _ACROSS))
        for place, metric in enumerate(metrics):
            corner = (place % _ACROSS * width + _LEFT, place // _ACROSS * tall + _HEAD)
            box = Box(*corner, width - _LEFT - _RIGHT, _HEIGHT)
            _panel(axes_at(figure, box), found, metric, (across, lines))
    subtitle = f"One panel a metric, against {across}"
    subtitle += f"; one line for each {', '.join(lines)}" if lines else ""
    left_out = len([name for name in found.metrics if _varies(found.done[name])]) - len(metrics)
    subtitle += f"; {left_out} more metrics in the table" if left_out else ""
    title = f"{_strongest(found, metrics[0])} moves {dictionary.title(metrics[0])} most"
    return Drawing("points", title, subtitle, f"{title}. {subtitle}.", figure)


def _varies(values: pd.Series[Any]) -> bool:
    return bool(values.notna().any() and values.nunique() > 1)


def _roles(found: StudyResult) -> tuple[str, tuple[str, ...]]:
    """Return the axis to draw along, and those that tell lines apart; none where they would be too many."""
    counts = {axis: found.done[axis].nunique() for axis in found.axes}
    across = max(found.axes, key=lambda axis: (counts[axis], found.done[axis].dtype.kind == "f"))
    others = tuple(axis for axis in found.axes if axis != across and counts[axis] > 1)
    groups = len(found.done[list(others)].drop_duplicates()) if others else 1
    return across, others if groups <= _MOST_LINES else ()


def _strongest(found: StudyResult, metric: str) -> str:
    """Return the axis whose values' means of the metric lie farthest apart."""
    means = {axis: found.done.groupby(axis)[metric].mean() for axis in found.axes}
    return max(means, key=lambda axis: float(means[axis].max() - means[axis].min()))


def _panel(axes: Axes, found: StudyResult, metric: str, roles: tuple[str, tuple[str, ...]]) -> None:
    across, others = roles
    unit = scale(found.done[metric].dropna().tolist(), "share" if dictionary.share(metric) else found.unit(metric))
    places, names = _places(found.done[across])
    labels = []
    for role, (name, group) in zip(_LINE_ROLES, _groups(found, others), strict=False):
        order = np.argsort(places[group], kind="stable")
        heights = found.done[metric].to_numpy()[group][order] / unit.divisor
        mark = "o-" if others or len(found.axes) == 1 else "o"
        axes.plot(places[group][order], heights, mark, color=style.color(role), ms=3.5, lw=1.2)
        labels.append((float(heights[-1]), shorten(name, 16), role))
    axes.set_title(f"{shorten(dictionary.title(metric), 48)} {unit.label}".rstrip(), x=0.0)
    axes.set_xlabel(shorten(across, 48))
    low, high = axes.get_ylim()
    axes.set_ylim(min(0.0, low), max(0.0, high) * 1.05)
    ticks(axes.yaxis, 4)
    if names:
        axes.set_xticks(range(len(names)), [shorten(name, 12) for name in names])
    else:
        ticks(axes.xaxis, 5)
    if others:
        label_right(axes, labels)


def _places(values: pd.Series[Any]) -> tuple[Any, list[str]]:
    """Return where the values of an axis stand, and their names where they are no numbers."""
    if values.dtype.kind == "f":
        return values.to_numpy(), []
    names = [str(value) for value in dict.fromkeys(values)]
    return np.array([names.index(str(value)) for value in values], dtype=float), names


def _groups(found: StudyResult, others: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Yield the label and the rows of each line."""
    if not others:
        yield "", np.ones(len(found.done), dtype=bool)
        return
    plain = found.done[list(others)].astype(str).agg(", ".join, axis=1).to_numpy()
    for name in dict.fromkeys(plain):
        yield str(name).removesuffix(".0"), plain == name
