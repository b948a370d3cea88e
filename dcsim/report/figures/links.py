"""How loaded the links were: the spread of each tier."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dcsim.report import style
from dcsim.report.figures.drawing import Box, Drawing, Floats, axes_at, canvas, styled, ticks
from dcsim.report.numbers import percent, shorten, show
from dcsim.results.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_WIDTH, _LEFT, _RIGHT, _ROW = style.HALF_PX, 104.0, 72.0, 30.0
_MOST = 12


def link_load(result: Result) -> Drawing:
    """Mean load of the links of every tier from the least to the most loaded, and the highest peak."""
    table = result.table("links")
    if table.empty:
        return Drawing("link-load", "The run has no links.")
    tiers = list(table["tier"].unique())[:_MOST]
    groups = [table[table["tier"] == tier] for tier in tiers]
    with styled():
        figure = canvas(_WIDTH, _ROW * len(tiers) + 66.0)
        axes = axes_at(figure, Box(_LEFT, 22.0, _WIDTH - _LEFT - _RIGHT, _ROW * len(tiers)))
        for row, group in enumerate(groups):
            means = 100.0 * group["mean_utilization"].to_numpy(float)
            _range(axes, row, means, 100.0 * float(group["peak_utilization"].max()))
            capacity = show(float(group["capacity_bytes_per_s"].max()), "B/s")
            axes.annotate(
                capacity,
                (1.0, row),
                xytext=(6, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                va="center",
                fontsize=style.SMALL_PX,
            )
        axes.set_yticks(
            range(len(tiers)),
            [f"{shorten(str(tier), 12)} ({len(group)})" for tier, group in zip(tiers, groups, strict=True)],
        )
        axes.set_ylim(len(tiers) - 0.5, -0.5)
        axes.set_xlim(0.0, 100.0)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("Load [% of capacity]")
        ticks(axes.xaxis, 5)
        _legend(axes)
    busiest = table.iloc[int(table["mean_utilization"].to_numpy(float).argmax())]
    title = "No link carried any traffic"
    if float(busiest["mean_utilization"]) > 0.0:
        tier, load = shorten(str(busiest["tier"]), 30), percent(float(busiest["mean_utilization"]))
        title = f"The busiest link is in tier {tier}: {load} loaded on average"
    subtitle = (
        "Mean load of every link that carried anything, directions apart; their number in brackets, capacity of one at "
        "the right"
    )
    return Drawing("link-load", title, subtitle, _describe(tiers, groups), figure)


def _range(axes: Axes, row: int, means: Floats, peak: float) -> None:
    color = style.color("communication")
    low, quarter, middle, upper, high = np.percentile(means, [0, 25, 50, 75, 100])
    axes.plot([low, high], [row, row], color=color, lw=1.2)
    axes.barh([row], [upper - quarter], left=[quarter], height=0.5, color=color, edgecolor="none")
    axes.plot([middle, middle], [row - 0.32, row + 0.32], color=style.color("ink"), lw=1.6)
    axes.plot([peak], [row], marker="D", markersize=5.5, color=style.color("fault"), clip_on=False, zorder=4)


def _legend(axes: Axes) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    color = style.color("communication")
    handles = [
        Line2D([], [], color=color, lw=1.2, label="all links"),
        Patch(facecolor=color, label="middle half"),
        Line2D([], [], color=style.color("ink"), lw=1.6, label="median"),
        Line2D([], [], color=style.color("fault"), marker="D", markersize=5.5, lw=0, label="highest peak"),
    ]
    axes.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, frameon=False, fontsize=style.SMALL_PX
    )


def _describe(tiers: list[str], groups: list[pd.DataFrame]) -> str:
    texts = []
    for tier, group in zip(tiers, groups, strict=True):
        mean, peak = group["mean_utilization"].mean(), group["peak_utilization"].max()
        texts.append(f"{tier}: mean {percent(float(mean))}, peak {percent(float(peak))}")
    return "; ".join(texts)
