"""Where the network is hot: the links of every tier in their order, shaded by load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dcsim.report import style
from dcsim.report.figures.drawing import Box, Drawing, Floats, axes_at, canvas, styled
from dcsim.report.numbers import percent, shorten
from dcsim.results.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _LEFT, _RIGHT, _ROW, _BAR = style.HALF_PX, 104.0, 84.0, 22.0, 8.0
_MOST, _CELLS = 12, 120
_SHADES = 10


def link_heat(result: Result) -> Drawing:
    """Mean load of the links of each tier from the first to the last, each cell the most loaded of those it covers."""
    table = result.table("links")
    if table.empty:
        return Drawing("link-heat", "No link carried any traffic.")
    tiers = list(table["tier"].unique())[:_MOST]
    loads = [table[table["tier"] == tier]["mean_utilization"].to_numpy(float) for tier in tiers]
    top = max(float(each.max()) for each in loads)
    with styled():
        height = _ROW * len(tiers)
        figure = canvas(_WIDTH, height + 92.0)
        axes = axes_at(figure, Box(_LEFT, 12.0, _WIDTH - _LEFT - _RIGHT, height))
        for row, each in enumerate(loads):
            _row(axes, row, cells(each) / max(top, 1e-12))
        axes.set_xlim(0.0, _CELLS)
        axes.set_ylim(len(tiers) - 0.5, -0.5)
        names = [f"{shorten(str(t), 12)} ({len(each)})" for t, each in zip(tiers, loads, strict=True)]
        axes.set_yticks(range(len(tiers)), names)
        axes.set_xticks([0, _CELLS], ["first link", "last"])
        axes.grid(visible=False)
        for row, each in enumerate(loads):
            axes.annotate(
                f"up to {percent(float(each.max()))}",
                (1.0, row),
                xytext=(6, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                va="center",
                fontsize=style.SMALL_PX,
            )
        _scale(axes_at(figure, Box(_LEFT, height + 44.0, _WIDTH - _LEFT - _RIGHT, _BAR)), top)
    hottest = table.iloc[int(table["mean_utilization"].to_numpy(float).argmax())]
    load = percent(float(hottest["mean_utilization"]))
    title = f"The hottest link is {shorten(str(hottest['link']), 36)}, {load} loaded on average"
    subtitle = (
        "Mean load of the links that carried anything, in their order, directions apart; a cell shows its most loaded "
        "link"
    )
    told = "; ".join(
        f"{tier}: up to {percent(float(each.max()))}, {percent(float(each.mean()))} on average"
        for tier, each in zip(tiers, loads, strict=True)
    )
    return Drawing("link-heat", title, subtitle, told, figure)


def cells(loads: Floats) -> Floats:
    """Return the highest of the loads that each of equally wide cells covers, shape (cells,)."""
    edges = np.linspace(0, len(loads), _CELLS + 1)
    first = np.minimum(edges[:-1].astype(int), len(loads) - 1)
    last = np.maximum(np.ceil(edges[1:]).astype(int), first + 1)
    return np.array([loads[low:high].max() for low, high in zip(first, last, strict=True)])


def _row(axes: Axes, row: float, shares: Floats) -> None:
    """Paint the cells of a tier in ten shades of one color, from nothing to full."""
    shades = np.ceil(np.clip(shares, 0.0, 1.0) * _SHADES).astype(int)
    for shade in np.unique(shades[shades > 0]).tolist():
        spans = [(float(cell), 1.0) for cell in np.flatnonzero(shades == shade)]
        axes.broken_barh(
            spans, (row - 0.42, 0.84), color=style.color("communication"), alpha=shade / _SHADES, linewidth=0.0
        )


def _scale(axes: Axes, top: float) -> None:
    """Draw the shades and what they stand for."""
    _row(axes, 0.0, (np.arange(_CELLS) + 0.5) / _CELLS)
    axes.set_xlim(0.0, _CELLS)
    axes.set_ylim(-0.42, 0.42)
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.set_xticks([0, _CELLS / 2, _CELLS], ["0 %", percent(top / 2.0), percent(top)])
    axes.set_xlabel("Mean load of a link", fontsize=style.SMALL_PX)
