"""Learning of executed jobs: loss against simulated time and against energy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from dcsim.report import style
from dcsim.report.figures.drawing import Box, Drawing, Floats, axes_at, canvas, styled, thin_indices, ticks
from dcsim.report.numbers import Scale, scale, shorten, show
from dcsim.results.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_WIDTH, _HEIGHT, _LEFT, _GAP = style.WIDE_PX, 250.0, 52.0, 40.0
_MOST_JOBS = 6
_ROLES = ("compute", "communication", "storage", "power", "cooling", "idle")
_DASHES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (3, 1, 1, 1, 1, 1)), (0, (8, 3)))


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
        for place, (column, unit, title) in enumerate(
            (("time_s", "s", "Simulated time"), ("energy_j", "J", "Energy of the job"))
        ):
            axes = axes_at(figure, Box(_LEFT + place * (width + _GAP + _LEFT / 2), 26.0, width, _HEIGHT - 68.0))
            fitted = scale(table[column].astype(float), unit)
            for index, job in enumerate(jobs):
                _curves(axes, table[table["job"] == job], (column, fitted, index))
                _target(axes, result, job, (column, fitted, index))
            axes.set_xlabel(f"{title} [{fitted.unit}]")
            axes.set_title("Loss" if place == 0 else "Loss by energy")
            axes.margins(x=0.02)
            ticks(axes.xaxis, 6)
            ticks(axes.yaxis, 5)
        _legend(figure.axes[0], jobs, _undone(table))
    subtitle = "Mean training loss over all ranks, against simulated time and against the energy of the job's servers"
    return Drawing("learning", _finding(table), subtitle, _describe(table), figure)


def _undone(table: pd.DataFrame) -> bool:
    return bool((table.groupby("job")["attempt"].nunique() > 1).any())


def _curves(axes: Axes, rows: pd.DataFrame, look: tuple[str, Scale, int]) -> None:
    column, fitted, index = look
    attempts = sorted(rows["attempt"].unique())
    for attempt in attempts:
        own = rows[rows["attempt"] == attempt].sort_values("step")
        after = rows[rows["attempt"] > attempt]["step"].min()
        counted = own["step"] < after if after == after else own["step"] == own["step"]
        color, dash = style.color(_ROLES[index]), _DASHES[index]
        _line(axes, own[counted], (column, fitted), {"color": color, "linestyle": dash, "lw": 1.5})
        lost = {"color": style.color("fault"), "linestyle": dash, "lw": 0.9}
        _line(axes, own[~counted], (column, fitted), lost)


def _line(axes: Axes, rows: pd.DataFrame, what: tuple[str, Scale], look: Any) -> None:
    if rows.empty:
        return
    column, fitted = what
    x: Floats = rows[column].to_numpy(float) / fitted.divisor
    y: Floats = rows["loss"].to_numpy(float)
    kept = thin_indices(x, y, 480)
    axes.plot(x[kept], y[kept], marker="o" if len(kept) == 1 else "", markersize=4.0, **look)


def _target(axes: Axes, result: Result, job: str, look: tuple[str, Scale, int]) -> None:
    """Mark where the job first reached its target."""
    column, fitted, index = look
    name = f"jobs.{job}.{'time' if column == 'time_s' else 'energy'}_to_target"
    table = result.table("learning")
    rows = table[table["job"] == job]
    reached = result.metrics.get(name)
    if reached is None or not math.isfinite(reached.value) or rows.empty:
        return
    nearest = int((rows[column].astype(float) - reached.value).abs().to_numpy().argmin())
    x, y = reached.value / fitted.divisor, float(rows["loss"].to_numpy(float)[nearest])
    axes.plot(
        [x], [y], marker="D", markersize=6, color=style.color(_ROLES[index]), markeredgecolor=style.color("paper")
    )
    axes.annotate(
        f"target reached: {show(reached.value, reached.unit)}",
        (x, y),
        xytext=(0, 34),
        textcoords="offset points",
        ha="right" if column == "time_s" else "center",
        arrowprops={"arrowstyle": "-", "color": style.color("muted"), "lw": 0.8, "shrinkB": 4},
        fontsize=style.SMALL_PX,
    )


def _legend(axes: Axes, jobs: list[str], undone: bool) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=style.color(_ROLES[index]), linestyle=_DASHES[index], label=shorten(job, 30))
        for index, job in enumerate(jobs)
    ]
    if undone:
        handles.append(Line2D([], [], color=style.color("fault"), lw=0.9, label="undone by a failure"))
    axes.legend(handles=handles, loc="upper right", frameon=False, fontsize=style.SMALL_PX)


def _finding(table: pd.DataFrame) -> str:
    job = table["job"].iloc[0]
    rows = table[table["job"] == job].sort_values("time_s")
    first, last = rows.iloc[0], rows.iloc[-1]
    if len(rows) == 1:
        return f"{shorten(job, 40)} has a loss of {show(float(last['loss']), '1')} after its only step"
    return (
        f"{shorten(job, 40)}: loss goes from {show(float(first['loss']), '1')} to {show(float(last['loss']), '1')} "
        f"in {show(float(last['time_s'] - first['time_s']), 's')} "
        f"with {show(float(last['energy_j'] - first['energy_j']), 'J')}"
    )


def _describe(table: pd.DataFrame) -> str:
    parts = []
    for job, rows in table.groupby("job", sort=False):
        last = rows.sort_values("time_s").iloc[-1]
        parts.append(f"{job}: {len(rows)} executed steps, last loss {show(float(last['loss']), '1', 4)}")
    return "; ".join(parts)
