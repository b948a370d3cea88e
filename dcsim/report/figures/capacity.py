"""Demand against capacity: over the time of a run, and over years of growth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from dcsim.report import style
from dcsim.report.figures.drawing import Box, Drawing, axes_at, canvas, label_right, spread, styled, ticks
from dcsim.report.figures.series import Line, thinned_steps
from dcsim.report.numbers import scale, shorten, show
from dcsim.report.outlook import LONGEST_YEARS, capital, described, left, month, needs, sentence
from dcsim.results.capacity import Resource
from dcsim.results.growth import DAYS_A_YEAR, Growth, order

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHORTEST_YEARS = 2.0  # of the growth figure
_LEFT, _RIGHT, _HEAD, _HEIGHT, _GAP, _FOOT = 56.0, 150.0, 20.0, 52.0, 14.0, 40.0
_TALL, _LIST = 150.0, 226.0  # of a panel of growth, and the list of dates beside it
_MOST_LINES, _MOST_PANELS, _MOST_OF_ROLE = 7, 3, 3
_TOP = 1.3  # of the growth panels, over capacity
_ROLES = ("compute", "power", "cooling", "communication", "storage")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))


def demand(resources: Sequence[Resource]) -> Drawing:
    """One panel a resource over simulated time: its load as a share of its capacity, and the capacity as a line."""
    shown = _with_series(resources)
    if not shown:
        return Drawing("demand", "No demand was recorded over time: the run was empty, or it records no series.")
    with styled():
        tall = _HEAD + _HEIGHT + _GAP
        figure = canvas(style.WIDE_PX, tall * len(shown) + _FOOT)
        time = scale([shown[0].end_s], "s")
        for place, resource in enumerate(shown):
            box = Box(_LEFT, place * tall + _HEAD, style.WIDE_PX - _LEFT - _RIGHT, _HEIGHT)
            axes = axes_at(figure, box)
            _load(axes, resource, time.divisor)
            axes.tick_params(axis="x", labelbottom=place == len(shown) - 1)
        figure.axes[-1].set_xlabel(f"Simulated time [{time.unit}]")
    tightest = max(resources, key=lambda resource: resource.used)
    title = f"Nearest to capacity: {tightest.name}, {left(tightest)}"
    subtitle = "Load in % of capacity (dashed); links of a tier on average, so that a single busy one may carry more"
    told = "; ".join(f"{resource.name}: {left(resource)}" for resource in resources)
    return Drawing("demand", title, subtitle, f"{title}. {told}.", figure)


def growth(resources: Sequence[Resource], growths: Sequence[Growth], start: datetime) -> Drawing:
    """One panel a growth: demand as a share of capacity over years, every crossing of 100 % numbered and dated."""
    shown = sorted(resources, key=lambda resource: -resource.used)[:_MOST_LINES]
    if not shown or not growths:
        return Drawing("growth", "Nothing is known of capacities, so nothing can run out.")
    panels = list(growths)[:_MOST_PANELS]
    years = _horizon(shown, panels)
    with styled():
        tall = _HEAD + _TALL + _GAP + 18.0
        figure = canvas(style.WIDE_PX, tall * len(panels) + 18.0)
        for place, grown in enumerate(panels):
            box = Box(_LEFT, place * tall + _HEAD, style.WIDE_PX - _LEFT - _LIST, _TALL)
            _growth(axes_at(figure, box), shown, grown, (start, years))
    middle = panels[len(panels) // 2]
    title = sentence(resources, middle, start)
    subtitle = "Demand in % of capacity if it grows from the run's; numbered: where it reaches capacity, in that order"
    told = " ".join(sentence(resources, grown, start) + "." for grown in panels)
    return Drawing("growth", title, subtitle, told, figure)


def _with_series(resources: Sequence[Resource]) -> list[Resource]:
    found: list[Resource] = []
    for role in _ROLES:
        own = [r for r in resources if r.role == role and len(r.times) and r.shares.any()]
        found += sorted(own, key=lambda resource: -resource.used)[:_MOST_OF_ROLE]
    return found


def _load(axes: Axes, resource: Resource, divisor: float) -> None:
    times, shares = thinned_steps(Line(resource.name, "1", resource.times, resource.shares), resource.end_s)
    color = style.color(resource.role)
    axes.plot(times / divisor, 100.0 * shares, color=color, lw=1.3)
    axes.fill_between(times / divisor, 0.0, 100.0 * shares, color=color, alpha=0.16, lw=0)
    axes.axhline(100.0, color=style.color("ink"), lw=1.1, linestyle=(0, (5, 2)))
    axes.set_xlim(0.0, max(resource.end_s, float(times[-1])) / divisor)
    axes.set_ylim(0.0, max(115.0, 105.0 * float(shares.max())))
    axes.set_yticks([0, 50, 100])
    ticks(axes.xaxis, 10)
    on_average = "busiest on average, " if resource.averaged else ""
    axes.set_title(f"{capital(resource.name)} [%]: {on_average}{left(resource)}")
    used = show(resource.demand, resource.unit)
    word = "busiest" if resource.averaged else "peak"
    labels = [(100.0, f"capacity {show(resource.capacity, resource.unit)}", "ink")]
    label_right(axes, [*labels, (100.0 * min(1.0, resource.used), f"{word} {used}", resource.role)])


def _horizon(resources: Sequence[Resource], growths: Sequence[Growth]) -> float:
    """Return how many years the figure shows: a little more than the last crossing within the longest."""
    found = [c.years for grown in growths for c in order(needs(resources), grown) if c.years <= LONGEST_YEARS]
    return min(LONGEST_YEARS, max(_SHORTEST_YEARS, 1.1 * max(found, default=LONGEST_YEARS)))


def _growth(axes: Axes, resources: Sequence[Resource], grown: Growth, span: tuple[datetime, float]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    start, years = span
    zero = start.year + (start.timetuple().tm_yday - 1) / DAYS_A_YEAR
    at = np.linspace(0.0, years, 121)
    factors = np.array([grown.factor(float(t)) for t in at])
    for resource, dash in _dashed(resources):
        line = np.where(resource.used * factors <= _TOP, 100.0 * resource.used * factors, np.nan)
        axes.plot(zero + at, line, color=style.color(resource.role), linestyle=dash, lw=1.6)
    axes.axhline(100.0, color=style.color("ink"), lw=1.1)
    axes.set_xlim(zero, zero + years)
    axes.set_ylim(0.0, 100.0 * _TOP)
    axes.set_yticks([0, 25, 50, 75, 100])
    axes.xaxis.set_major_locator(MaxNLocator(nbins=11, integer=True, min_n_ticks=1))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    axes.set_title(f"Demand in % of capacity at {described(grown)}")
    _crossings(axes, resources, grown, (start, years, zero))


def _dashed(resources: Sequence[Resource]) -> Iterator[tuple[Resource, Any]]:
    """Yield every resource with its dash: resources of one color differ by it."""
    seen: dict[str, int] = {}
    for resource in resources:
        place = seen.get(resource.role, 0)
        seen[resource.role] = place + 1
        yield resource, _DASHES[place % len(_DASHES)]


def _crossings(axes: Axes, resources: Sequence[Resource], grown: Growth, span: tuple[datetime, float, float]) -> None:
    """Number every crossing on the line of capacity, and list all of them at the right."""
    start, years, zero = span
    found = order(needs(resources), grown)
    roles = {resource.name: resource.role for resource in resources}
    inside = [c for c in found if c.years <= years]
    gap = years * 12.0 / (style.WIDE_PX - _LEFT - _LIST)
    numbers = spread([zero + c.years for c in inside], gap, zero + gap / 2, zero + years - gap / 2)
    for place, (crossing, x) in enumerate(zip(inside, numbers, strict=True), 1):
        color = style.color(roles[crossing.name])
        axes.plot([zero + crossing.years], [100.0], "o", color=color, ms=6, clip_on=False, zorder=6)
        axes.annotate(str(place), (x, 108.0), ha="center", va="bottom", color=color, fontsize=9.0, fontweight="bold")
    for place, crossing in enumerate(found):
        sign = f"{place + 1}  " if crossing in inside else "–  "
        text = f"{sign}{shorten(crossing.name, 20)}: {month(start, crossing.years)}"
        where = (1.0, 1.0 - (place + 0.5) * 1.0 / max(len(found), _MOST_LINES))
        axes.annotate(
            text,
            where,
            xytext=(10, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
            color=style.color(roles[crossing.name]),
            fontsize=style.SMALL_PX,
            annotation_clip=False,
        )


def crossing_text(resource: Resource, grown: Growth, start: datetime) -> tuple[str, float]:
    """Return when a resource runs out in words, and the years until then by which a table sorts."""
    years = grown.years_to(resource.demand, resource.capacity)
    return month(start, years), years if math.isfinite(years) else 1e9
