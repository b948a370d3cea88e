"""Every way to sum gradients, through whole runs: the right sum, and one answer in both time modes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcsim import simulate
from dcsim.errors import ScenarioError
from dcsim.results.result import Result
from dcsim.scenario.load import load

QUICKSTART = Path(__file__).parents[2] / "scenarios" / "quickstart.yaml"
SMALL = (
    "jobs.pretrain.steps=6",
    "jobs.pretrain.checkpoint.every=3 steps",
    "jobs.learn.model={family: transformer, layers: 1, hidden: 16, heads: 2, context: 16, vocabulary: 128}",
    "jobs.learn.parallel.data=16",
    "jobs.learn.batch={global: 32, micro: 2}",
    "jobs.learn.steps=6",
    "jobs.learn.checkpoint.every=3 steps",
    "cluster.servers.train.count=17",
)


def result(*settings: str) -> Result:
    return simulate.run(simulate.prepare(load(QUICKSTART, [*SMALL, *settings])))


@pytest.mark.parametrize("reduction", ["tree", "hierarchical", "{kind: parameter-server, shards: 2}"])
def test_the_sum_is_right_and_both_time_modes_agree(reduction: str) -> None:
    chosen = [f"jobs.{job}.parallel.reduce={reduction}" for job in ("pretrain", "learn")]
    quick, exact = result(*chosen), result(*chosen, "detail=step")
    assert quick.manifest["weights"] == exact.manifest["weights"]
    assert 0.0 < quick.manifest["gradient_difference"]["learn"] <= 1e-6
    for name, metric in quick.metrics.items():
        assert metric.value == pytest.approx(exact.metrics[name].value, rel=1e-6, abs=1e-9), name


def test_one_server_holds_a_large_job_up() -> None:
    """120 gradients of 249 MB through one card of 50 GB/s, in and out: 1.2 s, where a ring takes some milliseconds."""
    ring, server = (result(f"jobs.pretrain.parallel.reduce={kind}", "jobs.learn.steps=1") for kind in KINDS)
    exposed = [run.metrics["jobs.pretrain.exposed_communication"].value for run in (ring, server)]
    assert exposed[0] < 0.01
    assert 1.0 < exposed[1] < 1.4


KINDS = ("ring", "parameter-server")


def test_servers_that_are_not_full_make_no_groups() -> None:
    settings = ["jobs.learn.parallel.data=12", "jobs.learn.batch={global: 48, micro: 2}"]
    with pytest.raises(ScenarioError, match="a multiple of 8, the accelerators of a server, or a group"):
        result(*settings, "jobs.learn.parallel.reduce=hierarchical")
    result(*settings, "jobs.learn.steps=1", "jobs.learn.parallel.reduce={kind: hierarchical, group: 4}")
