"""The page of a study on what is best and what runs out first."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from dcsim.report import html, study_best, study_outlook
from dcsim.report.capacity import Outlook
from dcsim.results.growth import Growth
from dcsim.results.study import FIXED, StudyResult

ROWS = (
    # axis, cost, energy, power share, cooling share
    ("a", 4.0, 1.0, 0.5, 0.25),
    ("b", 3.0, 2.0, 0.25, 0.125),
    ("c", 2.0, 3.0, 0.125, 0.5),
    ("<i>d", 1.0, 9.0, 1.0, 0.5),
)


def _study(capacities: bool = True, **about: object) -> StudyResult:
    names = ["site.cost", "site.energy", *(["capacity.power", "capacity.cooling"] if capacities else [])]
    rows = [(n, f"{n:032x}", "done", "", "d", 1, 0.5, "", *row[: 1 + len(names)]) for n, row in enumerate(ROWS)]
    frame = pd.DataFrame(rows, columns=[*FIXED, "site.cooling.kind", *names])
    frame.attrs["units"] = {"site.cost": "USD", "site.energy": "J", "capacity.power": "1", "capacity.cooling": "1"}
    return StudyResult("halls", ("site.cooling.kind",), frame, about)


def test_the_best_are_those_that_keep_the_constraints() -> None:
    """Under 5 J the cheapest is c at 2 USD, a third below the median of 4, 3 and 2."""
    found = _study(objectives={"site.cost": "minimize"}, constraints=["site.energy <= 5 J"])
    best = "Cost is best at 2 USD, 33 % from the median, with cooling.kind = c."
    assert study_best.lines(found) == [f"{best} Rests on first principles, no measured error."]
    two = _study(objectives={"site.cost": "minimize", "site.energy": "minimize"}, constraints=["site.energy <= 5 J"])
    assert [row[0].text for row in study_best.table(two).rows] == ["a", "b", "c"]
    assert study_best.drawing(two).title.startswith("3 of 4 points trade Cost for Energy")
    assert "crosses miss a constraint" in study_best.drawing(two).subtitle


def test_without_objectives_the_usual_ones_count() -> None:
    assert study_best.objectives(_study()) == (("site.cost", "minimize"), ("site.energy", "minimize"))


def test_what_runs_out_first_is_told_of_every_point() -> None:
    """At 100 %/year a half lasts one year and twice the load; 1.0 is full now."""
    outlook = Outlook((Growth("g", 1.0),))
    found = _study(start="2026-07-15T00:00:00")
    rows = [[cell.text for cell in row] for row in study_outlook.table(found, outlook).rows]
    assert rows[0] == ["a", "50", "25", "–", "power", "2", "Jul 2027"]
    assert rows[2] == ["c", "12.5", "50", "–", "cooling", "2", "Jul 2027"]
    assert rows[3] == ["<i>d", "100", "50", "power", "cooling", "2", "Jul 2027"]
    assert "In 1 of 4 points something is full" in study_outlook.told(found, outlook)
    assert "power in 2 of 4 points, cooling in 2" in study_outlook.told(found, outlook)
    assert study_outlook.table(_study(), outlook).rows[0][-1].text == "in 1 years"


def test_a_study_without_capacities_says_how_to_keep_them() -> None:
    assert study_outlook.told(_study(capacities=False), Outlook()) == study_outlook.MISSING
    assert study_outlook.table(_study(capacities=False), Outlook()).rows == ()


@pytest.mark.parametrize("capacities", [True, False])
def test_the_page_is_escaped_and_in_order(capacities: bool, tmp_path: Path) -> None:
    found = _study(capacities, base="<b>.yaml", objectives={"site.cost": "minimize"})
    text = html.write_study(found, tmp_path).read_text("utf-8")
    assert "<i>d" not in text
    assert "<b>.yaml" not in text
    marks = ['id="best"', 'id="points"', 'id="capacity"', 'id="ranges"', 'id="table"', 'id="failed"', 'id="again"']
    assert [text.index(mark) for mark in marks] == sorted(text.index(mark) for mark in marks)
