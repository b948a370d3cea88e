"""What a training step computes: the costliest operations and what bounds each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.report import style
from dcsim.report.figures.drawing import Box, Drawing, axes_at, canvas, styled, ticks
from dcsim.report.numbers import percent, scale, shorten
from dcsim.results.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_WIDTH, _LEFT, _RIGHT, _ROW, _MOST = style.HALF_PX, 222.0, 40.0, 19.0, 15
_BOUNDS = (("compute", "compute", ""), ("memory", "compute", "///"), ("launch", "idle", ""), ("other", "idle", "xx"))


def operations(result: Result, job: str) -> Drawing:
    """Time of the costliest operations of a step of ``job``, by what bounds them."""
    table = result.table("operations")
    rows = table[table["job"] == job]
    name = f"operations-{job}"
    grouped = _grouped(rows)
    if grouped.empty or not grouped["total"].sum() > 0.0:
        return Drawing(name, f"{shorten(job, 40)} executes no operation.")
    shown, whole = _with_rest(grouped), float(grouped["total"].sum())
    with styled():
        height = _ROW * len(shown)
        figure = canvas(_WIDTH, height + 76.0)
        axes = axes_at(figure, Box(_LEFT, 26.0, _WIDTH - _LEFT - _RIGHT, height))
        _bars(axes, shown, whole)
        figure.legend(
            *axes.get_legend_handles_labels(),
            loc="upper left",
            ncols=4,
            frameon=False,
            fontsize=style.SMALL_PX,
            bbox_to_anchor=(0.0, 1.0),
            borderaxespad=0.0,
        )
    subtitle = "The costliest operations of a step of one rank; color and hatching say what bounds them"
    return Drawing(name, _finding(grouped, job), subtitle, _describe(shown, whole), figure)


def _bars(axes: Axes, shown: pd.DataFrame, whole: float) -> None:
    unit = scale(shown["total"], "s")
    for bound, role, hatch in _BOUNDS:
        own = shown[shown["bound"] == bound]
        if len(own):
            axes.barh(
                own.index.to_list(),
                (own["total"] / unit.divisor).to_list(),
                height=0.7,
                color=style.color(role),
                edgecolor=style.color("paper"),
                linewidth=0.5,
                hatch=hatch,
                label=bound,
            )
    for row, total in enumerate(shown["total"]):
        axes.annotate(
            percent(total / whole, 2),
            (total / unit.divisor, row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=style.SMALL_PX,
        )
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_yticks(range(len(shown)), [shorten(label, 40) for label in shown["label"]])
    axes.grid(axis="y", visible=False)
    axes.set_xlim(0.0, float(shown["total"].max()) / unit.divisor * 1.04)
    axes.set_xlabel(f"Time of all executions in a step [{unit.unit}]")
    ticks(axes.xaxis, 5)


def _grouped(rows: pd.DataFrame) -> pd.DataFrame:
    """Sum equal names of a phase and bound: count times seconds."""
    frame = rows.assign(total=rows["count"].astype(float) * rows["seconds"].astype(float))
    frame["bound"] = frame["bound"].where(frame["bound"].isin([bound for bound, _, _ in _BOUNDS]), "other")
    frame["label"] = [
        " · ".join([shorten(str(name), 20), *([str(scope)] if scope and scope not in name else []), str(phase)])
        for name, scope, phase in zip(rows["name"], rows["scope"], rows["phase"], strict=True)
    ]
    summed = frame.groupby(["label", "bound"], sort=False)["total"].sum().reset_index()
    return summed.sort_values("total", ascending=False, kind="stable", ignore_index=True)


def _with_rest(grouped: pd.DataFrame) -> pd.DataFrame:
    """Return the costliest rows and one that sums the others."""
    import pandas as pd

    if len(grouped) <= _MOST:
        return grouped
    rest = grouped.iloc[_MOST - 1 :]
    row = {"label": [f"{len(rest)} others"], "bound": ["other"], "total": [float(rest["total"].sum())]}
    return pd.concat([grouped.head(_MOST - 1), pd.DataFrame(row)], ignore_index=True)


def _finding(grouped: pd.DataFrame, job: str) -> str:
    shares = grouped.groupby("bound")["total"].sum() / grouped["total"].sum()
    bound = str(shares.idxmax())
    words = {"compute": "arithmetic", "memory": "memory bandwidth", "launch": "launch overhead"}.get(bound, bound)
    share = percent(float(shares.max()), 2)
    return f"{words[0].upper()}{words[1:]} bounds {share} of the operations' time of {shorten(job, 40)}"


def _describe(shown: pd.DataFrame, whole: float) -> str:
    rows = zip(shown["label"], shown["bound"], shown["total"], strict=True)
    return "; ".join(f"{label}, {bound}, {percent(total / whole, 2)}" for label, bound, total in rows)
