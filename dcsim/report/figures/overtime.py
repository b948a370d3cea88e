"""What happened when: aligned panels on one time axis, with the events across all of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from dcsim.report import style
from dcsim.report.figures.drawing import Box, Drawing, axes_at, canvas, styled, ticks
from dcsim.report.figures.panels import Frame, panels
from dcsim.report.figures.series import lines, power_stack
from dcsim.report.numbers import scale, shorten, show
from dcsim.results.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEFT, _RIGHT, _TITLE, _GAP, _FOOT = 112.0, 140.0, 17.0, 14.0, 40.0
_ROW = 13.0  # height of a row of event names
_MOST_MARKS = 60  # of one kind; more would hide the data and become ticks at the top
# kind -> (role, line style, sign before its name)
_MARKS: tuple[tuple[str, str, Any, str], ...] = (
    ("fault", "fault", "-", "✖"),
    ("repair", "fault", (0, (1, 2)), "✚"),
    ("restart", "compute", (0, (4, 2)), "▶"),
    ("kill", "fault", (0, (2, 1)), "✝"),
    ("checkpoint", "storage", (0, (1, 3)), "◆"),
    ("background", "communication", (0, (4, 1, 1, 1)), "≈"),
    ("finish", "ink", (0, (6, 3)), "■"),
)


def over_time(result: Result) -> Drawing:
    """Jobs, power, link load, storage, temperatures and PUE over simulated time, events marked across all."""
    found = panels(result)
    if not found:
        return Drawing(
            "over-time", "Nothing was recorded over time: the run was empty, or the scenario records no series."
        )
    with styled():
        end_s = _end(result)
        frame = Frame(scale([end_s], "s"), end_s)
        names = _names(result.table("events"), frame)
        rows = 1 + max((row for *_, row in names), default=-1)
        top = rows * _ROW + 4.0
        heights = [_TITLE + panel.height_px for panel in found]
        height = top + sum(heights) + _GAP * (len(found) - 1) + _FOOT
        figure = canvas(style.WIDE_PX, height)
        for panel, tall in zip(found, heights, strict=True):
            box = Box(_LEFT, top + _TITLE, style.WIDE_PX - _LEFT - _RIGHT, tall - _TITLE)
            axes = axes_at(figure, box)
            axes.set_title(panel.title)
            panel.paint(axes, frame)
            axes.set_xlim(0.0, frame.end_s / frame.time.divisor)
            ticks(axes.xaxis, 10)
            last = panel is found[-1]
            axes.tick_params(axis="x", labelbottom=last, length=3.0 if last else 0.0)
            _mark(axes, result.table("events"), frame)
            top += tall + _GAP
        figure.axes[-1].set_xlabel(f"Simulated time [{frame.time.unit}]")
        _write_names(figure, names)
    subtitle = (
        "Panels share one time axis; vertical marks: " + ", ".join(text for _, text, _, _ in names) if names else ""
    )
    return Drawing("over-time", _finding(result), subtitle, _description(result, [p.title for p in found]), figure)


def _end(result: Result) -> float:
    """Return the last moment [s] that anything is known of, above zero."""
    ends = [result.metrics["run.duration"].value] if "run.duration" in result.metrics else []
    for table, column in (("spans", "end_s"), ("series", "time_s"), ("events", "time_s")):
        values = result.table(table)[column].to_numpy(float)
        ends.extend(values[np.isfinite(values)].max(initial=0.0, keepdims=True).tolist())
    largest = max((end for end in ends if math.isfinite(end)), default=0.0)
    return largest if largest > 0.0 else 1.0


def _times(events: pd.DataFrame, kind: str) -> list[float]:
    return sorted(float(time) for time in events[events["kind"] == kind]["time_s"] if math.isfinite(time))


def _mark(axes: Axes, events: pd.DataFrame, frame: Frame) -> None:
    """Draw a line at every event, short ticks at the top where lines would hide the data."""
    for kind, role, dash, _ in _MARKS:
        times = np.asarray(_times(events, kind)) / frame.time.divisor
        color = style.color(role)
        if len(times) <= _MOST_MARKS:
            for time in times.tolist():
                axes.axvline(time, color=color, linestyle=dash, lw=0.9, alpha=0.85, zorder=5)
        else:
            pixel = frame.end_s / frame.time.divisor / 800.0
            shown = np.unique(np.round(times / pixel)) * pixel
            heights = np.tile([0.93, 1.0, np.nan], len(shown))  # one line with gaps, not hundreds of lines
            axes.plot(np.repeat(shown, 3), heights, transform=axes.get_xaxis_transform(), color=color, lw=0.9, zorder=5)


def _names(events: pd.DataFrame, frame: Frame) -> list[tuple[float, str, str, int]]:
    """Return for every kind of event where its name stands [share of the axis], the name, its role and its row.

    Rows are chosen so that no two names overlap.
    """
    placed: list[tuple[float, str, str, int]] = []
    taken: dict[int, float] = {}
    width = style.WIDE_PX - _LEFT - _RIGHT
    first = sorted((times[0], mark) for mark in _MARKS if (times := _times(events, mark[0])))
    for time_s, (kind, role, _, sign) in first:
        times, rows = _times(events, kind), events[events["kind"] == kind]
        more = f" ×{len(times)}" if len(times) > 1 else f" {shorten(str(rows['target'].iloc[0]), 18)}"
        hidden = " (ticks at the top)" if len(times) > _MOST_MARKS else ""
        text = f"{sign} {kind}{more}{hidden}"
        long = len(text) * 0.58 * style.SMALL_PX / width
        start = min(max(0.0, time_s / frame.end_s), 1.0 + _RIGHT / width - long)
        row = next(row for row in range(len(_MARKS)) if taken.get(row, -1.0) <= start)
        taken[row] = start + long + 0.01
        placed.append((start, text, role, row))
    return placed


def _write_names(figure: Figure, names: list[tuple[float, str, str, int]]) -> None:
    width, height = (float(inches) * 72.0 for inches in figure.get_size_inches())
    for start, text, role, row in names:
        x = _LEFT + start * (width - _LEFT - _RIGHT)
        y = height - (row + 0.8) * _ROW
        figure.text(x / width, y / height, text, color=style.color(role), fontsize=style.SMALL_PX, fontweight="bold")


def _finding(result: Result) -> str:
    stack = power_stack(lines(result.table("series"), "power"))
    if stack is None or not stack.total.any():
        return "What each job did when"
    peak = int(stack.total.argmax())
    power, when = show(float(stack.total[peak]), "W"), show(float(stack.times[peak]), "s")
    mean = result.metrics.get("site.power_mean")
    if mean is None or not mean.value > 0.0:
        return f"The site draws {power} at its peak, {when} after the start"
    ratio = show(float(stack.total[peak]) / mean.value, "1")
    usual = show(mean.value, mean.unit)
    return f"The site draws {power} at its peak, {when} after the start: {ratio} times its mean of {usual}"


def _description(result: Result, titles: list[str]) -> str:
    jobs = "; ".join(
        f"{job} finishes after {show(result.value(f'jobs.{job}.finish'), 's')}"
        for job in result.jobs[:8]
        if f"jobs.{job}.finish" in result.metrics
    )
    return f"Panels from top to bottom: {'; '.join(titles)}. {jobs}".strip()
