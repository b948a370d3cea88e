"""Searches through whole runs: trials are jobs, their scores are real, and pruning frees accelerators."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from dcsim import simulate
from dcsim.results.result import Result
from dcsim.scenario.load import load

BASE = """
dcsim: 1
name: search
seed: 3
site: {climate: stockholm, grid: sweden}
cluster:
  servers: [{name: train, type: dgx-h100, count: 2, per_rack: 1}]
  storage: {nodes: 3}
jobs:
  - name: tune
    model: {family: mlp, inputs: 4, hidden: [8], classes: 3}
    precision: fp32
    optimizer: {name: sgd, learning_rate: 0.1}
    batch: {global: 16, micro: 4}
    parallel: {data: 4}
    steps: 40
    launch: 1 ms
    checkpoint: {every: 20 steps}
    execute: {data: iris, validate: {every: 5 steps, share: 30 %}}
    search:
      method: grid
      at_once: 3
      prune: median
      space:
        optimizer.learning_rate: [0.3, 0.1, 1.0e+30, 0.1, 0.001, 0.0001]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("search")


@cache
def run(folder: Path, *changes: str) -> Result:
    path = folder / "search.yaml"
    path.write_text(BASE, encoding="utf-8")
    return simulate.run(simulate.prepare(load(path, changes)))


def value(result: Result, name: str) -> float:
    return result.metrics[f"jobs.tune.{name}"].value


def test_trials_are_jobs_with_real_scores(folder: Path) -> None:
    result = run(folder)
    trials = result.tables["trials"]
    assert [json.loads(text)["optimizer.learning_rate"] for text in trials["settings"]] == [
        0.3, 0.1, 1e30, 0.1, 0.001, 0.0001
    ]  # fmt: skip
    assert trials["state"].tolist() == ["complete", "complete", "diverged", "complete", "pruned", "pruned"]
    looks = result.tables["validation"]
    for trial in trials.to_dict("records"):
        own = looks[looks["job"] == f"tune/{trial['trial']}"]
        if trial["state"] != "diverged":
            assert trial["score"] == own["loss"].iloc[-1]
            assert trial["steps"] == own["step"].iloc[-1]
    assert trials["steps"].iloc[-1] < 40
    assert "a lower learning rate may help" in trials["reason"].iloc[2]
    assert np.isnan(trials["score"].iloc[2])
    assert value(result, "trials_pruned") == 2
    assert value(result, "best_score") == trials["score"].iloc[[0, 1, 3]].min()
    assert all(check["passed"] for check in result.manifest["checks"])


def test_trials_wait_for_accelerators(folder: Path) -> None:
    """Three at once on two servers: one queues until another ends."""
    result = run(folder)
    trials, spans = result.tables["trials"], result.tables["spans"]
    ran = spans[~spans["kind"].isin(["queued"])]
    first = ran.groupby("job")["start_s"].min()
    assert first["tune/2"] >= trials["end_s"].iloc[:2].min()
    moments = np.sort(np.concatenate([ran["start_s"], ran["end_s"]]))
    for moment in (moments[1:] + moments[:-1]) / 2:
        assert ran[(ran["start_s"] < moment) & (ran["end_s"] > moment)]["job"].nunique() <= 2
    assert value(result, "finish") == trials["end_s"].max()
    assert value(result, "energy") == pytest.approx(trials["energy_j"].sum())


def test_pruned_trials_free_their_accelerators(folder: Path) -> None:
    pruned, whole = run(folder), run(folder, "jobs.tune.search.prune=null")
    assert value(whole, "trials_pruned") == 0
    assert value(pruned, "best_score") == value(whole, "best_score")
    for name in ("accelerator_time", "energy", "finish", "steps_taken"):
        assert value(pruned, name) < value(whole, name), name


def test_the_same_search_gives_the_same_bits_in_both_time_modes(folder: Path) -> None:
    first, exact = run(folder), run(folder, "detail=step")
    assert first.manifest["weights"] == exact.manifest["weights"]
    assert first.tables["trials"]["score"].equals(exact.tables["trials"]["score"])
    assert value(exact, "accelerator_time") == pytest.approx(value(first, "accelerator_time"), rel=1e-9)


def test_a_failure_changes_no_score(folder: Path) -> None:
    calm = run(folder, "jobs.tune.search.prune=null")
    at_s = float(calm.tables["trials"]["end_s"].iloc[0]) * 0.7
    fault = f"faults=[{{at: {at_s!r} s, kind: server, target: train/0, repair: 10 ms}}]"
    broken = run(folder, "jobs.tune.search.prune=null", fault)
    assert value(broken, "restarts") == 1
    assert broken.tables["trials"]["score"].equals(calm.tables["trials"]["score"])
    assert broken.manifest["weights"] == calm.manifest["weights"]


def test_settings_that_cannot_be_a_job_are_refused_and_the_search_goes_on(folder: Path) -> None:
    """16 samples over 8 ranks make no micro batches of 4, 32 do."""
    space = "jobs.tune.search.space={batch.global: [16, 32], parallel.data: [4, 8]}"
    with pytest.raises(Exception, match="values that the job can have"):
        run(folder, space)
    result = run(folder, "jobs.tune.batch.global=32",
                 "jobs.tune.search.space={batch.micro: [4, 8], parallel.data: [4, 8]}")  # fmt: skip
    trials = result.tables["trials"]
    assert trials["state"].tolist() == ["complete", "complete", "complete", "refused"]
    assert "expected a multiple of" in trials["reason"].iloc[-1]
