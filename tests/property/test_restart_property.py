"""Whenever a server fails, an executed job ends with the bits of the run that nothing disturbed.

That holds for asynchronous ranks, too, as long as no one else is on their links: they meet at a checkpoint, and what
they do after it does not depend on when it was.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from dcsim import simulate
from dcsim.results.result import Result
from dcsim.scenario.load import load

BASE = """
dcsim: 1
name: restart
seed: 3
site: {climate: stockholm, grid: sweden}
cluster:
  servers: [{name: train, type: dgx-h100, count: 3, per_rack: 1}]
  network: {radix: 64}  # one switch joins all, so that latencies on the spare server are those on the others
  storage: {nodes: 3}
jobs:
  - name: learn
    model: {family: transformer, layers: 1, hidden: 16, heads: 2, context: 16, vocabulary: 128}
    precision: fp32
    optimizer: {name: adamw, learning_rate: 1e-2}
    batch: {global: 32, micro: 2}
    parallel: {data: 16}
    steps: 12
    launch: 1 ms
    checkpoint: {every: 5 steps}
    execute: {data: python-docs}
"""
JOBS = (
    "jobs.learn.parallel.compression=null",
    "jobs.learn.parallel={data: 16, reduce: hierarchical, compression: top-k}",
    "jobs.learn.parallel={data: 16, reduce: {kind: parameter-server, shards: 3}, compression: sign}",
    "jobs.learn.precision=bf16",
    "jobs.learn.parallel={data: 16, reduce: {kind: federated, local_steps: 1, clients: 4}, compression: top-k}",
    "jobs.learn.parallel={data: 16, reduce: {kind: parameter-server, updates: asynchronous}, compression: top-k}",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("restart")


def run(folder: Path, *changes: str) -> Result:
    path = folder / "restart.yaml"
    path.write_text(BASE, encoding="utf-8")
    return simulate.run(simulate.prepare(load(path, changes)))


@cache
def undisturbed(folder: Path, job: str) -> Result:
    return run(folder, job)


# Two failures of a run, as shares of its time, and which server; drawn once, with both ends among them.
MOMENTS = [(0.0, 0.62, 0), (0.31, 1.0, 1), (0.17, 0.44, 0), (0.73, 0.91, 1), (0.26, 0.55, 0), (0.08, 0.83, 1)]


@pytest.mark.parametrize(("job", "moments"), list(zip(JOBS, MOMENTS, strict=True)))
def test_a_failure_at_any_moment_changes_no_bit(folder: Path, job: str, moments: tuple[float, float, int]) -> None:
    """Two of them, so that the second finds a job that was restarted."""
    whole = undisturbed(folder, job)
    finish_s = whole.metrics["jobs.learn.finish"].value
    *shares, server = moments
    ends = f"kind: server, target: train/{server}, repair: 10 ms"
    faults = [f"{{at: {share * finish_s!r} s, {ends}}}" for share in shares]
    broken = run(folder, job, f"faults=[{', '.join(faults)}]")
    assert broken.manifest["weights"] == whole.manifest["weights"]
    assert broken.metrics["jobs.learn.final_loss"] == whole.metrics["jobs.learn.final_loss"]
    losses = broken.tables["learning"].groupby("step")["loss"]
    assert losses.nunique().max() == 1, "steps that were done again gave another loss"
    assert losses.first().tolist() == whole.tables["learning"]["loss"].tolist()


def test_a_failure_between_checkpoints_repeats_steps(folder: Path) -> None:
    """Step 8 is done and not saved: the job falls back to 5 and does 5 + 1 to 8 again."""
    whole = undisturbed(folder, JOBS[0])
    at_s = float(whole.tables["learning"]["time_s"][7]) + 1e-6
    broken = run(folder, JOBS[0], f"faults=[{{at: {at_s!r} s, kind: server, target: train/0, repair: 1 s}}]")
    assert broken.metrics["jobs.learn.restarts"].value == 1.0
    assert broken.tables["learning"]["step"].tolist() == [*range(1, 9), *range(6, 13)]
