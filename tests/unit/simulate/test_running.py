"""Replications, interrupts, times to stop at."""

from __future__ import annotations

from pathlib import Path

import pytest

import dcsim
from dcsim.results.result import Result
from dcsim.scenario.load import Loaded
from dcsim.simulate import Progress

TEXT = """\
dcsim: 1
name: small
seed: 4
cluster:
  servers: [{name: train, type: dgx-h100, count: 2}]
jobs:
  - name: one
    model: {family: transformer, layers: 2, hidden: 128, heads: 4, context: 64, vocabulary: 256}
    batch: {global: 32, micro: 2}
    parallel: {data: 16}
    steps: 200
    launch: 1 s
    jitter: 0.2
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "scenario.yaml"
    file.write_text(TEXT, "utf-8")
    return file


def load(file: Path, *settings: str) -> Loaded:
    return dcsim.load(file, settings)


def test_replications_give_means_and_intervals(file: Path) -> None:
    result = dcsim.run(load(file, "replications=3"))
    metric = result.metrics["jobs.one.compute_time"]
    assert metric.low is not None
    assert metric.high is not None
    assert metric.low < metric.value < metric.high
    single = dcsim.run(load(file)).metrics["jobs.one.compute_time"]
    assert single.low is None
    assert metric.low < single.value < metric.high or single.value != metric.value
    # What does not vary has an interval of no width.
    flat = result.metrics["jobs.one.restarts"]
    assert (flat.low, flat.value, flat.high) == (0.0, 0.0, 0.0)


def test_the_first_replication_is_the_run_without_replications(file: Path) -> None:
    alone, several = dcsim.run(load(file)), dcsim.run(load(file, "replications=2"))
    assert alone.tables["segments"].equals(several.tables["segments"])
    one, two = (r.metrics["jobs.one.finish"].value for r in (alone, several))
    assert one != two


def interrupted(file: Path, *settings: str, after: int = 3) -> tuple[Result, list[Progress]]:
    seen: list[Progress] = []

    def progress(now: Progress) -> None:
        seen.append(now)
        if len(seen) == after:
            raise KeyboardInterrupt

    return dcsim.run(load(file, *settings), progress), seen


def test_an_interrupt_keeps_a_partial_result(file: Path) -> None:
    result, seen = interrupted(file, "detail=step")
    assert result.partial
    assert result.manifest["partial"] is True
    assert len(seen) == 3
    assert [now.events for now in seen] == [256, 512, 768]
    assert 0.0 < seen[0].fraction < seen[2].fraction < 1.0  # type: ignore[operator]
    assert result.metrics["run.duration"].value == seen[-1].simulated_s
    steps = int(result.tables["segments"]["steps"].sum())
    assert 0 < steps < 200
    assert result.metrics["jobs.one.step_time"].value > 0.0
    assert "jobs.one.finish" not in result.metrics
    assert all(check["passed"] for check in result.manifest["checks"])


def test_an_interrupted_replication_does_not_spoil_the_others(file: Path) -> None:
    ticks = len(interrupted(file, "detail=step", after=10**9)[1])
    whole = dcsim.run(load(file, "detail=step"))
    result, _ = interrupted(file, "detail=step", "replications=2", after=ticks + 2)
    assert result.partial
    assert result.metrics["run.duration"].value == whole.metrics["run.duration"].value


def test_it_stops_at_the_stated_time(file: Path) -> None:
    early, late = dcsim.run(load(file, "until=500 ms")), dcsim.run(load(file, "until=1 h"))
    assert early.metrics["run.duration"].value == 0.5
    assert not early.partial
    assert "jobs.one.step_time" not in early.metrics
    assert early.tables["breakdown"].query("part == 'launch'")["seconds"].item() == 0.5
    assert late.metrics["run.duration"].value == 3600.0
    assert late.metrics["jobs.one.finish"].value < 1.5


@pytest.mark.parametrize(("topology", "told"), [("torus", True), ("leaf-spine", False)])
def test_an_oversubscription_that_changes_nothing_is_told(file: Path, topology: str, told: bool) -> None:
    result = dcsim.run(load(file, f"cluster.network.topology={topology}", "cluster.network.oversubscription=2"))
    text = f"cluster.network.oversubscription has nothing to divide: a {topology} has no uplinks"
    assert (text in result.manifest["warnings"]) == told
