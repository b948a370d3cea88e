"""Servers that fail: what is lost, who waits, what the repaired job ends with."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

import dcsim
from dcsim import simulate as simulation
from dcsim.cluster.failures import Failures
from dcsim.results.result import Result
from dcsim.scenario.load import Loaded
from dcsim.simulate.assemble import assemble
from dcsim.simulate.checks import checks

Make = Callable[..., dict[str, Any]]
Run = Callable[..., Result]

STEP_S = 0.00062  # of the small job alone, about
NARROW = {
    "network": {"oversubscription": 8, "link": "50 Gbit/s", "radix": 32},
    "scheduler": {"placement": "scattered"},
}
# A character model so small that compiling it takes most of the time.
LEARNER: dict[str, Any] = {
    "model": {"family": "transformer", "layers": 1, "hidden": 16, "heads": 2, "context": 16, "vocabulary": 128},
    "precision": "fp32",
    "optimizer": {"name": "adamw", "learning_rate": 0.003},
    "batch": {"global": 16, "micro": 2},
    "parallel": {"data": 8},
    "execute": {"data": "python-docs", "target": {"loss": 4.83}},
    "checkpoint": {"every": "6 steps"},
    "steps": 15,
}


def fault(at: str, target: str = "train/0", repair: str = "1 s") -> dict[str, Any]:
    return {"at": at, "kind": "server", "target": target, "repair": repair}


def spans(result: Result, job: str) -> list[tuple[str, float, float]]:
    table = result.tables["spans"].query("job == @job")
    return list(zip(table["kind"], table["start_s"], table["end_s"], strict=True))


MOMENTS = {
    "launch": "0.5 s",
    "load": "1.00005 s",
    "first-step": "1.0002 s",
    "between-checkpoints": "1.0045 s",
    "checkpoint": "1.0065 s",
    "after-a-checkpoint": "1.0123 s",
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_both_modes_agree_wherever_a_server_fails(scenario: Make, job: Make, both: Run, moment: str) -> None:
    at_s = float(MOMENTS[moment].split()[0])
    result = both(scenario(job("one"), faults=[fault(MOMENTS[moment])]))
    kinds = [kind for kind, start, end in spans(result, "one") if start < at_s <= end]
    expected = moment if moment in ("launch", "load", "checkpoint") else "run"
    assert kinds == [expected], "the fault was meant to come then"
    metrics = result.metrics
    assert metrics["jobs.one.restarts"].value == 1.0
    finish, lost = metrics["jobs.one.finish"].value, metrics["jobs.one.lost_time"].value
    # Two of four servers are free, so the job goes on at once on those: it pays a second launch, not the repair.
    assert at_s + 1.0 < finish < at_s + 1.03
    assert 1.0 < lost < 1.02
    parts = result.tables["breakdown"].set_index("part")["seconds"]
    assert parts.sum() == pytest.approx(finish, rel=1e-12)
    assert parts["launch"] == pytest.approx(1.5 if moment == "launch" else 2.0, rel=1e-12)
    steps = result.tables["segments"]
    saved = 10 if moment == "after-a-checkpoint" else 0
    assert steps["steps"].sum() == 30 + steps.query("attempt == 1")["steps"].sum() - saved
    assert steps.query("attempt == 2")["first_step"].iloc[0] == saved


def test_a_failed_job_loses_exactly_the_time_since_its_checkpoint(scenario: Make, job: Make, both: Run) -> None:
    plain = both(scenario(job("one")))
    saved_s = plain.tables["events"].query("kind == 'checkpoint'")["time_s"].iloc[0]
    result = both(scenario(job("one"), faults=[fault("1.0123 s")]))
    parts = result.tables["breakdown"].set_index("part")["seconds"]
    assert parts["lost work"] == pytest.approx(1.0123 - saved_s, rel=1e-9)
    # Reported as lost are these and what it takes until the job computes again: launch and load.
    first = result.tables["segments"].query("attempt == 2")["start_s"].iloc[0]
    assert result.metrics["jobs.one.lost_time"].value == pytest.approx(first - saved_s, rel=1e-9)
    # Kernels, communication, checkpoints and all that was not lost take as long as without a failure.
    whole = plain.tables["breakdown"].set_index("part")["seconds"]
    for part in ("compute", "exposed communication", "data stall"):
        assert parts[part] == pytest.approx(whole[part], rel=1e-9, abs=1e-12)


def test_a_job_without_a_spare_waits_for_the_repair(scenario: Make, job: Make, both: Run) -> None:
    data = scenario(job("one", parallel={"data": 32}), faults=[fault("1.0123 s", repair="7 s")])
    result = both(data)
    queued = [span for span in spans(result, "one") if span[0] == "queued"]
    assert queued == [("queued", 1.0123, pytest.approx(8.0123, rel=1e-12))]
    assert result.tables["events"]["kind"].tolist().count("repair") == 1


def test_no_power_is_drawn_for_a_dead_job(scenario: Make, job: Make, both: Run) -> None:
    # A minute of repair: the three standing servers idle, whatever the job was at when it died.
    long = fault("1.0123 s", repair="60 s")
    result = both(scenario(job("one", parallel={"data": 32}), faults=[long]))
    idle = both(scenario(job("one", parallel={"data": 32}, arrive="60 s")))
    ratio = result.metrics["site.it_energy"].value / idle.metrics["site.it_energy"].value
    # Storage and switches draw the same, one server of four is off.
    assert 0.75 < ratio < 0.95


@pytest.mark.parametrize("target", ["train/0", "train/1", "train/2", "train/3"])
@pytest.mark.parametrize("at", ["1.0042 s", "1.0044 s", "1.0046 s", "1.0048 s"])
def test_a_failure_in_a_step_that_another_job_has_touched(
    scenario: Make, job: Make, both: Run, at: str, target: str
) -> None:
    # Job two begins to load at 1.004 s, which ends the segment of job one in the middle of a step.
    jobs = job("one", checkpoint=None), job("two", launch="1.004 s", checkpoint=None)
    both(scenario(*jobs, cluster=NARROW, seed=1, faults=[fault(at, target)]))


def test_two_servers_of_a_job_fail_at_once(scenario: Make, job: Make, both: Run) -> None:
    faults = [fault("1.0045 s", "train/0", "2 s"), fault("1.0045 s", "train/1", "3 s")]
    result = both(scenario(job("one"), job("two", arrive="0.1 s"), faults=faults))
    assert result.metrics["jobs.one.restarts"].value == 1.0
    assert result.tables["events"]["kind"].tolist().count("fault") == 2


def test_all_servers_fail_while_jobs_wait_in_the_queue(scenario: Make, job: Make, both: Run) -> None:
    faults = [fault("0.5 s", f"train/{i}", f"{i + 1} s") for i in range(4)]
    jobs = job("one", parallel={"data": 24}), job("two", arrive="0.2 s"), job("three", arrive="0.1 s")
    result = both(scenario(*jobs, faults=faults))
    began = {
        name: next(s for k, s, _ in spans(result, name) if k == "launch" and s > 0.5)
        for name in ("one", "two", "three")
    }
    # Three servers are back at 3.5 s; the one repaired last is not enough for the next job in line.
    assert began["one"] == pytest.approx(3.5, rel=1e-12)
    order = result.tables["spans"].query("kind == 'launch' and start_s > 0.5")["job"].tolist()
    assert order == ["one", "three", "two"], "first come, first served, whatever the order of the file"
    assert began["three"] == began["two"] == result.metrics["jobs.one.finish"].value


def test_a_server_that_fails_as_a_job_arrives_is_not_used(scenario: Make, job: Make, both: Run) -> None:
    data = scenario(job("one", arrive="2 s", parallel={"data": 32}), faults=[fault("2 s", "train/3", "5 s")])
    assert [span[0] for span in spans(both(data), "one")][:2] == ["queued", "launch"]


@pytest.mark.parametrize("detail", ["segment", "step"])
def test_a_server_that_fails_between_grant_and_start_is_given_back(
    scenario: Make, job: Make, load: Callable[..., Loaded], detail: str
) -> None:
    center = assemble(simulation.prepare(load(scenario(job("one"), job("two")), f"detail={detail}")), 1)
    hall, request = center.hall, center.hall.scheduler.request
    failures = Failures(hall, [f"train/{i}" for i in range(4)])

    def fail_first(event: Any) -> None:
        outage = failures.scripted(event.value[0], 0.0, 5.0)
        next(outage)  # its time has come: go on to the repair without waiting
        next(outage).callbacks.append(lambda _: next(outage, None))

    def request_and_fail(*arguments: Any) -> Any:
        granted = request(*arguments)
        if hall.clock.now == 0.0 and not hall.down and arguments[0] == (0.0, 0):
            granted.callbacks.append(fail_first)  # called before the job that waits for it goes on
        return granted

    hall.scheduler.request = request_and_fail  # type: ignore[method-assign]
    center.clock.run(center.clock.all_of([each.start() for each in center.jobs]))
    assert all(check.passed for check in checks(center))
    assert [each.attempt for each in center.jobs] == [1, 1], "neither job was ever started on a dead server"
    # Job two was given the other two servers in the same instant; job one takes those after it, before the repair.
    first, second = (each.finished_s for each in center.jobs)
    assert first is not None
    assert second is not None
    assert second == pytest.approx(1.02, abs=0.01)
    assert first == pytest.approx(second + 1.02, abs=0.01)


def test_a_job_fails_again_while_it_launches_and_loads(scenario: Make, job: Make, both: Run) -> None:
    faults = [fault("1.0123 s"), fault("1.9 s", "train/2"), fault("3.9 s", "train/1")]
    result = both(scenario(job("one", parallel={"data": 32}), faults=faults))
    assert result.metrics["jobs.one.restarts"].value >= 2.0
    starts = result.tables["segments"].query("attempt > 1")["start_s"]
    saved_s = result.tables["events"].query("kind == 'checkpoint'")["time_s"].iloc[0]
    assert result.metrics["jobs.one.lost_time"].value <= starts.iloc[-1] - saved_s


def test_random_failures_are_the_same_in_both_modes_and_every_time(
    scenario: Make, job: Make, both: Run, simulate: Run
) -> None:
    reliability = {"server_mtbf": "12 s", "repair": "1 s"}
    jobs = [job(name, steps=1200, checkpoint={"every": "300 steps"}, jitter=0.1) for name in ("one", "two")]
    data = scenario(*jobs, cluster={"reliability": reliability})
    first = both(data)
    assert first.metrics["jobs.one.restarts"].value + first.metrics["jobs.two.restarts"].value > 0
    again = simulate(data)
    assert {n: m.value for n, m in first.metrics.items()} == {n: m.value for n, m in again.metrics.items()}
    other = simulate(data, "seed=99")
    assert other.metrics["run.duration"].value != first.metrics["run.duration"].value


def test_another_pool_does_not_shift_the_failures(scenario: Make, job: Make, simulate: Run) -> None:
    reliability = {"server_mtbf": "8 s", "repair": "1 s"}
    data = scenario(job("one", steps=4000), cluster={"reliability": reliability})
    more = scenario(job("one", steps=4000, servers="train"), cluster={"reliability": reliability})
    more["cluster"]["servers"].append({"name": "more", "type": "dgx-h100", "count": 2})
    faults = []
    for given in (data, more):
        events = simulate(given, "until=6 s").tables["events"].query("kind == 'fault'")
        faults.append(
            [(t, n) for t, n in zip(events["time_s"], events["target"], strict=True) if n.startswith("train/")]
        )
    assert faults[0]
    assert faults[0] == faults[1]


@pytest.fixture
def undisturbed(scenario: Make, job: Make, simulate: Run) -> Result:
    return simulate(scenario(job("learn", **LEARNER)))


def test_a_failure_leaves_no_trace_in_the_weights(
    scenario: Make, job: Make, both: Run, simulate: Run, undisturbed: Result
) -> None:
    plain = undisturbed.tables["learning"]
    halfway = float(plain["time_s"].iloc[9])  # between the checkpoints after steps 6 and 12
    data = scenario(job("learn", **LEARNER), faults=[fault(f"{halfway + 1e-6} s", "train/0", "30 s")])
    result = both(data)
    assert result.metrics["jobs.learn.restarts"].value == 1.0
    learning = result.tables["learning"]
    assert learning.query("attempt == 1")["step"].tolist() == list(range(1, 11))
    assert learning.query("attempt == 2")["step"].tolist() == list(range(7, 16))
    assert result.manifest["weights"] == undisturbed.manifest["weights"]
    assert learning.query("attempt == 2")["loss"].tolist() == plain["loss"].tolist()[6:]
    assert result.metrics["jobs.learn.final_loss"].value == undisturbed.metrics["jobs.learn.final_loss"].value
    assert all(after >= before for before, after in pairwise(learning["energy_j"]))
    assert result.manifest["gradient_difference"]["learn"] < 1e-6


def test_the_placement_leaves_no_trace_in_the_weights(
    scenario: Make, job: Make, simulate: Run, undisturbed: Result
) -> None:
    # Sixteen ranks would be another computation; eight are spread over one server or two of four accelerators.
    cluster = {
        "servers": [
            {"name": "other", "type": "half", "count": 3, "per_rack": 1},
            {"name": "train", "type": "dgx-h100", "count": 1},
        ],
        "scheduler": {"placement": "scattered"},
    }
    half = {"servers": {"half": {"based_on": "dgx-h100", "accelerators": 4}}}
    data = scenario(
        job("learn", **LEARNER, servers="other"), job("two", parallel={"data": 4}), cluster=cluster, parts=half
    )
    result = simulate(data)
    assert result.manifest["weights"] == undisturbed.manifest["weights"]
    assert result.metrics["jobs.learn.finish"].value != undisturbed.metrics["jobs.learn.finish"].value


def test_the_energy_to_target_does_not_depend_on_a_later_failure(
    scenario: Make, job: Make, both: Run, undisturbed: Result
) -> None:
    reached = undisturbed.metrics["jobs.learn.time_to_target"].value
    whole = {**LEARNER, "checkpoint": {"every": "15 steps"}}
    data = scenario(job("learn", **whole), faults=[fault(f"{reached + 1e-3} s")])
    result = both(data)
    for name in ("time_to_target", "energy_to_target"):
        metric = f"jobs.learn.{name}"
        assert result.metrics[metric].value == pytest.approx(undisturbed.metrics[metric].value, rel=1e-9)


def test_an_interrupt_inside_the_real_math_keeps_what_was_done(
    scenario: Make, job: Make, load: Callable[..., Loaded], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dcsim.workload.execute import Execution

    step = Execution.step

    def interrupted(self: Execution, schedule: Any) -> float:
        if self.steps_done == 8:
            raise KeyboardInterrupt
        return step(self, schedule)

    monkeypatch.setattr(Execution, "step", interrupted)
    result = dcsim.run(load(scenario(job("learn", **LEARNER), job("one"))))
    assert result.partial
    assert result.manifest["partial"]
    assert result.tables["learning"]["step"].tolist() == list(range(1, 9))
    assert all(check["passed"] for check in result.manifest["checks"])
