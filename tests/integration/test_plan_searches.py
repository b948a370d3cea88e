"""``dcsim optimize`` on a scenario finds its parallel plan, simulates the best few and writes the best down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dcsim import cli
from dcsim.scenario.load import load
from dcsim.studies import plans

SCENARIO = """
dcsim: 1
name: auto
cluster:
  servers:
    - {name: train, type: dgx-h100, count: 2, per_rack: 2}
  network: {topology: fat-tree, link: 400 Gbit/s, routing: adaptive}  # no flows that meet by chance
jobs:
  - name: pretrain
    model: llama2-7b
    software: te-fp8-2024
    batch: {global: 32, micro: 1}
    parallel: auto
    steps: 5
"""


def dcsim(*arguments: object) -> Result:
    return CliRunner().invoke(cli.application(), [str(each) for each in arguments], prog_name="dcsim")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "auto.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return path


def test_the_best_plan_is_written_and_runs(file: Path, tmp_path: Path) -> None:
    done = dcsim("optimize", file, "--out", tmp_path / "plans")
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "plans" / "plans.json").read_text("utf-8"))
    assert f"{found['looked_at']:,} plans of pretrain on 16 NVIDIA H100" in done.stdout
    plans = found["plans"]
    assert [plan["step_s"] for plan in plans] == sorted(plan["step_s"] for plan in plans)
    simulated = [plan for plan in plans if plan["simulated_s"] is not None]
    assert simulated == plans[: len(simulated)]
    assert all(plan["simulated_s"] == pytest.approx(plan["step_s"], rel=0.15) for plan in simulated)
    best = min(simulated, key=lambda plan: plan["simulated_s"])
    assert all(plan["step_s"] >= best["simulated_s"] for plan in plans[len(simulated) :]), "none left could be faster"
    run = dcsim("run", tmp_path / "plans" / "best.yaml", "--out", tmp_path / "run", "--no-report", "--quiet")
    assert run.exit_code == 0, run.output
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text("utf-8"))["metrics"]
    assert metrics["jobs.pretrain.step_time"]["value"] == pytest.approx(best["simulated_s"], rel=1e-9)


def test_of_several_jobs_one_is_named(file: Path) -> None:
    other = SCENARIO.partition("jobs:\n")[2].replace("pretrain", "other")
    file.write_text(SCENARIO + other, encoding="utf-8")
    done = dcsim("optimize", file)
    assert done.exit_code == 2
    assert "found 2 jobs with parallel: auto, expected whose plan is looked for: --job pretrain or --job other" in (
        " ".join(done.stderr.split())
    )
    done = dcsim("optimize", file, "--job", "othr")
    assert done.exit_code == 2
    assert '--job: found "othr", expected pretrain or other, with parallel: auto; did you mean "other"?' in (
        " ".join(done.stderr.split())
    )


def test_keys_are_changed_before_plans_are_looked_for(file: Path) -> None:
    done = dcsim("optimize", file, "--set", "jobs.pretrain.modle=llama2-7b")
    assert done.exit_code == 2
    assert "--set: jobs.pretrain" in done.stderr
    changes = ["jobs.pretrain.parallel.accelerators=8", "jobs.pretrain.parallel.context=1"]
    found = plans.search(load(file, changes), "pretrain").searched
    assert found.question.ranks == 8
    assert (found.found.plans.context == 1.0).all()


def test_studies_say_themselves_what_varies(tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text("dcsim: 1\nstudy: x\nbase: auto.yaml\naxes: {seed: [1, 2]}\n", encoding="utf-8")
    done = dcsim("optimize", study, "--set", "seed=3")
    assert done.exit_code == 2
    assert "found --set or --job with a study file, expected a scenario" in " ".join(done.stderr.split())


def test_a_scenario_without_a_plan_to_choose_is_refused(file: Path) -> None:
    file.write_text(SCENARIO.replace("auto\n    steps", "{data: 16}\n    steps"), encoding="utf-8")
    done = dcsim("optimize", file)
    assert done.exit_code == 2
    assert "found none with parallel: auto, expected one job, or a study file" in done.stderr
