"""Learning of executed jobs: loss against simulated time and against energy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dcsim.report import headline, style
from dcsim.report.figures.drawing import Box, Drawing, Floats, axes_at, canvas, styled, thin_indices, ticks
from dcsim.report.numbers import Scale, scale, shorten, show
from dcsim.results.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_WIDTH, _HEIGHT, _LEFT, _GAP = style.WIDE_PX, 250.0, 52.0, 40.0
_MOST_JOBS = 6
_WIDE = 1e3  # largest loss over the least from which a linear axis shows nothing
_ROLES = ("compute", "communication", "storage", "power", "cooling", "idle")
_DASHES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (3, 1, 1, 1, 1, 1)), (0, (8, 3)))


@dataclass(frozen=True)
class Curve:
    """The losses of one job; ``x`` leaves out what passed between attempts, ``raw`` does not [s or J]."""

    job: str
    x: Floats
    raw: Floats
    loss: Floats
    undone: Floats
    restarts: tuple[tuple[float, float], ...]


def learning(result: Result) -> Drawing:
    """Training loss of every executed job; what a failure undid is drawn thin in red."""
    table = result.table("learning")
    table = table[np.isfinite(table["loss"].astype(float))]
    jobs = list(dict.fromkeys(table["job"]))[:_MOST_JOBS]
    if not jobs:
        return Drawing("learning", "No job was executed: the losses of this run are unknown.")
    with styled():
        figure = canvas(_WIDTH, _HEIGHT)
        width = (_WIDTH - 2 * _LEFT - _GAP) / 2
        for place, column in enumerate(("time_s", "energy_j")):
            axes = axes_at(figure, Box(_LEFT + place * (width + _GAP + _LEFT / 2), 26.0, width, _HEIGHT - 68.0))
            _panel(axes, [curve(table[table["job"] == job], column) for job in jobs], result, column)
        _legend(figure.axes[0], jobs, bool((table.groupby("job")["attempt"].nunique() > 1).any()))
    subtitle = (
        "Mean training loss over all ranks, from the first step; waiting between attempts is cut out of both axes"
    )
    return Drawing("learning", _finding(table), subtitle, _describe(table), figure)


def curve(rows: pd.DataFrame, column: str) -> Curve:
    """Return the curve of one job: attempts joined, the first point at zero, steps that ran again marked undone."""
    rows = rows.sort_values(["attempt", "step"], kind="stable")
    attempts, steps = rows["attempt"].to_numpy(), rows["step"].to_numpy(float)
    raw = rows[column].to_numpy(float)
    x = raw - raw[0]
    restarts: list[tuple[float, float]] = []
    undone = np.zeros(len(raw))
    for place in np.flatnonzero(attempts[1:] != attempts[:-1]) + 1:
        usual = (
            float(raw[place - 1] - raw[place - 2]) if place > 1 and attempts[place - 2] == attempts[place - 1] else 0.0
        )
        cut = max(0.0, float(raw[place] - raw[place - 1]) - usual)
        x[place:] -= cut
        restarts.append((float(x[place]) - usual / 2, cut))
        undone[:place][steps[:place] >= steps[place]] = 1.0
    return Curve(str(rows["job"].iloc[0]), x, raw, rows["loss"].to_numpy(float), undone, tuple(restarts))


def _panel(axes: Axes, curves: list[Curve], result: Result, column: str) -> None:
    unit, title = ("s", "Simulated time in steps") if column == "time_s" else ("J", "Energy of the job in steps")
    fitted = scale([float(each.x.max()) for each in curves], unit)
    for index, each in enumerate(curves):
        look = {"color": style.color(_ROLES[index]), "linestyle": _DASHES[index], "lw": 1.5}
        lost = {"color": style.color("fault"), "linestyle": _DASHES[index], "lw": 0.9}
        _line(axes, each, (each.undone == 0.0, fitted), look)
        _line(axes, each, (each.undone == 1.0, fitted), lost)
        for where, cut in each.restarts:
            axes.axvline(where / fitted.divisor, color=style.color("fault"), lw=0.9, linestyle=(0, (4, 2)))
            axes.annotate(
                f"{show(cut, unit)} cut out",
                (where / fitted.divisor, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(4, -2),
                textcoords="offset points",
                va="top",
                color=style.color("fault"),
                fontsize=style.SMALL_PX,
            )
    axes.margins(x=0.02, y=0.12)
    losses = np.concatenate([each.loss for each in curves])
    if losses.min() >= 0.0 and losses.max() > _WIDE * np.median(losses):
        axes.set_yscale("log")  # one trial that goes astray would flatten all others
    for index, each in enumerate(curves):
        reached = result.metrics.get(f"jobs.{each.job}.{'time' if unit == 's' else 'energy'}_to_target")
        if reached is not None and math.isfinite(reached.value):
            nearest = int(np.abs(each.raw - reached.value).argmin())
            words = f"target {_goal(result, each.job)}reached after {show(float(each.x[nearest]), unit)} in steps"
            _target(axes, each, (nearest, fitted, index), words)
    axes.set_xlabel(f"{title} [{fitted.unit}]")
    axes.set_title("Loss" if unit == "s" else "Loss by energy")
    ticks(axes.xaxis, 6)
    if axes.get_yscale() == "linear":
        ticks(axes.yaxis, 5)


def _line(axes: Axes, each: Curve, what: tuple[Any, Scale], look: Any) -> None:
    """Draw the marked points of a curve, broken where others lie between."""
    marked, fitted = what
    if not marked.any():
        return
    x, y = each.x / fitted.divisor, np.where(marked, each.loss, np.nan)
    kept = thin_indices(x, np.where(marked, each.loss, np.inf), 480)
    alone = int(marked.sum()) == 1
    axes.plot(x[kept], y[kept], marker="o" if alone else "", markersize=4.0, **look)


def _goal(result: Result, job: str) -> str:
    """Return the loss that the job was to reach and a space, "" where the scenario names none."""
    for entry in headline.scenario_of(result.scenario_text).get("jobs") or ():
        if entry.get("name") == job:
            target = (entry.get("execute") or {}).get("target") or {}
            return f"{target['loss']} " if "loss" in target else ""
    return ""


def _target(axes: Axes, each: Curve, what: tuple[int, Scale, int], words: str) -> None:
    """Mark where the job first reached its target; ``what`` is (place in the curve, scale, number of the job)."""
    nearest, fitted, index = what
    x, y = float(each.x[nearest]) / fitted.divisor, float(each.loss[nearest])
    low, high = axes.get_xlim()
    left = x < (low + high) / 2
    axes.plot(
        [x],
        [y],
        marker="D",
        markersize=6,
        color=style.color(_ROLES[index]),
        markeredgecolor=style.color("paper"),
        zorder=6,
    )
    axes.annotate(
        words,
        (x, y),
        xytext=(14 if left else -14, 34),
        textcoords="offset points",
        ha="left" if left else "right",
        fontsize=style.SMALL_PX,
        arrowprops={"arrowstyle": "-", "color": style.color("muted"), "lw": 0.8, "shrinkB": 4},
    )


def _legend(axes: Axes, jobs: list[str], undone: bool) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=style.color(_ROLES[index]), linestyle=_DASHES[index], label=shorten(job, 30))
        for index, job in enumerate(jobs)
    ]
    if undone:
        handles.append(Line2D([], [], color=style.color("fault"), lw=0.9, label="undone by a failure"))
    axes.figure.legend(
        handles=handles,
        loc="upper right",
        ncols=len(handles),
        frameon=False,
        fontsize=style.SMALL_PX,
        borderaxespad=0.0,
    )


def _finding(table: pd.DataFrame) -> str:
    job = table["job"].iloc[0]
    rows = table[table["job"] == job].sort_values("time_s")
    first, last = rows.iloc[0], rows.iloc[-1]
    losses = show(float(first["loss"]), "1"), show(float(last["loss"]), "1")
    if len(rows) == 1:
        return f"{shorten(job, 40)} has a loss of {losses[1]} after its only step"
    spent = show(float(last["time_s"] - first["time_s"]), "s"), show(float(last["energy_j"] - first["energy_j"]), "J")
    steps = rows["step"].nunique()
    return f"{shorten(job, 40)}: loss goes from {losses[0]} to {losses[1]} in {steps} steps, {spent[0]} and {spent[1]}"


def _describe(table: pd.DataFrame) -> str:
    parts = []
    for job, rows in table.groupby("job", sort=False):
        last = rows.sort_values("time_s").iloc[-1]
        parts.append(f"{job}: {len(rows)} executed steps, last loss {show(float(last['loss']), '1', 4)}")
    return "; ".join(parts)
