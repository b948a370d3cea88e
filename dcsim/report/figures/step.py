"""What a step of each job is made of: kernels, collectives and the reading of samples, beside one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dcsim.report import style
from dcsim.report.figures.drawing import Box, Drawing, axes_at, canvas, styled, ticks
from dcsim.report.numbers import scale, shorten, show
from dcsim.results.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_WIDTH, _LEFT, _RIGHT = style.WIDE_PX, 112.0, 16.0
_LANE, _HEAD, _FOOT = 22.0, 24.0, 40.0
_MOST_JOBS = 4
_MOST_BARS = 400  # of a lane: more would be thinner than a pixel
_LABELLED = 0.06  # share of the step above which a bar has room for its name
_LANES = {"kernels": ("compute", ""), "collectives": ("communication", "//"), "samples": ("storage", "..")}


def one_step(result: Result) -> Drawing:
    """When kernels, collectives and the reading of samples run in a step of each job."""
    table = result.table("step")
    table = table[table["end_s"] > table["start_s"]]
    named = dict.fromkeys(table["job"])
    jobs = list(dict.fromkeys([*(job for job in result.jobs if job in named), *named]))[:_MOST_JOBS]
    if not jobs:
        return Drawing("one-step", "No step was planned: what one is made of is unknown.")
    parts = [table[table["job"] == job] for job in jobs]
    with styled():
        heights = [_HEAD + _LANE * rows["stream"].nunique() + _FOOT for rows in parts]
        figure = canvas(_WIDTH, sum(heights))
        top = 0.0
        for job, rows, height in zip(jobs, parts, heights, strict=True):
            box = Box(_LEFT, top + _HEAD, _WIDTH - _LEFT - _RIGHT, height - _HEAD - _FOOT)
            _panel(axes_at(figure, box), job, rows)
            top += height
    subtitle = "One step alone on its links, from its start; what runs at the same time stands one above the other"
    return Drawing("one-step", _finding(jobs[0], parts[0]), subtitle, _description(jobs, parts), figure)


def waiting_s(rows: pd.DataFrame) -> float:
    """Return the time of a step in which none of its kernels runs [s]."""
    kernels = rows[rows["stream"] == "kernels"]
    return float(rows["end_s"].max() - (kernels["end_s"] - kernels["start_s"]).sum())


def _panel(axes: Axes, job: str, rows: pd.DataFrame) -> None:
    lanes = [lane for lane in _LANES if (rows["stream"] == lane).any()]
    end_s = float(rows["end_s"].max())
    fitted = scale([end_s], "s")
    for place, lane in enumerate(lanes):
        shown = rows[rows["stream"] == lane].head(_MOST_BARS)
        _bars(axes, (place, lane), shown, (fitted.divisor, end_s))
    axes.set_xlim(0.0, end_s / fitted.divisor)
    axes.set_ylim(len(lanes) - 0.5, -0.5)
    axes.set_yticks(range(len(lanes)), lanes)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(f"Time in the step [{fitted.unit}]")
    axes.set_title(f"{shorten(job, 40)}: a step of {show(end_s, 's')}")
    ticks(axes.xaxis, 8)


def _bars(axes: Axes, lane: tuple[int, str], rows: pd.DataFrame, span: tuple[float, float]) -> None:
    (place, name), (divisor, end_s) = lane, span
    role, hatch = _LANES[name]
    widths = (rows["end_s"] - rows["start_s"]).to_numpy()
    look: dict[str, Any] = {"color": style.color(role), "edgecolor": style.color("paper"), "linewidth": 0.4}
    axes.barh([place] * len(rows), widths / divisor, left=rows["start_s"].to_numpy() / divisor, hatch=hatch, **look)
    for label, start_s, width in zip(rows["label"], rows["start_s"], widths, strict=True):
        if not hatch and width > _LABELLED * end_s:
            axes.annotate(
                shorten(str(label), max(4, int(140 * width / end_s))),
                ((start_s + width / 2) / divisor, place),
                ha="center",
                va="center",
                color=style.color("paper"),
                fontsize=style.SMALL_PX,
            )


def _finding(job: str, rows: pd.DataFrame) -> str:
    end_s = float(rows["end_s"].max())
    share = waiting_s(rows) / end_s
    if share < 0.005:
        return f"A step of {job} takes {show(end_s, 's')}, and kernels run all the time"
    return f"For {100.0 * share:.2g} % of a step of {job}, {show(waiting_s(rows), 's')}, no kernel runs"


def _description(jobs: list[str], parts: list[pd.DataFrame]) -> str:
    told = [
        f"{job}: {show(float(rows['end_s'].max()), 's')}, of which no kernel runs for {show(waiting_s(rows), 's')}"
        for job, rows in zip(jobs, parts, strict=True)
    ]
    return "; ".join(told)
