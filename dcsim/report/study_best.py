"""The best points of a study by its objectives, or by what people usually choose by."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import numpy as np

from dcsim.report import figures
from dcsim.report.figures.drawing import Drawing
from dcsim.report.figures.tradeoff import Kept
from dcsim.report.numbers import percent
from dcsim.report.study import feasible, heads_of, plain, short
from dcsim.report.tables import Cell, Column, View, number
from dcsim.results import dictionary
from dcsim.results.standing import Objective, pareto
from dcsim.results.study import StudyResult

if TYPE_CHECKING:
    import pandas as pd

_USUAL = ("site.cost_per_token", "jobs.*.token_rate", "jobs.*.finish", "site.cost", "site.energy", "site.carbon")
_MOST_AIMS, _MOST_ROWS, _LABEL_AXES = 4, 24, 4


def objectives(found: StudyResult) -> tuple[Objective, ...]:
    """Return what to choose by: what the study file asks for, else the usual metrics that differ between points."""
    if found.objectives:
        return found.objectives
    names = [name for pattern in _USUAL for name in found.metrics if fnmatchcase(name, pattern)]
    differing = [name for name in names if found.done[name].notna().all() and found.done[name].nunique() > 1]
    return tuple((name, _better(name)) for name in differing[:_MOST_AIMS])


def lines(found: StudyResult) -> list[str]:
    """Return a sentence an objective: the best point, and how far it is from the median one."""
    points = _kept(found)
    said = []
    for name, aim in objectives(found) if len(points) > 1 else ():
        values = points[name]
        place = int((values.to_numpy() if aim == "minimize" else -values.to_numpy()).argmin())
        best, middle = float(values.iloc[place]), float(values.median())
        gain = f", {percent(abs(best / middle - 1.0), 2)} from the median" if middle else ""
        shown = number(name, best, found.unit(name))
        rests = f" Rests on {rest}." if (rest := resting(found, name)) else ""
        at = _label(found, points.iloc[place])
        said.append(f"{dictionary.title(name)} is best at {shown}{gain}, with {at}.{rests}")
    return said


def resting(found: StudyResult, metric: str) -> str:
    """Return what a metric rests on and how far off such numbers were, of all points."""
    return " or ".join(basis.short for basis in found.rests_on(metric))


def drawing(found: StudyResult) -> Drawing:
    """Return the objectives against each other."""
    points, aims = _whole(found), objectives(found)
    if len(points) < 2 or len(aims) < 2:
        return Drawing("pareto", "There are no two objectives to draw.")
    columns = [(name, found.unit(name), points[name].to_numpy(float)) for name, _ in aims]
    labels = [_label(found, row, values=True) for _, row in points.iterrows()]
    return figures.frontier(columns, labels, _feasible(found, points), [aim for _, aim in aims], _named(found))


def _named(found: StudyResult) -> str:
    return ", ".join(short(axis) for axis in found.axes[:_LABEL_AXES])


def table(found: StudyResult) -> View:
    """Return the points that no other point beats in all objectives at once, with their axes."""
    points, aims = _kept(found), objectives(found)
    heads = [*map(Column, heads_of(found.axes)), *(Column(dictionary.title(n), "", True) for n, _ in aims)]
    signs = [1.0 if aim == "minimize" else -1.0 for _, aim in aims]
    costs = points[[name for name, _ in aims]].to_numpy(float) * signs if aims else np.empty((0, 0))
    rows = []
    for place in pareto([tuple(cost) for cost in costs.tolist()])[:_MOST_ROWS]:
        row = points.iloc[place]
        cells = [Cell(plain(row[axis])) for axis in found.axes]
        cells += [Cell(number(n, float(row[n]), found.unit(n)), repr(float(row[n]))) for n, _ in aims]
        rows.append(tuple(cells))
    return View("best", "Points that no other beats in all objectives", tuple(heads), tuple(rows))


def _better(name: str) -> str:
    entry = dictionary.find(name)
    return "maximize" if entry and entry.better == "higher" else "minimize"


def _whole(found: StudyResult) -> pd.DataFrame:
    """Return the finished points that have every objective."""
    names = [name for name, _ in objectives(found)]
    return found.done.dropna(subset=names) if names else found.done


def _kept(found: StudyResult) -> pd.DataFrame:
    points = _whole(found)
    return points[_feasible(found, points)]


def _feasible(found: StudyResult, points: pd.DataFrame) -> Kept:
    from dcsim.scenario.study import constraint

    bounds = [constraint(str(text)) for text in found.about.get("constraints") or ()]
    kept: Kept = feasible(points, bounds)
    return kept


def _label(found: StudyResult, row: Any, values: bool = False) -> str:
    if values:
        return ", ".join(plain(row[axis]) for axis in found.axes[:_LABEL_AXES])
    return ", ".join(f"{short(axis)} = {plain(row[axis])}" for axis in found.axes)
