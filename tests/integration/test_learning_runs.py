"""Jobs that learn until they have learned enough, through whole runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dcsim import simulate
from dcsim.results.result import Result
from dcsim.scenario.load import load

BASE = """
dcsim: 1
name: learning
seed: 3
site: {climate: stockholm, grid: sweden}
cluster:
  servers: [{name: train, type: dgx-h100, count: 2, per_rack: 1}]
  storage: {nodes: 3}
jobs:
  - name: learn
    model: {family: mlp, inputs: 64, hidden: [32], classes: 10}
    precision: fp32
    optimizer: {name: adamw, learning_rate: 3e-3}
    batch: {global: 32, micro: 4}
    parallel: {data: 8}
    steps: 200
    launch: 1 ms
    checkpoint: {every: 50 steps}
    execute: {data: digits, validate: {every: 10 steps}}
"""


def run(folder: Path, *changes: str) -> Result:
    path = folder / "learning.yaml"
    path.write_text(BASE, encoding="utf-8")
    return simulate.run(simulate.prepare(load(path, changes)))


def learn(rules: str) -> str:
    return f"jobs.learn.execute={{data: digits, validate: {{every: 10 steps}}, {rules}}}"


def value(result: Result, name: str) -> float:
    return result.metrics[f"jobs.learn.{name}"].value


def test_a_job_that_is_only_judged_takes_all_its_steps(tmp_path: Path) -> None:
    result = run(tmp_path)
    looks = result.tables["validation"]
    assert looks["step"].tolist() == list(range(10, 201, 10))
    assert value(result, "accuracy") == looks["accuracy"].iloc[-1] > 0.9
    assert value(result, "steps_taken") == 200
    parts = result.tables["breakdown"].set_index("part")["seconds"]
    assert 0.0 < parts["validation"] < parts["compute"]
    # Four checkpoints of the very arrays in three replicas: float32 weights and two moments, the counter of steps.
    elements = 64 * 32 + 32 + 32 * 10 + 10
    assert result.metrics["storage.written"].value == 3 * 4 * (12 * elements + 4)


def test_a_target_ends_a_job_and_a_failure_does_not_change_when(tmp_path: Path) -> None:
    stop = learn("target: {accuracy: 85 %}, stop: {at_target: true}")
    whole = run(tmp_path, stop)
    looks = whole.tables["validation"]
    assert np.all(looks["accuracy"].iloc[:-1] < 0.85)
    assert looks["accuracy"].iloc[-1] >= 0.85
    steps = value(whole, "steps_taken")
    assert steps == looks["step"].iloc[-1] < 200
    assert value(whole, "samples_to_target") == 32 * steps
    assert value(whole, "time_to_target") == looks["time_s"].iloc[-1]
    assert 0.0 < value(whole, "energy_to_target") < value(whole, "energy")
    at_s = float(looks["time_s"].iloc[-2])
    broken = run(tmp_path, stop, f"faults=[{{at: {at_s} s, kind: server, target: train/0, repair: 1 ms}}]")
    assert value(broken, "restarts") == 1
    assert value(broken, "steps_taken") == steps
    assert broken.manifest["weights"] == whole.manifest["weights"]


def test_a_training_target_ends_a_job_at_the_very_step(tmp_path: Path) -> None:
    result = run(tmp_path, "jobs.learn.execute={data: digits, target: {loss: 0.5}, stop: {at_target: true}}")
    losses = result.tables["learning"]["loss"]
    assert np.all(losses.iloc[:-1] > 0.5)
    assert losses.iloc[-1] <= 0.5
    exact = run(tmp_path, "jobs.learn.execute={data: digits, target: {loss: 0.5}, stop: {at_target: true}}",
                "detail=step")  # fmt: skip
    assert exact.tables["learning"]["loss"].tolist() == losses.tolist()


def test_patience_ends_a_job_that_no_longer_improves(tmp_path: Path) -> None:
    fast = "jobs.learn.optimizer={name: adamw, learning_rate: 0.1}"
    result = run(tmp_path, fast, learn("stop: {patience: 3}"))
    losses = result.tables["validation"]["loss"]
    assert value(result, "steps_taken") < 200
    assert losses.iloc[-3:].min() >= losses.iloc[:-3].min()


@pytest.mark.parametrize("moment", [0.2, 0.5, 0.8, 0.97])
def test_failures_change_no_bit_of_what_was_learned(tmp_path: Path, moment: float) -> None:
    rules = (
        learn("stop: {patience: 3}"),
        "jobs.learn.parallel={data: 8, reduce: tree, compression: top-k}",
        "jobs.learn.optimizer={name: sgd, learning_rate: 0.3, schedule: {kind: linear, warmup: 20 steps}}",
    )
    whole = run(tmp_path, *rules)
    at_s = moment * value(whole, "finish")
    broken = run(tmp_path, *rules, f"faults=[{{at: {at_s} s, kind: server, target: train/0, repair: 1 ms}}]")
    assert broken.manifest["weights"] == whole.manifest["weights"]
    assert value(broken, "steps_taken") == value(whole, "steps_taken")
    assert value(broken, "validation_loss") == value(whole, "validation_loss")


SERVER = "jobs.learn.parallel={data: 8, reduce: {kind: parameter-server, updates: asynchronous}}"


def test_ranks_that_do_not_wait_are_stale(tmp_path: Path) -> None:
    """8 ranks of about one pace: between the pull and the push of a gradient most others push once."""
    result = run(tmp_path, SERVER, "jobs.learn.jitter=0.3", "jobs.learn.optimizer={name: sgd, learning_rate: 0.02}")
    assert 5.0 < value(result, "staleness") < 8.0
    assert value(result, "accuracy") > 0.85
    learning = result.tables["learning"]
    assert learning["step"].tolist() == list(range(1, 201))
    assert learning["time_s"].is_monotonic_increasing
    assert result.tables["segments"]["steps"].sum() == 200
    parts = result.tables["breakdown"].set_index("part")["seconds"]
    assert parts.sum() == pytest.approx(value(result, "finish"), rel=1e-9)


def test_pushes_wait_at_a_slow_card(tmp_path: Path) -> None:
    """Behind 1 Gbit/s cards the gradients of two servers meet at that of the parameter server's."""
    slow = ("cluster.network.link=1 Gbit/s", "jobs.learn.model={family: mlp, inputs: 64, hidden: [256], classes: 10}",
            "jobs.learn.batch={global: 64, micro: 4}", "jobs.learn.steps=20", "jobs.learn.checkpoint=null",
            "jobs.learn.execute={data: digits}")  # fmt: skip
    result = run(tmp_path, SERVER.replace("8", "16"), *slow)
    elements = 64 * 256 + 256 + 256 * 10 + 10
    # 8 of 16 ranks reach the server's card from outside, in and out at 125 MB/s less protocol: a step takes at least
    assert value(result, "step_time") > 8 * 4 * elements / 125e6
    assert value(result, "exposed_communication") > value(result, "compute_time")


def test_clients_of_unequal_data_train_by_themselves(tmp_path: Path) -> None:
    shares = "{kind: federated, local_steps: 4, clients: 4, shares: [40 %, 30 %, 20 %, 10 %], split: sorted}"
    rules = (
        f"jobs.learn.parallel={{data: 8, reduce: {shares}}}",
        "jobs.learn.steps=50",
        "jobs.learn.batch={global: 128, micro: 4}",
        "jobs.learn.optimizer={name: sgd, learning_rate: 0.1}",
    )
    result, exact = run(tmp_path, *rules), run(tmp_path, *rules, "detail=step")
    assert value(result, "accuracy") > 0.85
    assert result.manifest["weights"] == exact.manifest["weights"]
    assert value(result, "step_time") == pytest.approx(value(exact, "step_time"), rel=1e-9)
