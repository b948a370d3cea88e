"""Capacity on the pages: what is used of every resource, and when it runs out as demand grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dcsim.report import headline
from dcsim.report.figures import capacity as figures
from dcsim.report.figures.capacity import crossing_text
from dcsim.report.figures.drawing import Drawing
from dcsim.report.numbers import percent, show
from dcsim.report.outlook import LONGEST_YEARS, described, needs, sentence
from dcsim.report.tables import Cell, Column, View
from dcsim.results.capacity import Resource, resources
from dcsim.results.comparison import Comparison
from dcsim.results.growth import EXAMPLES, Growth, order
from dcsim.results.result import Result


@dataclass(frozen=True)
class Outlook:
    """How demand is taken to grow; ``growths`` are examples unless given, ``percentile`` [%] is shown beside peaks."""

    growths: tuple[Growth, ...] = EXAMPLES
    percentile: float = 95.0

    @property
    def given(self) -> bool:
        """Whether somebody said how demand grows."""
        return self.growths is not EXAMPLES


def start_of(result: Result) -> datetime | None:
    """Return the calendar time at which a run begins, from which demand grows; None where it says none."""
    text = result.manifest.get("start") or headline.scenario_of(result.scenario_text).get("start")
    try:
        return text if isinstance(text, datetime) else datetime.fromisoformat(str(text))
    except ValueError:
        return None


def drawings(result: Result, outlook: Outlook) -> list[Drawing]:
    """Return the figures of demand over the run and over years."""
    found, start = resources(result), start_of(result)
    grown = figures.growth(found, outlook.growths, start) if start else figures.growth((), (), datetime.min)
    return [figures.demand(found), grown]


def of_result(result: Result, outlook: Outlook) -> dict[str, Any]:
    """Return the values of the sections of demand and growth."""
    found, start = resources(result), start_of(result)
    return {
        "capacity_table": table(found, start, outlook),
        "outlook": [f"{sentence(found, grown, start)}." for grown in outlook.growths] if found and start else [],
        "assumed": assumptions(outlook, start) if found and start else [],
    }


def table(found: Sequence[Resource], start: datetime | None, outlook: Outlook) -> View:
    """Return one row a resource: demand, capacity, up to which load it lasts, and when it runs out at every growth."""
    heads = [
        Column("resource"),
        Column("demand", "", True),
        Column(f"{outlook.percentile:g} % of the time below", "", True),
    ]
    heads += [Column("capacity", "", True), Column("used", "%", True), Column("lasts to", "× this load", True)]
    heads += [Column(f"runs out: {described(grown)}", "", True) for grown in outlook.growths if start]
    rows = []
    for resource in sorted(found, key=lambda resource: -resource.used):
        below = resource.percentile(outlook.percentile)
        cells = [Cell(resource.name), _cell(resource.demand, resource.unit)]
        cells += [_cell(below, resource.unit), _cell(resource.capacity, resource.unit)]
        cells += [Cell(percent(resource.used).removesuffix(" %"), repr(resource.used)), _load(resource)]
        for grown in outlook.growths if start else ():
            text, years = crossing_text(resource, grown, start)  # type: ignore[arg-type]
            cells.append(Cell(text, repr(years)))
        rows.append(tuple(cells))
    note = "Demand is the peak; of links it is the mean of the busiest link, which is full for instants in any run."
    return View("capacity", "Demand against capacity", tuple(heads), tuple(rows), note if rows else "")


def assumptions(outlook: Outlook, start: datetime | None) -> list[str]:
    """Return what the dates rest on."""
    given = "Growth rates were given with --growth."
    examples = (
        "The growth rates are examples of dcsim, not a forecast: give those of your plan, "
        'such as --growth "low: 15 %/year" --growth "high: 3 %/month linear".'
    )
    return [
        given if outlook.given else examples,
        f"Demand grows from that of the run at its start, {start:%d %B %Y}; compound rates apply to what demand then "
        "is, linear ones to what it was at the start.",
        "More demand is more of the same jobs: every resource grows by the same factor. What idle servers draw is in "
        "the demand too, so real power grows by less as long as idle servers are filled.",
        "Accelerators that are all taken mean that more load needs more servers; the other dates then hold for servers "
        "of the same kind.",
        "Capacities stay as they are. Memory of accelerators and the temperature at the servers depend on the jobs and "
        "on where they stand, not on how many there are: they are with the limits above.",
        f"A date further away than {LONGEST_YEARS:g} years is not told.",
    ]


def of_comparison(comparison: Comparison, outlook: Outlook) -> dict[str, Any]:
    """Return the table of what is used in every result, and what runs out first in each."""
    each = [resources(result) for result in comparison.results]
    middle = outlook.growths[len(outlook.growths) // 2]
    told = []
    for label, result, found in zip(comparison.labels, comparison.results, each, strict=True):
        start = start_of(result)
        if found and start:
            told.append(f"{label}: {sentence(found, middle, start)}.")
    return {"capacity_table": _used(comparison.labels, each, middle), "outlook": told}


def _used(labels: Sequence[str], each: Sequence[Sequence[Resource]], grown: Growth) -> View:
    """One row a resource, and how much of it every result uses; the first to run out is marked."""
    from dcsim.report.numbers import short_labels

    heads = (Column("resource"), *(Column(f"{label}: used", "%", True) for label in short_labels(labels)))
    first = [_first(found, grown) for found in each]
    rows = []
    for name in dict.fromkeys(resource.name for found in each for resource in found):
        known = [next((r for r in found if r.name == name), None) for found in each]
        cells = [
            Cell("–")
            if resource is None
            else Cell(percent(resource.used).removesuffix(" %") + (" ◄" if name == mark else ""), repr(resource.used))
            for resource, mark in zip(known, first, strict=True)
        ]
        rows.append((Cell(name), *cells))
    note = "◄ runs out first. Demand is the peak; of links the mean of the busiest one." if rows else ""
    return View("capacity", "What is used of each capacity", heads, tuple(rows), note)


def _first(found: Sequence[Resource], grown: Growth) -> str:
    crossings = order(needs(found), grown)
    return crossings[0].name if crossings else ""


def _load(resource: Resource) -> Cell:
    if resource.used <= 0.0:
        return Cell("–", repr(1e30))
    return Cell(show(1.0 / resource.used, "1"), repr(1.0 / resource.used))


def _cell(value: float | None, unit: str) -> Cell:
    return Cell("–") if value is None else Cell(show(value, unit), repr(value))


def yearly(result: Result) -> str:
    """Say what a year like the run would take, from its mean power, cost and carbon."""
    metrics: Mapping[str, Any] = result.metrics
    if "run.duration" not in metrics or not metrics["run.duration"].value > 0.0:
        return ""
    runs = 365.25 * 86_400.0 / metrics["run.duration"].value
    wanted = (("site.energy", ""), ("site.cost", ""), ("site.carbon", ""), ("site.water", "of water"))
    parts = [
        f"{show(metrics[name].value * runs, metrics[name].unit)} {words}".rstrip()
        for name, words in wanted
        if name in metrics
    ]
    if not parts:
        return ""
    return f"A year of hours like the run's would take {', '.join(parts)}; weather and load of a real year differ."
