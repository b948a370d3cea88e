"""Where the time goes: one bar a job, cut into its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.report import style
from dcsim.report.figures.drawing import Box, Drawing, axes_at, canvas, styled, ticks
from dcsim.report.numbers import percent, shorten, show
from dcsim.results.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_MOST_JOBS = 20
_WIDTH, _LEFT, _RIGHT, _ROW = style.WIDE_PX, 112.0, 84.0, 30.0
# part -> (role, hatch), in the order of the bar
_PARTS: tuple[tuple[str, str, str], ...] = (
    ("compute", "compute", ""),
    ("exposed communication", "communication", ""),
    ("data stall", "storage", ""),
    ("checkpoint", "storage", "//"),
    ("load", "storage", "\\\\"),
    ("lost work", "fault", "xx"),
    ("launch", "idle", ""),
    ("queued", "idle", "--"),
)


def time_by_part(result: Result) -> Drawing:
    """Share of each job's time by what it was spent on."""
    table = result.table("breakdown")
    seconds = table.groupby(["job", "part"], sort=False)["seconds"].sum().clip(lower=0.0).unstack(fill_value=0)
    seconds = seconds[seconds.sum(axis=1) > 0.0] if len(seconds) else seconds
    if not len(seconds):
        return Drawing("time-by-part", "No job spent any time.")
    first = [job for job in result.jobs if job in seconds.index]
    shown = seconds.loc[[*first, *(job for job in seconds.index if job not in first)]].head(_MOST_JOBS)
    with styled():
        parts = _present(shown)
        legend = 18.0
        figure = canvas(_WIDTH, legend + _ROW * len(shown) + 48.0)
        axes = axes_at(figure, Box(_LEFT, legend + 8.0, _WIDTH - _LEFT - _RIGHT, _ROW * len(shown)))
        _bars(axes, shown, parts)
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(
            handles,
            labels,
            loc="upper left",
            ncols=len(parts),
            frameon=False,
            fontsize=style.SMALL_PX,
            handlelength=1.2,
            columnspacing=1.2,
            bbox_to_anchor=(0.0, 1.0),
            borderaxespad=0.0,
        )
    subtitle = "Share of each job's time by part [%]; the job's time from its submission stands at the right"
    if len(seconds) > len(shown):
        subtitle += f"; the first {len(shown)} of {len(seconds)} jobs"
    return Drawing("time-by-part", _finding(seconds, result), subtitle, _description(shown), figure)


def _present(seconds: pd.DataFrame) -> list[tuple[str, str, str]]:
    known = [part for part, _, _ in _PARTS]
    parts = [*_PARTS, *((part, style.role_of(part), "++") for part in seconds.columns if part not in known)]
    return [part for part in parts if part[0] in seconds.columns and seconds[part[0]].sum() > 0.0]


def _bars(axes: Axes, seconds: pd.DataFrame, parts: list[tuple[str, str, str]]) -> None:
    total = seconds.sum(axis=1)
    left = 0.0 * total
    for part, role, hatch in parts:
        share = 100.0 * seconds[part] / total
        axes.barh(
            range(len(share)),
            share.to_numpy(),
            left=left.to_numpy(),
            height=0.66,
            color=style.color(role),
            edgecolor=style.color("paper"),
            linewidth=0.6,
            hatch=hatch,
            label=part,
        )
        if not hatch:
            _inside(axes, share.tolist(), left.tolist())
        left = left + share
    axes.set_xlim(0.0, 100.0)
    axes.set_ylim(len(seconds) - 0.5, -0.5)
    axes.set_yticks(range(len(seconds)), [shorten(str(job), 17) for job in seconds.index])
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("Share of the job's time [%]")
    ticks(axes.xaxis, 5)
    for row, value in enumerate(total):
        axes.annotate(
            show(float(value), "s"),
            (1.0, row),
            xytext=(6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=style.SMALL_PX,
        )


def _inside(axes: Axes, shares: list[float], lefts: list[float]) -> None:
    for row, (share, left) in enumerate(zip(shares, lefts, strict=True)):
        if share >= 4.0:
            axes.text(
                left + share / 2,
                row,
                f"{share:.0f} %",
                ha="center",
                va="center",
                color=style.color("paper"),
                fontsize=style.SMALL_PX,
            )


def _finding(seconds: pd.DataFrame, result: Result) -> str:
    """Say of the job that took the most energy, else the longest, what it did most and what it lost most by."""
    energies = {
        job: result.metrics[f"jobs.{job}.energy"].value
        for job in seconds.index
        if f"jobs.{job}.energy" in result.metrics
    }
    job = max(energies, key=lambda name: energies[name]) if energies else str(seconds.sum(axis=1).idxmax())
    row = seconds[seconds.index == job].iloc[0]
    shares = (row / row.sum()).sort_values(ascending=False)
    text = f"{shorten(str(job), 40)} spends {percent(float(shares.iloc[0]), 2)} of its time on {shares.index[0]}"
    rest = shares.iloc[1:]
    if len(rest) and rest.iloc[0] > 0.0:
        text += f" and {percent(float(rest.iloc[0]), 2)} on {rest.index[0]}"
    return text


def _description(seconds: pd.DataFrame) -> str:
    texts = []
    for job, row in seconds.iterrows():
        parts = ", ".join(f"{part} {show(float(value), 's')}" for part, value in row.items() if value > 0.0)
        texts.append(f"{job}: {parts}")
    return ". ".join(texts)
