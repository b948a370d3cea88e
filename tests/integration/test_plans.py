"""Jobs with parallel plans in whole runs: played by events, alone and beside others, and with failures."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcsim import simulate
from dcsim.cluster.allocation import allocate
from dcsim.cluster.playback import Playback
from dcsim.engine import Process
from dcsim.errors import ScenarioError
from dcsim.estimate.job_plan import JobPlan
from dcsim.estimate.planned_program import placed_parts
from dcsim.estimate.step_plan import step_plan
from dcsim.results.result import Result
from dcsim.scenario.load import load
from dcsim.scenario.user import UserModel
from dcsim.simulate.assemble import DataCenter, assemble
from dcsim.simulate.prepare import prepare

ROOT = Path(__file__).parents[2]
SCENARIOS = sorted((ROOT / "scenarios").glob("*.yaml"))

TWO = """
dcsim: 1
name: two
site: {climate: stockholm, grid: sweden}
cluster:
  servers: [{name: train, type: dgx-h100, count: 4, per_rack: 1}]
  network: {oversubscription: 8, routing: static}
jobs:
  - name: one
    model: llama3-8b
    software: te-fp8-2024
    batch: {global: 64, micro: 1}
    parallel: {data: 4, tensor: 2, pipeline: 2, sharding: optimizer}
    steps: 4
    launch: 1 s
"""
OTHER = TWO.partition("jobs:\n")[2].replace("name: one", "name: other")


def run(folder: Path, text: str, *changes: str) -> Result:
    file = folder / "scenario.yaml"
    file.write_text(text, "utf-8")
    return simulate.run(prepare(load(file, changes)))


def centers() -> list[Path]:
    """Scenarios with training jobs that neither execute nor need leave to run code of the user's own."""
    return [file for file in SCENARIOS if not file.stem.startswith("bring-your-own")]


def played_s(center: DataCenter, plan: JobPlan) -> tuple[float, float, float]:
    """Return the time of a step played by events, that of its stages in closed form, and the sum of its parts [s]."""
    hall, servers = center.hall, sorted(plan.pool)[: plan.servers_needed]
    paths = allocate(plan, servers, hall.fabric, hall.store).paths
    step = step_plan(plan.program, plan.device, paths, None)
    begun = hall.clock.now
    took: list[float] = []

    def play() -> Process:
        yield Playback(hall.clock, hall.fabric, "alone", step.stages).done
        took.append(hall.clock.now - begun)

    hall.clock.process(play())
    hall.clock.run(begun + 2.0 * step.duration_s)
    parts = sum(placed_parts(plan.split.at(1.0), step.stages).values()) if plan.split else step.duration_s
    return took[0], step.duration_s, parts


@pytest.mark.parametrize("scenario", centers(), ids=lambda file: file.stem)
def test_a_step_played_alone_takes_as_long_as_estimated(scenario: Path) -> None:
    prepared = prepare(load(scenario))
    center = assemble(prepared, 1)
    for plan in prepared.jobs:
        if not isinstance(plan.parts.model, UserModel):
            played, estimated, parts = played_s(center, plan)
            assert played == pytest.approx(estimated, rel=1e-6)
            assert parts == pytest.approx(estimated, rel=1e-9)


def test_every_step_by_events_takes_what_the_segment_says(tmp_path: Path) -> None:
    whole = run(tmp_path, TWO)
    every = run(tmp_path, TWO, "detail=step")
    metric = "jobs.one.step_time"
    assert every.metrics[metric].value == pytest.approx(whole.metrics[metric].value, rel=1e-6)
    parts = whole.table("step_parts")
    assert parts["seconds"].sum() == pytest.approx(whole.metrics[metric].value, rel=1e-6)
    assert parts["share"].sum() == pytest.approx(1.0, rel=1e-9)


def test_two_jobs_that_share_links_take_longer_than_alone(tmp_path: Path) -> None:
    alone = run(tmp_path, TWO).metrics["jobs.one.step_time"]
    both = run(tmp_path, TWO + OTHER)
    assert both.metrics["jobs.one.step_time"].value > 1.005 * alone.value
    assert alone.provenance == "calibrated"
    assert alone.low is not None
    assert alone.high is not None
    assert alone.low < alone.value < alone.high


def test_accelerators_of_which_no_run_was_measured_have_no_interval(tmp_path: Path) -> None:
    changes = (
        "cluster.servers.train.type=mi250x-4",
        "cluster.servers.train.count=8",
        "jobs.one.parallel.recompute=full",
    )
    found = run(tmp_path, TWO, *changes)
    step = found.metrics["jobs.one.step_time"]
    assert (step.provenance, step.low, step.high) == ("first-principles", None, None)
    assert found.manifest["held_against"] == {}
    assert run(tmp_path, TWO).manifest["held_against"] == {"one": "steps"}


def test_a_job_with_a_plan_survives_a_failure(tmp_path: Path) -> None:
    faults = "faults:\n  - {at: 3 s, kind: server, target: train/0, repair: 10 s}\n"
    failed = run(tmp_path, TWO + faults)
    assert failed.metrics["jobs.one.restarts"].value == 1.0
    assert failed.metrics["jobs.one.step_time"].value == pytest.approx(
        run(tmp_path, TWO).metrics["jobs.one.step_time"].value, rel=0.2
    )


def test_a_lower_clock_slows_products_alone(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(TWO, "utf-8")
    split = prepare(load(file)).jobs[0].split
    assert split is not None
    full, half = split.at(1.0).parts, split.at(0.5).parts
    assert half["optimizer"] == full["optimizer"]
    assert 1.5 < half["matmul"] / full["matmul"] <= 2.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("jobs.one.parallel.tensor=3", r"parallel.tensor: found 3, expected a number that divides the 32 heads"),
        ("jobs.one.parallel.data=64", r"jobs.one.parallel: found 256 ranks, expected at most 32"),
        ("jobs.one.model=resnet-50", r'jobs.one.model: found the family "resnet" under a parallel plan'),
        ("jobs.one.software=eager-2020", r'jobs.one.software: found "eager-2020", expected an era fitted'),
        ("jobs.one.batch.micro=16", r"jobs.one.model: found .*at most 85.5 GB"),
    ],
)
def test_plans_that_cannot_be_are_refused(tmp_path: Path, change: str, message: str) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(TWO, "utf-8")
    with pytest.raises(ScenarioError, match=message):
        prepare(load(file, [change]))


@pytest.mark.parametrize(
    ("name", "published_s"),
    [
        # 2,048 x 8,192 tokens of 16,384 GPUs at 400 TFLOP/s, attention counted whole
        ("llama3-405b", 6.721),
        # As many tokens, of 131,072 each, at 380: 6 x 403.75 G and 12 x 126 x 16,384 x 131,072 FLOP a token
        ("llama3-405b-long", 15.278),
        ("megatron-175b", 13.75),
        ("deepseek-v3", 15360 * 4096 / (1543 * 2048)),
        ("tpu-v5p-pod", 98.10),  # 55.35 % of 459 TFLOP/s on 1,024 chips
    ],
)
def test_published_steps_are_met_within_five_percent(name: str, published_s: float) -> None:
    step = prepare(load(ROOT / "scenarios" / f"{name}.yaml")).jobs[0].split
    assert step is not None
    assert step.step.seconds == pytest.approx(published_s, rel=0.05)
