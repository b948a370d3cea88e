"""Optimizing and ranking on a scenario whose best point and strongest axis are known beforehand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import dcsim
from dcsim.errors import InputError, RunError
from dcsim.report.search import words
from dcsim.results.search import Found
from dcsim.scenario.study import load_study
from dcsim.studies.evaluation import Evaluation
from dcsim.studies.executors.serial import Serial
from dcsim.studies.optimize import optimize
from dcsim.studies.sensitivity import sensitivity
from dcsim.studies.sweep import opened

SCENARIO = """\
dcsim: 1
name: tiny
cluster:
  servers: [{name: train, type: dgx-h100, count: 2}]
jobs:
  - {name: digits, model: mlp-mnist, batch: {global: 64, micro: 4}, parallel: {data: 16}, steps: 4}
"""
STUDY = """\
dcsim: 1
study: tiny-search
base: tiny.yaml
axes:
  jobs.digits.steps: {range: [1, 40]}
  cluster.servers.train.count: [2, 3, 4]
keep: [jobs.*.finish, site.energy]
search: {trials: 12, batch: 4, seed: 2}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tiny.yaml").write_text(SCENARIO)
    return tmp_path


def _search(folder: Path, more: str, text: str = STUDY) -> tuple[Found, int]:
    (folder / "study.yaml").write_text(text + more)
    loaded = load_study(folder / "study.yaml")
    with opened(loaded, folder / "out", search=True) as ready:
        evaluation = Evaluation(ready, Serial(ready.context()), lambda _: None)
        found = optimize(loaded, evaluation)
        evaluation.close()
    return found, evaluation.simulated


def test_the_best_is_the_best_of_the_candidates_and_a_second_search_simulates_nothing(folder: Path) -> None:
    found, simulated = _search(folder, "objectives: {site.energy: minimize}\n")
    assert len(found.candidates) == 12
    assert found.best[0].values[0] == min(candidate.values[0] for candidate in found.candidates)
    assert 0 < simulated == len(found.points) <= 12
    again, none = _search(folder, "objectives: {site.energy: minimize}\n")
    assert none == 0
    assert [c.changes for c in again.candidates] == [c.changes for c in found.candidates]
    assert [c.values for c in again.candidates] == [c.values for c in found.candidates]


def test_a_constraint_keeps_the_best_out_of_what_it_forbids(folder: Path) -> None:
    more = "objectives: {site.energy: minimize}\nconstraints: [jobs.digits.steps >= 20, jobs.digits.finish >= 1 us]\n"
    found, _ = _search(folder, more)
    assert found.candidates
    assert all(candidate.changes["jobs.digits.steps"] >= 20 for candidate in found.candidates)
    assert len(found.candidates) + found.failed == 12


ZIPPED = STUDY.replace(
    "  cluster.servers.train.count: [2, 3, 4]\n",
    "  jobs.digits.parallel.data: [8, 16]\n  cluster.servers.train.count: [1, 2]\n"
    "combine: {zip: [[jobs.digits.parallel.data, cluster.servers.train.count]]}\n",
)  # any other pair needs more accelerators than there are, or leaves servers idle


def test_zipped_axes_move_together_in_a_search(folder: Path) -> None:
    found, _ = _search(folder, "objectives: {site.energy: minimize}\n", ZIPPED)
    pairs = {
        (c.changes["jobs.digits.parallel.data"], c.changes["cluster.servers.train.count"]) for c in found.candidates
    }
    assert found.failed == 0
    assert pairs == {(8, 1), (16, 2)}


def test_zipped_axes_rank_as_one(folder: Path) -> None:
    (folder / "study.yaml").write_text(ZIPPED + "sensitivity: {samples: 2}\nobjectives: {site.energy: minimize}\n")
    loaded = load_study(folder / "study.yaml")
    with opened(loaded, folder / "out", search=True) as ready:
        evaluation = Evaluation(ready, Serial(ready.context()), lambda _: None)
        (ranking,) = sensitivity(loaded, evaluation)
        evaluation.close()
    names = {effect.axis for effect in ranking.effects}
    assert names == {"jobs.digits.steps", "jobs.digits.parallel.data + count"}


def test_two_objectives_give_points_that_nothing_beats(folder: Path) -> None:
    found, _ = _search(folder, "objectives: {site.energy: minimize, jobs.digits.finish: maximize}\n")
    for one in found.best:
        assert not any(o.values[0] < one.values[0] and o.values[1] > one.values[1] for o in found.candidates)


def test_candidates_are_dropped_after_a_short_horizon(folder: Path) -> None:
    axes = "  jobs.digits.batch.global: {log2: [64, 4096]}\n  cluster.servers.train.count: [2, 3, 4]\n"
    head, _, tail = STUDY.partition("axes:\n")
    text = f"{head}axes:\n{axes}{tail[tail.index('keep:') :]}".replace(
        "seed: 2}", "seed: 2, prune: {path: jobs.digits.steps, values: [2]}}"
    )
    found, _ = _search(folder, "objectives: {site.energy: minimize}\n", text)
    assert found.pruned > 0
    assert len(found.candidates) + found.pruned + found.failed == 12


def test_the_verb_writes_a_scenario_that_runs(folder: Path) -> None:
    from typer.testing import CliRunner

    from dcsim.cli import application

    (folder / "study.yaml").write_text(STUDY + "objectives: {site.energy: minimize}\n")
    run = CliRunner().invoke(
        application(), ["optimize", str(folder / "study.yaml"), "--out", str(folder / "out"), "-j", "1"]
    )
    assert run.exit_code == 0, run.output
    assert "site.energy is best at" in run.output
    best = json.loads((folder / "out" / "optimum.json").read_text())["best"][0]
    result = dcsim.run(folder / "out" / "best.yaml")
    assert result.value("site.energy") == best["objectives"]["site.energy"]
    assert (folder / "out" / "optimum.svg").read_text().startswith("<")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", "no objectives"),
        ("objectives: {site.enrgy: minimize}\n", 'no metric "site.enrgy".*did you mean "site.energy"'),
    ],
)
def test_what_cannot_be_searched_for_is_told(folder: Path, more: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        _search(folder, more)


@pytest.mark.parametrize(("method", "samples"), [("morris", 4), ("sobol", 8)])
def test_the_axis_that_does_all_comes_first(folder: Path, method: str, samples: int) -> None:
    # The finish of a job on two servers does not depend on how many servers there are besides.
    text = (
        STUDY + f"sensitivity: {{method: {method}, samples: {samples}}}\nobjectives: {{jobs.digits.finish: minimize}}\n"
    )
    (folder / "study.yaml").write_text(text)
    loaded = load_study(folder / "study.yaml")
    with opened(loaded, folder / "out", search=True) as ready:
        (ranking,) = sensitivity(loaded, Evaluation(ready, Serial(ready.context()), lambda _: None))
    first, second = ranking.effects
    assert first.axis == "jobs.digits.steps"
    assert first.total > 10 * abs(second.total)


def test_a_ranking_with_a_failed_point_is_refused(folder: Path) -> None:
    (folder / "study.yaml").write_text(STUDY.replace("[2, 3, 4]", "[0, 3]"))
    loaded = load_study(folder / "study.yaml")
    with opened(loaded, folder / "out", search=True) as ready, pytest.raises(RunError, match="points failed"):
        sensitivity(loaded, Evaluation(ready, Serial(ready.context()), lambda _: None))


def test_a_point_that_is_proposed_again_is_told_once(folder: Path) -> None:
    text = STUDY.replace("{range: [1, 40]}", "[10, 20]").replace("[2, 3, 4]", "[2, 3]")
    found, simulated = _search(folder, "objectives: {site.energy: minimize}\n", text)
    assert len(found.candidates) == 12
    assert len(found.points) == simulated <= 4
    told = words(load_study(folder / "study.yaml"), found)
    assert f"{simulated} candidates, in 12 proposals, were simulated in full" in told
