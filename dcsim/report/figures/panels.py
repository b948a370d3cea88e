"""The panels over time: each paints one axes and names the lines at its right edge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dcsim.report import style
from dcsim.report.figures.drawing import Floats, from_zero, label_right, thin, ticks
from dcsim.report.figures.series import Line, Stack, lines, power_stack, steps, thinned_steps
from dcsim.report.numbers import Scale, scale, shorten, show
from dcsim.results.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

LANE_PX = 20.0
MOST_LANES = 24
_MOST_SPANS = 200  # of one kind of a job that are drawn one by one
_PIXELS = 800
_HALF = 0.5 - 1e-9
_STATES = (
    ("queued", "idle", "--"),
    ("launch", "idle", ""),
    ("load", "storage", ""),
    ("run", "compute", ""),
    ("checkpoint", "storage", "//"),
    ("down", "fault", "xx"),
    ("stalled", "fault", "//"),
)
_OUTAGES = (("down", "fault", ""), ("slower", "communication", "//"))
_MOST_OUTAGES = 12
_LOAD = "Mean load of the links of a tier [% of capacity]: repeated steps at their mean, single steps burst by burst"
_DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)), (0, (3, 1, 1, 1, 1, 1)), (0, (8, 3)))


@dataclass(frozen=True)
class Frame:
    """The time axis that all panels share: seconds / ``time.divisor``, from 0 to ``end_s``."""

    time: Scale
    end_s: float


@dataclass(frozen=True)
class Panel:
    """One panel: its height on the page [px] and how it is painted."""

    title: str
    height_px: float
    paint: Callable[[Axes, Frame], None]


def panels(result: Result) -> list[Panel]:
    """Return the panels for which ``result`` has something to show, in the order of the page."""
    series = result.table("series")
    outages = result.table("outages")
    found = [_gantt(_with_stalls(result.table("spans"), outages), result.jobs), _broken(outages)]
    found.append(_power(power_stack(lines(series, "power"))))
    found.append(_shares("Accelerators busy [% of capacity]", "compute", lines(series, "utilization")))
    found.append(_shares(_LOAD, "communication", lines(series, "link_load")))
    found.append(_rates("Storage throughput", "storage", lines(series, "storage")))
    found.append(_temperatures(lines(series, "temperature"), result.table("limits")))
    found.append(_pue(power_stack(lines(series, "power"))))
    return [panel for panel in found if panel is not None]


def _gantt(spans: pd.DataFrame, known: tuple[str, ...]) -> Panel | None:
    spans = spans[np.isfinite(spans["start_s"].astype(float)) & np.isfinite(spans["end_s"].astype(float))]
    jobs = list(dict.fromkeys([*(job for job in known if job in set(spans["job"])), *spans["job"]]))
    if not jobs:
        return None
    shown = jobs[:MOST_LANES]
    title = "Jobs" if len(shown) == len(jobs) else f"Jobs (the first {len(shown)} of {len(jobs)})"

    def paint(axes: Axes, frame: Frame) -> None:
        kinds = [(kind, role, hatch) for kind, role, hatch in _STATES if (spans["kind"] == kind).any()]
        for kind, role, hatch in kinds:
            rows = spans[(spans["kind"] == kind) & spans["job"].isin(shown)]
            _bars(axes, rows, shown, (frame, role, hatch))
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.set_yticks(range(len(shown)), [shorten(job, 17) for job in shown])
        axes.grid(axis="y", visible=False)
        _state_legend(axes, kinds)

    return Panel(title, max(14.0 * 4, LANE_PX * len(shown) + 8.0, 13.0 * spans["kind"].nunique()), paint)


def _with_stalls(spans: pd.DataFrame, outages: pd.DataFrame) -> pd.DataFrame:
    """Return the spans and, painted over them, the times for which a transfer of a job stood still."""
    import pandas as pd

    stood = outages[(outages["state"] == "stalled") & outages["target"].isin(set(spans["job"]))]
    if stood.empty:
        return spans
    named = stood.rename(columns={"target": "job"}).assign(kind="stalled")
    return pd.concat([spans, named[["job", "kind", "start_s", "end_s"]]], ignore_index=True)


def _broken(outages: pd.DataFrame) -> Panel | None:
    """Links and switches that were down or slower, a lane each."""
    rows = outages[outages["state"] != "stalled"].rename(columns={"target": "job"})
    targets = list(dict.fromkeys(rows["job"]))
    if not targets:
        return None
    shown = targets[:_MOST_OUTAGES]
    title = "Links and switches that failed"
    title += "" if len(shown) == len(targets) else f" (the first {len(shown)} of {len(targets)})"

    def paint(axes: Axes, frame: Frame) -> None:
        kinds = [state for state in _OUTAGES if (rows["state"] == state[0]).any()]
        for state, role, hatch in kinds:
            _bars(axes, rows[rows["state"] == state], shown, (frame, role, hatch))
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.set_yticks(range(len(shown)), [shorten(target, 19) for target in shown])
        axes.grid(axis="y", visible=False)
        _state_legend(axes, kinds)

    return Panel(title, max(13.0 * 3, LANE_PX * 0.8 * len(shown) + 8.0), paint)


def visible(starts: Floats, ends: Floats, end_s: float) -> tuple[Floats, Floats]:
    """Return the bars to draw for spans that do not overlap: each one or, of very many, the pixels they fill.

    A bar is never thinner than a screen shows; of very many, a pixel is drawn if they fill at least half of it.
    """
    if len(starts) <= _MOST_SPANS:
        return starts, np.maximum(ends, starts + end_s / (2 * _PIXELS))
    order = np.argsort(starts, kind="stable")
    corners = np.column_stack([starts[order], ends[order]]).ravel()
    total = np.cumsum((ends - starts)[order])
    filled = np.column_stack([np.r_[0.0, total[:-1]], total]).ravel()
    edges = np.linspace(0.0, end_s, _PIXELS + 1)
    drawn = np.r_[False, np.diff(np.interp(edges, corners, filled)) >= _HALF * end_s / _PIXELS, False]
    changes = np.flatnonzero(drawn[1:] != drawn[:-1])
    return edges[changes[::2]], edges[changes[1::2]]


def _bars(axes: Axes, rows: pd.DataFrame, jobs: list[str], look: tuple[Frame, str, str]) -> None:
    frame, role, hatch = look
    for lane, job in enumerate(jobs):
        own = rows[rows["job"] == job]
        if own.empty:
            continue
        starts, ends = visible(own["start_s"].to_numpy(float), own["end_s"].to_numpy(float), frame.end_s)
        left, wide = starts / frame.time.divisor, (ends - starts) / frame.time.divisor
        axes.broken_barh(
            list(zip(left.tolist(), wide.tolist(), strict=True)),
            (lane - 0.36, 0.72),
            facecolor=style.color(role),
            edgecolor=style.color("paper"),
            linewidth=0.4,
            hatch=hatch,
            alpha=0.55 if role == "idle" and not hatch else 1.0,
        )


def _state_legend(axes: Axes, kinds: list[tuple[str, str, str]]) -> None:
    from matplotlib.patches import Patch

    handles = [
        Patch(
            facecolor=style.color(role),
            edgecolor=style.color("paper"),
            hatch=hatch * 2,
            label=kind,
            alpha=0.55 if role == "idle" and not hatch else 1.0,
        )
        for kind, role, hatch in kinds
    ]
    axes.legend(
        handles=handles,
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        frameon=False,
        fontsize=style.SMALL_PX,
        handlelength=1.2,
        handleheight=0.8,
        labelspacing=0.25,
        borderaxespad=0.4,
    )


def _power(stack: Stack | None) -> Panel | None:
    if stack is None or not stack.total.any():
        return None
    unit = scale([float(stack.total.max())], "W")

    def paint(axes: Axes, frame: Frame) -> None:
        below = np.zeros(len(stack.times))
        labels, middle = [], 0.0
        for name, role, layer in zip(stack.names, stack.roles, stack.layers, strict=True):
            times, low = steps(stack.times / frame.time.divisor, below / unit.divisor, frame.end_s / frame.time.divisor)
            _, high = steps(stack.times, (below + layer) / unit.divisor, frame.end_s)
            axes.fill_between(
                times,
                low,
                high,
                facecolor=style.color(role),
                edgecolor=style.color("paper"),
                linewidth=0.3,
                hatch="///" if name == "rest of servers" else "---" if role == "idle" else "",
            )
            peak = float(layer[int(stack.total.argmax())]) / unit.divisor
            labels.append((middle + peak / 2, name, role))
            below, middle = below + layer, middle + peak
        from_zero(axes, float(stack.total.max()) / unit.divisor)
        label_right(axes, labels)
        ticks(axes.yaxis)

    return Panel(f"Power drawn from the grid, by component [{unit.unit}]", 170.0, paint)


def _shares(title: str, role: str, found: Mapping[str, Line]) -> Panel | None:
    if not found:
        return None

    def paint(axes: Axes, frame: Frame) -> None:
        _held_lines(axes, frame, found, (role, Scale(0.01, "%")))
        from_zero(axes, max(1.0, *(100.0 * float(line.values.max()) for line in found.values())), 1.1)
        label_right(axes, _line_labels(found, role, 0.01))
        ticks(axes.yaxis, 3)

    return Panel(title, 96.0, paint)


def _rates(title: str, role: str, found: Mapping[str, Line]) -> Panel | None:
    if not found:
        return None
    unit = scale([float(line.values.max()) for line in found.values()], next(iter(found.values())).unit)

    def paint(axes: Axes, frame: Frame) -> None:
        _held_lines(axes, frame, found, (role, unit))
        from_zero(axes, max(float(line.values.max()) / unit.divisor for line in found.values()), 1.1)
        label_right(axes, _line_labels(found, role, unit.divisor))
        ticks(axes.yaxis, 3)

    return Panel(f"{title} {unit.label}", 96.0, paint)


def _held_lines(axes: Axes, frame: Frame, found: Mapping[str, Line], look: tuple[str, Scale]) -> None:
    role, unit = look
    for place, line in enumerate(found.values()):
        times, values = thinned_steps(line, frame.end_s)
        own = "storage" if "disk" in line.name else role
        dash = _DASHES[place % len(_DASHES)]
        axes.plot(times / frame.time.divisor, values / unit.divisor, color=style.color(own), linestyle=dash, lw=1.4)


def _line_labels(found: Mapping[str, Line], role: str, divisor: float) -> list[tuple[float, str, str]]:
    """Name every line at the height of its peak, where lines of one tier lie furthest apart."""
    marks = ("━", "╍", "┅", "╌", "┄", "─")
    return [
        (
            float(line.values.max()) / divisor,
            f"{marks[place % len(marks)]} {shorten(line.name, 14)} {show(float(line.values.max()) / divisor, '1')}",
            "storage" if "disk" in line.name else role,
        )
        for place, line in enumerate(found.values())
    ]


def _temperatures(found: Mapping[str, Line], limits: pd.DataFrame) -> Panel | None:
    if not found:
        return None
    looks = {
        "inlet": ("fault", "-"),
        "coolant": ("cooling", "-"),
        "outdoor": ("muted", "--"),
        "wet_bulb": ("cooling", ":"),
    }
    bounds = limits[limits["unit"] == "degC"]

    def paint(axes: Axes, frame: Frame) -> None:
        labels = []
        for place, line in enumerate(found.values()):
            role, dash = looks.get(line.name, ("muted", _DASHES[place % len(_DASHES)]))
            times, values = thin(line.times, line.values)
            axes.plot(times / frame.time.divisor, values, color=style.color(role), linestyle=dash, lw=1.4)
            labels.append(
                (float(values[-1]), f"{shorten(line.name.replace('_', ' '), 16)} {show(values[-1], '1')}", role)
            )
        for bound in dict.fromkeys(bounds["capacity"].astype(float)):
            axes.axhline(bound, color=style.color("fault"), lw=1.0, linestyle=(0, (2, 2)))
            labels.append((bound, f"limit {show(bound, '1')}", "fault"))
        axes.margins(y=0.12)
        axes.set_ylim(*axes.get_ylim())
        label_right(axes, labels)
        ticks(axes.yaxis, 4)

    return Panel("Temperatures [°C]", 120.0, paint)


def _pue(stack: Stack | None) -> Panel | None:
    if stack is None or not (stack.it > 0.0).any():
        return None
    values = np.divide(stack.total, stack.it, out=np.full(len(stack.it), np.nan), where=stack.it > 0.0)
    if np.nanmax(values) <= 1.0:
        return None

    def paint(axes: Axes, frame: Frame) -> None:
        times, held = steps(stack.times, values, frame.end_s)
        axes.plot(times / frame.time.divisor, held, color=style.color("power"), lw=1.4)
        axes.set_ylim(1.0, 1.0 + 1.15 * (float(np.nanmax(values)) - 1.0))
        label_right(axes, [(float(values[-1]), f"PUE {show(float(values[-1]), '1')} at the end", "power")])
        ticks(axes.yaxis, 3)

    return Panel("PUE: power from the grid over IT power", 70.0, paint)
