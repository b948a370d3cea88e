"""What each point of a study uses of each capacity, and what runs out first as demand grows."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING

from dcsim.report.capacity import Outlook
from dcsim.report.numbers import percent, show
from dcsim.report.outlook import described, month
from dcsim.report.study import heads_of, plain
from dcsim.report.tables import Cell, Column, View
from dcsim.results.growth import Crossing, Growth, order
from dcsim.results.study import StudyResult

if TYPE_CHECKING:
    import pandas as pd

_PREFIX, _MOST_ROWS = "capacity.", 500
MISSING = 'The points keep no metrics of capacity: let the study keep "capacity.*" to see what runs out first.'


def told(found: StudyResult, outlook: Outlook) -> str:
    """Say which resource runs out first in how many points, or what is missing."""
    names = _names(found)
    if not names or not len(found.done):
        return MISSING
    middle = _middle(outlook)
    needs = [_needs(row, names) for _, row in found.done.iterrows()]
    following = [_next(need, middle).name for need in needs if need]
    counts = sorted(((following.count(name), name) for name in set(following)), reverse=True)
    texts = [f"{name} in {count} of {len(following)} points" for count, name in counts]
    full = sum(any(share >= 1.0 for share, _ in need.values()) for need in needs)
    now = f"In {full} of {len(needs)} points something is full already. " if full else ""
    return f"{now}Runs out next as demand grows: {', '.join(texts)}. More demand is more of the same jobs."


def table(found: StudyResult, outlook: Outlook) -> View:
    """Return one row a point: the shares of its capacities, the first to run out, up to which load, and when."""
    names, middle = _names(found), _middle(outlook)
    heads = [Column(name) for name in heads_of(found.axes)]
    heads += [Column(name.removeprefix(_PREFIX), "%", True) for name in names]
    heads += [Column("full now"), Column("runs out next"), Column("lasts to", "× this load", True)]
    heads += [Column(f"until, at {described(middle)}", "", True)]
    rows = [_row(found, row, middle) for _, row in found.done.head(_MOST_ROWS).iterrows() if _needs(row, names)]
    return View("capacity", "What is used of each capacity", tuple(heads), tuple(rows), _NOTE if rows else "")


_NOTE = "Used is the peak over the run; of links the mean of the busiest one."


def _row(found: StudyResult, row: pd.Series[float], grown: Growth) -> tuple[Cell, ...]:
    names = _names(found)
    needs = _needs(row, names)
    first = _next(needs, grown)
    used = needs[first.name][0]
    full = ", ".join(name for name, (share, _) in needs.items() if share >= 1.0)
    cells = [Cell(plain(row[axis])) for axis in found.axes]
    cells += [_share(float(row[name])) for name in names]
    lasts = Cell(show(1.0 / used, "1"), repr(1.0 / used)) if used > 0.0 else Cell("–")
    when = month(_start(found), first.years) if _dated(found) else f"in {show(first.years, '1')} years"
    years = first.years if math.isfinite(first.years) else 1e9
    return (*cells, Cell(full or "–"), Cell(first.name), lasts, Cell(when, repr(years)))


def _next(needs: dict[str, tuple[float, float]], grown: Growth) -> Crossing:
    """Return what runs out next of what is not full, or of all where everything is."""
    found = order(needs, grown)
    return next((crossing for crossing in found if crossing.years > 0.0), found[0])


def _share(used: float) -> Cell:
    return Cell(percent(used).removesuffix(" %"), repr(used)) if math.isfinite(used) else Cell("–")


def _names(found: StudyResult) -> list[str]:
    return [name for name in found.metrics if name.startswith(_PREFIX)]


def _needs(row: pd.Series[float], names: list[str]) -> dict[str, tuple[float, float]]:
    known = {name.removeprefix(_PREFIX): (float(row[name]), 1.0) for name in names}
    return {name: need for name, need in known.items() if math.isfinite(need[0])}


def _middle(outlook: Outlook) -> Growth:
    return outlook.growths[len(outlook.growths) // 2]


def _dated(found: StudyResult) -> bool:
    return isinstance(found.about.get("start"), str)


def _start(found: StudyResult) -> datetime:
    return datetime.fromisoformat(str(found.about["start"]))
