"""What is said of how far off headline numbers are is what the studies found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dcsim.report import headline, html, tables
from dcsim.results import compare, dataset, known_errors, store
from dcsim.results.dataset import Dataset
from dcsim.results.result import Metric, Result
from dcsim.results.rows import Row

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
    assert step.basis.short == "calibrated, measured error 2 %, nine of ten within 10 %"
    assert step.reach == "four of five runs keep"
    assert _tile("jobs.a.mfu", "", Metric(0.4, "1")).basis.short == "first principles, no measured error"
    assert _tile("site.pue", "steps", Metric(1.2, "1")).basis.short == "first principles, no measured error"
    joined = _tile("jobs.a.finish", "collectives", Metric(9.0, "s", 8.0, 10.0))
    assert joined.basis.short.startswith("first principles; collectives across nodes: measured error 6 %")
    assert joined.reach == "95 % interval"


def test_the_page_tells_it_beside_the_number_and_how_to_compute_it(tmp_path: Path) -> None:
    metrics = {"jobs.a.mfu": Metric(0.4, "1", 0.36, 0.44, "calibrated"), "site.pue": Metric(1.2, "1")}
    manifest = {"jobs": ["a"], "held_against": {"a": "steps-tpu"}}
    html.write(Result("x", "", metrics, {}, manifest), tmp_path / "x.html")
    text = (tmp_path / "x.html").read_text()
    tiles, trust = text.split('id="trust"')
    assert "measured error 4 %, nine of ten within 13 %" in tiles
    assert "first principles, no measured error" in tiles
    assert "46 measurements of steps on TPUs that no constant saw (dcsim accuracy training)" in trust


STEP, COST = Metric(2.0, "s", provenance="calibrated"), Metric(3.0, "USD")


def _run(study: str) -> Result:
    return Result(study, study, {"jobs.a.step_time": STEP, "site.cost": COST}, {}, {"held_against": {"a": study}})


def test_a_comparison_tells_of_whom_an_error_is_where_results_differ() -> None:
    compared = compare([_run("steps"), _run("steps-tpu")])
    view = tables.comparison_headline(compared, ())
    cost, step = view.rows
    assert "46 measurements of steps on TPUs that no constant saw (dcsim accuracy training)" in view.note
    assert step[-1].text == "steps: calibrated ±10 %; steps-tpu: calibrated ±13 %"
    assert cost[-1].text == "first principles"
    told = compared.as_dict()["metrics"]["site.cost"]["rests_on"]
    assert told == dict.fromkeys(("steps", "steps-tpu"), "first principles, no measured error")


def test_a_line_names_what_was_measured_and_sums_up_the_rest() -> None:
    found = {"step": "calibrated ±10 %", "MFU": "calibrated ±10 %", **dict.fromkeys("abc", "first principles")}
    line = known_errors.line(found)
    assert line.startswith("Rests on: step, MFU: calibrated ±10 %; the rest: first principles. ± held nine of ten")
    assert known_errors.line({"a": "first principles"}).endswith("How far off such numbers are was not measured.")
    assert known_errors.line({}) == ""


def test_points_of_a_study_keep_what_they_rest_on(tmp_path: Path) -> None:
    written = [known_errors.written({"jobs.a.step_time": STEP, "site.cost": COST}, {"a": study}) for study in ROWS]
    kept = Dataset(tmp_path, ())
    for number, text in enumerate(written):
        kept.append(
            Row(f"{number:032x}", number, {}, 0.1, metrics={"site.cost": (1.0, "USD", None, None)}, rests_on=text)
        )
    kept.seal()
    assert [row.rests_on for row in dataset.stored(tmp_path)] == written
    found = known_errors.of_points(written[:1], "jobs.a.step_time")
    assert [basis.short for basis in found] == ["calibrated, measured error 2 %, nine of ten within 10 %"]
    assert len(known_errors.of_points([*written, None], "jobs.a.step_time")) == 3
    assert known_errors.of_points(written, "site.cost") == (known_errors.Basis(),)


def test_the_file_of_metrics_tells_it_as_a_field_of_its_own() -> None:
    metrics = json.loads(store.metrics_json(_run("steps")))["metrics"]
    assert metrics["jobs.a.step_time"]["measured_error"]["ninetieth"] == 10
    assert "measured_error" not in metrics["site.cost"]
