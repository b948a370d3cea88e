"""Capacity and growth on the pages: what runs out when, in words, in tables and in figures."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from dcsim.report import capacity, figures, html, outlook
from dcsim.report.capacity import Outlook
from dcsim.results import Result, compare
from dcsim.results.capacity import Resource, resources
from dcsim.results.growth import Growth, parse

START = datetime(2026, 7, 15)


def resource(name: str, demand: float, capacity_: float, role: str = "power") -> Resource:
    return Resource(name, role, "W", demand, capacity_, "more", np.array([0.0]), np.array([demand / capacity_]), 10.0)


def test_the_sentence_names_what_is_full_then_what_follows() -> None:
    """At 100 %/year half doubles in one Julian year, 365.25 days after 15 July 2026; a quarter in two."""
    found = [resource("a", 1.0, 1.0), resource("b", 0.5, 1.0), resource("c", 0.25, 1.0), resource("d", 1e-6, 1.0)]
    said = outlook.sentence(found, Growth("100 %/year", 1.0), START)
    assert said == "100 %/year: at capacity now: a; next to run out: b in Jul 2027; then c in Jul 2028"
    assert outlook.sentence(found[3:], Growth("slow", 0.01), START) == (
        "Slow, 1 %/year: nothing runs out within 10 years"
    )


def test_the_table_sorts_by_years_and_tells_up_to_which_load_a_resource_lasts() -> None:
    view = capacity.table([resource("b", 50.0, 100.0)], START, Outlook((Growth("g", 1.0),), 90.0))
    assert [column.title for column in view.columns][2] == "90 % of the time below"
    assert [cell.text for cell in view.rows[0]] == ["b", "50 W", "50 W", "100 W", "50", "2", "Jul 2027"]
    assert view.rows[0][-1].key == "1.0"


def test_examples_are_called_examples() -> None:
    assert "not a forecast" in capacity.assumptions(Outlook(), START)[0]
    assert "given with --growth" in capacity.assumptions(Outlook((Growth("g", 1.0),)), START)[0]


@pytest.mark.parametrize("points", [1, 10_000])
@pytest.mark.parametrize("share", [0.0, 0.4, 1.7])
def test_figures_draw_one_point_and_many_full_and_empty(points: int, share: float) -> None:
    times = np.linspace(0.0, 9.0, points)
    found = [Resource("x" * 200, "cooling", "W", share, 1.0, "", times, np.full(points, share), 10.0)]
    assert (figures.demand(found).figure is None) == (share == 0.0)
    drawn = figures.growth(found, [Growth("y" * 200, 0.3), Growth("z", -0.2, "linear")], START)
    assert drawn.figure is not None
    assert drawn.description


def test_without_resources_there_are_sentences() -> None:
    assert figures.demand([]).figure is None
    assert "nothing can run out" in figures.growth([], [Growth("", 0.3)], START).title


def test_the_page_holds_the_growth_that_was_asked_for(result: Result, tmp_path: Path) -> None:
    html.write(result, tmp_path / "page.html", outlook=Outlook((parse("plan <b>: 41 %/year linear"),)))
    text = (tmp_path / "page.html").read_text()
    assert "Demand against capacity" in text
    assert "plan &lt;b&gt;, 41 %/year linear" in text
    assert "plan <b>" not in text
    assert 'aria-labelledby="growth-title"' in text


def test_a_comparison_tells_what_runs_out_first_in_each(synthetic: ModuleType, tmp_path: Path) -> None:
    """104 of 128 accelerators are 81.25 %, more than 148 kW of 204 kW."""
    compared = compare(synthetic.variants())
    told = capacity.of_comparison(compared, Outlook())
    assert len(told["outlook"]) == len(compared.labels)
    assert "first to run out: accelerators" in told["outlook"][0]
    row = next(row for row in told["capacity_table"].rows if row[0].text == "accelerators")
    assert row[1].text == "81.2 ◄"
    html.write(compared, tmp_path / "c.html")
    text = (tmp_path / "c.html").read_text()
    assert text.index('id="headline"') < text.index('id="capacity"') < text.index('id="inputs"')


def test_a_hall_that_says_no_start_has_no_dates(result: Result) -> None:
    bare = Result("a", "", result.metrics, result.tables, {}, "")
    assert capacity.start_of(bare) is None
    assert capacity.of_result(bare, Outlook())["outlook"] == []
    assert len(resources(bare)) == 5
