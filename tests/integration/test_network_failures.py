"""Failures of cables and switches through scenarios: what they cost, how a job ends that nothing can reach."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dcsim
from dcsim.errors import ScenarioError
from dcsim.results.result import Result

Make = Callable[..., dict[str, Any]]
Run = Callable[..., Result]

NETWORK = {"network": {"radix": 8, "routing": "d-mod-k", "failover": {"detection": "1 ms", "give_up": "2 s"}}}


def fault(target: str, at: str = "1.003 s", kind: str = "link", **more: Any) -> dict[str, Any]:
    return {"at": at, "kind": kind, "target": target, **more}


FAULTS = {
    "another path": fault("edge 0.0 > agg 0.0", repair="4 ms"),
    "no other path": fault("train/1 nic 0 in", repair="4 ms"),
    "slow": fault("train/1 nic 0 in", degrade="70 %", repair="4 ms"),
    "flapping": fault("edge 0.0 > agg 0.1", flap={"down": "2 ms", "up": "1 ms"}, repair="8 ms"),
    "switch": fault("agg 0.1", kind="switch", repair="5 ms"),
    "for good": fault("agg 0.2", kind="switch"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_both_modes_agree_whatever_fails_in_the_network(scenario: Make, job: Make, both: Run, name: str) -> None:
    wide = job("one", parallel={"data": 32})
    healthy = both(scenario(wide, cluster=NETWORK))
    failing = both(scenario(wide, cluster=NETWORK, faults=[FAULTS[name]]))
    assert failing.value("jobs.one.finish") > healthy.value("jobs.one.finish")
    kinds = failing.tables["events"]["kind"].tolist()
    assert kinds.count("fault") == 1
    assert kinds.count("repair") == (name != "for good")


def test_a_job_that_nothing_reaches_is_killed_with_the_reason(scenario: Make, job: Make, both: Run) -> None:
    jobs = job("one", parallel={"data": 16}), job("two", parallel={"data": 16}, arrive="0.1 s")
    result = both(scenario(*jobs, cluster=NETWORK, faults=[fault("train/1 nic 0 in")]))
    killed = result.tables["events"].query("kind == 'kill'")
    assert killed["target"].tolist() == ["one"]
    assert "train/1 nic 0 " in killed["detail"].iloc[0]
    assert killed["time_s"].iloc[0] == pytest.approx(3.003, abs=0.002)
    assert "jobs.one.finish" not in result.metrics
    assert result.value("jobs.two.finish") < 3.0
    assert any("one was killed" in text and "dead link" in text for text in result.manifest["warnings"])


def test_a_slow_cable_costs_a_library_what_it_costs_a_ring(scenario: Make, job: Make, both: Run) -> None:
    """Both send the same bytes around all cards, whatever else their rounds take; the cable is slow to the end."""
    lost_s = []
    for reduce in ("ring", {"kind": "library", "algorithm": "ring"}):
        wide = job("one", parallel={"data": 32, "reduce": reduce, "overlap": False})
        slow = [fault("train/1 nic 0 in", "1 s", degrade="70 %")]
        runs = [both(scenario(wide, cluster=NETWORK, faults=faults)) for faults in ([], slow)]
        lost_s.append(runs[1].value("jobs.one.step_time") - runs[0].value("jobs.one.step_time"))
    assert lost_s[0] > 1e-6
    assert lost_s[1] == pytest.approx(lost_s[0], rel=1e-6)


@pytest.mark.parametrize("reduce", ["ring", "library"])
def test_a_job_that_begins_behind_a_dead_link_waits_for_it(scenario: Make, job: Make, both: Run, reduce: str) -> None:
    late = job("one", parallel={"data": 16, "reduce": reduce}, arrive="1.1 s")
    alone = both(scenario(late, cluster=NETWORK))
    behind = both(scenario(late, cluster=NETWORK, faults=[fault("train/1 nic 0 in", repair="1.5 s")]))
    # Launched at 2.1 s; the link is back at 2.503 s, about 0.4 s after the first step needs it.
    waited_s = behind.value("jobs.one.finish") - alone.value("jobs.one.finish")
    assert waited_s == pytest.approx(0.403, abs=0.005)


def test_what_was_down_and_who_stood_still_is_in_the_table_of_outages(scenario: Make, job: Make, both: Run) -> None:
    wide = job("one", parallel={"data": 32})
    faults = [
        fault("train/1 nic 0 in", "1.02 s", repair="4 ms"),
        FAULTS["flapping"],
        fault("train/0 nic 1 out", degrade="70 %"),
    ]
    result = both(scenario(wide, cluster=NETWORK, faults=faults))
    rows = result.tables["outages"].to_dict("records")
    links = [row for row in rows if row["kind"] == "link"]
    dead = [row for row in links if row["target"] == "train/1 nic 0 in"]
    assert [(row["state"], row["start_s"], row["end_s"]) for row in dead] == [("down", 1.02, 1.024)]
    # 8 ms of 2 ms down and 1 ms up: down from 0, 3 and 6 ms on.
    flaps = [row for row in links if row["target"] == "edge 0.0 > agg 0.1"]
    assert [row["start_s"] for row in flaps] == pytest.approx([1.003, 1.006, 1.009])
    assert [row["end_s"] for row in flaps] == pytest.approx([1.005, 1.008, 1.011])
    (slow,) = [row for row in links if row["state"] == "slower"]
    assert "70%" in slow["detail"]
    assert slow["end_s"] == result.value("run.duration")  # never repaired
    stalls = [row for row in rows if row["kind"] == "job"]
    assert {row["state"] for row in stalls} == {"stalled"}
    assert any(row["end_s"] == pytest.approx(1.024) and "train/1 nic 0 " in row["detail"] for row in stalls)
    assert all(row["start_s"] >= 1.003 for row in stalls)


def test_a_target_that_the_network_lacks_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(
        "dcsim: 1\nname: x\ncluster:\n  servers: [{name: train, type: dgx-h100, count: 2}]\n"
        "jobs: [{name: a, model: gpt2-small, batch: {global: 16, micro: 1}, parallel: {data: 16}, steps: 2}]\n"
        "faults:\n  - {at: 1 s, kind: link, target: edge 0.0 > ag 0.1}\n  - {at: 1 s, kind: switch, target: edge 9.9}\n"
    )
    with pytest.raises(ScenarioError) as caught:
        dcsim.run(file)
    text = str(caught.value)
    assert "x.yaml:7: faults.0.target" in text or "x.yaml:7: faults[0].target" in text
    assert "edge 0.0 > agg 0.1" in text
    assert "x.yaml:8" in text
