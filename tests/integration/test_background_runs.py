"""Background traffic beside whole jobs: both time modes agree, jobs wait for it, and its bytes are in the tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dcsim.results.result import Result

Make = Callable[..., dict[str, Any]]
Run = Callable[..., Result]
KINDS = {
    "pair": {"kind": "pair", "source": "train/0", "target": "train/1", "rate": "2400 Gbit/s"},
    "permutation": {"kind": "permutation", "load": "60 %", "at": "1.01 s"},
    "uniform": {"kind": "uniform", "load": "20 %", "size": "50 MB", "at": "1 s", "until": "1.2 s"},
    "incast": {"kind": "incast", "target": "train/1", "size": "10 MB", "at": "1.005 s", "every": "7 ms"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_both_modes_agree_beside_traffic_that_slows_the_job_down(
    scenario: Make, job: Make, both: Run, kind: str
) -> None:
    one = job("one", parallel={"data": 32}, steps=20, checkpoint=None)
    alone = both(scenario(one))
    beside = both(scenario(one, cluster={"network": {"background": [{"name": "b"} | KINDS[kind]]}}))
    assert beside.value("jobs.one.finish") > alone.value("jobs.one.finish")
    (row,) = beside.tables["background"].to_dict("records")
    assert row["moved_bytes"] == beside.value("background.b.bytes") > 0.0
    assert row["moved_bytes"] <= row["offered_bytes"] * (1.0 + 1e-9)
    moved = beside.value("network.bytes") - alone.value("network.bytes")
    assert moved == pytest.approx(row["moved_bytes"], rel=1e-6)


def test_two_jobs_on_one_uplink_are_told_what_that_costs_each(scenario: Make, job: Make, both: Run) -> None:
    network = {"network": {"topology": "leaf-spine", "radix": 24, "oversubscription": 7, "routing": "adaptive"}}
    jobs = [job(name, steps=20, checkpoint=None) for name in ("one", "two")]
    scattered = network | {"scheduler": {"placement": "scattered"}}
    result = both(scenario(*jobs, cluster=scattered, seed=2))
    rows = {(row["job"], row["other"]): row for row in result.tables["sharing"].to_dict("records")}
    assert set(rows) == {("one", "two"), ("two", "one")}
    for row in rows.values():
        assert row["time_s"] / row["alone_s"] == pytest.approx(row["slowdown"], rel=1e-12)
        assert 1.0 < row["slowdown"] <= 2.0 + 1e-9  # two on a link have half of it each
