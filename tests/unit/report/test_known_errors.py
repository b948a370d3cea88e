"""What is said of how far off headline numbers are is what the studies found."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcsim.report import headline, html
from dcsim.results import known_errors
from dcsim.results.result import Metric, Result

DOCS = Path(__file__).parents[3] / "docs" / "explanation"
ROWS = {"steps": "dense transformers on GPUs", "steps-mixtures": "mixtures of experts", "steps-tpu": "TPU"}


@pytest.mark.parametrize(("study", "row"), ROWS.items())
def test_errors_of_steps_are_those_of_the_shipped_study(study: str, row: str) -> None:
    found = known_errors.STUDIES[study]
    (line,) = (line for line in (DOCS / "accuracy.md").read_text().splitlines() if line.startswith(f"| {row} |"))
    count, _, halves, _ = (cell.strip() for cell in line.strip("|").split("|")[1:])
    assert int(count) == found.measurements
    median, _, ninetieth = map(float, halves.split(","))
    assert found.median == pytest.approx(median, abs=1.0)
    assert found.ninetieth == pytest.approx(ninetieth, abs=2.0)


def test_errors_of_collectives_are_those_of_the_shipped_study() -> None:
    found = known_errors.STUDIES["collectives"]
    (line,) = (x for x in (DOCS / "collectives.md").read_text().splitlines() if x.startswith("| **not fitted, all**"))
    rows, *_, across = (cell.strip() for cell in line.strip("|").split("|")[1:])
    assert int(rows.split("+")[-1]) == found.measurements
    median, ninetieth = map(float, across.replace("%", "").replace("(", "").replace(")", "").split())
    assert found.median == pytest.approx(median, abs=1.0)
    assert found.ninetieth == pytest.approx(ninetieth, abs=2.0)


def _tile(name: str, held_against: str, metric: Metric) -> headline.Tile:
    manifest = {"jobs": ["a"], "held_against": {"a": held_against} if held_against else {}, "replications": 1}
    (tile,) = headline.tiles(Result("x", "", {name: metric}, {}, manifest))
    return tile


def test_every_headline_number_tells_its_error_or_that_nobody_knows_it() -> None:
    step = _tile("jobs.a.mfu", "steps", Metric(0.4, "1", 0.36, 0.44, "calibrated"))
    assert step.error == "calibrated, measured error 4 %, nine of ten within 13 %"
    assert step.reach == "four of five runs keep"
    assert _tile("jobs.a.mfu", "", Metric(0.4, "1")).error == "first principles, no measured error"
    assert _tile("site.pue", "steps", Metric(1.2, "1")).error == "first principles, no measured error"
    joined = _tile("jobs.a.finish", "collectives", Metric(9.0, "s", 8.0, 10.0))
    assert joined.error.startswith("first principles; collectives across nodes: measured error 6 %")
    assert joined.reach == "95 % interval"


def test_the_page_tells_it_beside_the_number_and_how_to_compute_it(tmp_path: Path) -> None:
    metrics = {"jobs.a.mfu": Metric(0.4, "1", 0.36, 0.44, "calibrated"), "site.pue": Metric(1.2, "1")}
    manifest = {"jobs": ["a"], "held_against": {"a": "steps-tpu"}}
    html.write(Result("x", "", metrics, {}, manifest), tmp_path / "x.html")
    text = (tmp_path / "x.html").read_text()
    tiles, trust = text.split('id="trust"')
    assert "measured error 4 %, nine of ten within 15 %" in tiles
    assert "first principles, no measured error" in tiles
    assert "46 measurements of steps on TPUs that no constant saw (dcsim accuracy training)" in trust
