"""The fast mode against the slow one, its oracle: the same times, joules, bytes and records to 1e-9."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

import dcsim
from dcsim import simulate as simulation
from dcsim.engine import Level
from dcsim.results.result import Metric, Result
from dcsim.scenario.load import Loaded
from dcsim.simulate import metrics
from dcsim.simulate.assemble import DataCenter, assemble
from dcsim.simulate.checks import checks

Make = Callable[..., dict[str, Any]]
Run = Callable[..., Result]

NARROW = {
    "network": {"oversubscription": 8, "link": "50 Gbit/s", "radix": 32},
    "scheduler": {"placement": "scattered"},
}

# About 30 ms a step at the clock of the power limit, bound by matrix products.
WIDE = {"family": "transformer", "layers": 2, "hidden": 2048, "heads": 16, "context": 512, "vocabulary": 256}
HEAVY = {
    "model": WIDE,
    "batch": {"global": 512, "micro": 32},
    "parallel": {"data": 16},
    "checkpoint": None,
}


def steps(result: Result, job: str) -> Any:
    table = result.tables["segments"]
    return table[table["job"] == job]


def test_one_job_alone_takes_one_segment_between_checkpoints(scenario: Make, job: Make, both: Run) -> None:
    result = both(scenario(job("one")))
    assert steps(result, "one")["steps"].tolist() == [10, 10, 10]
    assert steps(result, "one")["first_step"].tolist() == [0, 10, 20]
    parts = result.tables["breakdown"].set_index("part")["seconds"]
    assert parts.sum() == pytest.approx(result.metrics["jobs.one.finish"].value, rel=1e-12)
    assert parts["launch"] == 1.0


def test_jobs_that_share_links_slow_each_other_alike_in_both_modes(scenario: Make, job: Make, both: Run) -> None:
    first, second = job("one", checkpoint=None), job("two", checkpoint=None, launch="1.0003 s")
    alone = both(scenario(first, cluster=NARROW, seed=1))
    result = both(scenario(first, second, cluster=NARROW, seed=1))
    slowed = result.metrics["jobs.one.step_time"].value / alone.metrics["jobs.one.step_time"].value
    assert slowed > 1.1, "the two jobs were meant to share links"
    assert len(steps(result, "one")) > 1, "sharing ends segments"


@pytest.mark.parametrize("launch", ["1 s", "1.00001 s", "1.01 s", "1.0173 s"])
def test_a_job_that_begins_later_ends_the_segments_of_the_first(
    scenario: Make, job: Make, both: Run, launch: str
) -> None:
    both(scenario(job("one", steps=40), job("two", launch=launch, steps=25), cluster=NARROW))


def test_checkpoints_contend_for_storage(scenario: Make, job: Make, both: Run) -> None:
    storage = {"nodes": 2, "disks": {"count": 1, "type": "hdd"}, "protection": {"replicas": 2}}
    often = {"checkpoint": {"every": "3 steps"}, "steps": 12}
    alone = both(scenario(job("one", **often), cluster={"storage": storage}))
    result = both(scenario(job("one", **often), job("two", launch="1.0005 s", **often), cluster={"storage": storage}))
    assert result.metrics["jobs.one.checkpoint_time"].value > 1.2 * alone.metrics["jobs.one.checkpoint_time"].value


def test_noise_is_keyed_by_step_not_by_segment(scenario: Make, job: Make, both: Run) -> None:
    noisy = job("one", jitter=0.3), job("two", jitter=0.1, launch="1.004 s", checkpoint={"every": "7 steps"})
    result = both(scenario(*noisy, cluster=NARROW))
    assert result.metrics["jobs.one.compute_time"].value != result.metrics["jobs.two.compute_time"].value
    other = both(scenario(*noisy, cluster=NARROW), "seed=6")
    assert other.metrics["jobs.one.compute_time"].value != result.metrics["jobs.one.compute_time"].value


def test_more_checkpoints_do_not_shift_the_noise(scenario: Make, job: Make, simulate: Run) -> None:
    seldom = simulate(scenario(job("one", jitter=0.3, checkpoint=None)))
    often = simulate(scenario(job("one", jitter=0.3, checkpoint={"every": "3 steps"})))
    times = [result.metrics["jobs.one.compute_time"].value for result in (seldom, often)]
    assert times[0] == pytest.approx(times[1], rel=1e-12)


@pytest.mark.parametrize("sample", ["4 kB", "500 kB", "40 MB"])
def test_samples_read_behind_the_kernels_or_stalling_them(scenario: Make, job: Make, both: Run, sample: str) -> None:
    result = both(scenario(job("one", sample_size=sample, jitter=0.2, checkpoint=None)))
    stalls = result.metrics["jobs.one.data_stall"].value > 0.0
    assert stalls == (sample == "40 MB")
    # Sixteen ranks of two samples a step; the samples of the first step are read before it, those after the last, too.
    size = {"4 kB": 4e3, "500 kB": 500e3, "40 MB": 40e6}[sample]
    assert result.metrics["storage.read"].value == pytest.approx(31 * 32 * size, rel=1e-12)


def test_without_overlap_and_in_micro_batches(scenario: Make, job: Make, both: Run) -> None:
    apart = job("one", parallel={"data": 16, "overlap": False}, batch={"global": 128, "micro": 2})
    both(scenario(apart, job("two", launch="1.002 s"), cluster=NARROW))


def test_a_hot_hall_slows_both_modes_alike(scenario: Make, job: Make, both: Run) -> None:
    # The plant is too small, so that the inlet rises from 25.30 degC, where four steps of throttling are taken already.
    cooling = {"supply": "20 degC", "throttle": "21.31 degC", "capacity": "12 kW"}
    site = {"climate": {"dry_bulb": "35 degC", "relative_humidity": 0.5}, "cooling": cooling}
    result = both(scenario(job("one", **HEAVY, steps=200), site=site))
    first, then = steps(result, "one")["step_time_s"]
    assert then > 1.05 * first, "the clocks fell once while it ran"


def under_caps(loaded: Loaded, changes: list[tuple[float, float]]) -> tuple[DataCenter, dict[str, Metric]]:
    """Simulate with the clock cap driven by hand: at each time [s] to a factor."""
    center = assemble(simulation.prepare(loaded), loaded.scenario.seed)
    # The facility sets a level of its own, not this one.
    center.facility.plan = replace(center.facility.plan, cap=Level(center.clock, "unused", "1", 1.0))
    for at_s, factor in changes:
        center.clock.call_at(at_s, lambda factor=factor: center.hall.cap.set(factor))  # type: ignore[misc]
    center.clock.run(center.clock.all_of([job.start() for job in center.jobs]))
    assert all(check.passed for check in checks(center))
    return center, metrics.collect(center)


CAPS = [(1.105, 0.4), (1.2112, 0.5), (1.2113, 0.2), (1.9, 1.0)]


@pytest.mark.parametrize("together", [False, True])
def test_a_cap_takes_effect_with_the_next_step(
    scenario: Make, job: Make, load: Callable[..., Loaded], together: bool
) -> None:
    others = [job("two", launch="1.3 s", steps=1000)] if together else []
    data = scenario(job("one", **HEAVY, steps=60), *others)
    (fast, found), (_, expected) = (under_caps(load(data, f"detail={mode}"), CAPS) for mode in ("segment", "step"))
    values = {name: metric.value for name, metric in expected.items()}
    assert {name: metric.value for name, metric in found.items()} == pytest.approx(values, rel=1e-9, abs=1e-15)
    if not together:
        _one_segment_a_cap(fast)


def _one_segment_a_cap(center: DataCenter) -> None:
    columns = center.hall.records.segments.columns
    times, ends = columns["step_time_s"], columns["end_s"]
    # 0.5 and 0.2 come within one step, so that none runs at 0.5.
    assert len(times) == 4
    assert times[0] == pytest.approx(times[3], rel=1e-9)
    assert times[0] < 0.9 * times[1] < 0.5 * times[2]
    for end_s, at_s, each_s in zip(ends, (1.105, 1.2113, 1.9), times, strict=False):
        assert 0.0 <= end_s - at_s <= each_s, "the step under way when a cap comes is not cut"
    assert sum(columns["steps"]) == 60


def test_a_run_that_is_cut_off_reports_the_steps_until_then(scenario: Make, job: Make, both: Run) -> None:
    result = both(
        scenario(
            job("one", checkpoint=None, steps=10_000, sample_size="1 kB"), job("two", arrive="2 s"), until="1.02 s"
        )
    )
    assert result.metrics["run.duration"].value == 1.02
    assert "jobs.one.finish" not in result.metrics
    segments = steps(result, "one")
    done = int(segments["steps"].sum())
    assert 5 < done < 10_000
    each = result.metrics["jobs.one.step_time"].value
    left = 1.02 - float(segments["end_s"].iloc[-1])
    assert 0.0 <= left <= each * (1.0 + 1e-9), "all steps but the one under way"
    assert result.metrics["storage.read"].value == pytest.approx((done + 1) * 32 * 1000.0, rel=1e-12)
    assert result.tables["spans"]["end_s"].max() == 1.02


@pytest.mark.parametrize("until", ["0.5 s", "1.01 s", "1.0131 s", "1.0555 s"])
def test_wherever_a_run_is_cut_off_both_modes_agree(scenario: Make, job: Make, both: Run, until: str) -> None:
    jobs = job("one", steps=500), job("two", arrive="10 ms", steps=500), job("three", arrive="0.3 s", steps=500)
    result = both(scenario(*jobs, cluster=NARROW, until=until))
    for name in ("one", "two"):
        parts = result.tables["breakdown"].query("job == @name")["seconds"].sum()
        under_way = result.metrics["run.duration"].value - (0.01 if name == "two" else 0.0) - parts
        assert -1e-9 < under_way < 0.02, "all but the step under way is booked"


def test_ten_times_the_steps_cost_hardly_more_events(scenario: Make, job: Make, simulate: Run) -> None:
    short = simulate(scenario(job("one", steps=1000, checkpoint={"every": "200 steps"}, launch="20 s")))
    long = simulate(scenario(job("one", steps=10_000, checkpoint={"every": "2000 steps"}, launch="20 s")))
    assert long.manifest["events"] <= 1.2 * short.manifest["events"]
    assert len(steps(long, "one")) == len(steps(short, "one")) == 5


def test_the_same_seed_gives_the_same_bits(scenario: Make, job: Make, simulate: Run) -> None:
    data = scenario(job("one", jitter=0.2), job("two", launch="1.002 s", jitter=0.1), cluster=NARROW)
    first, second = simulate(data), simulate(data)
    assert {n: m.value for n, m in first.metrics.items()} == {n: m.value for n, m in second.metrics.items()}
    assert first.manifest["events"] == second.manifest["events"]


@pytest.mark.parametrize("arrive", ["1000 s", "12345.678 s", "3 day", "400 day"])
def test_late_in_a_long_run_bytes_are_conserved(scenario: Make, job: Make, simulate: Run, arrive: str) -> None:
    simulate(scenario(job("one", arrive=arrive), job("two", arrive=arrive, launch="1.003 s")), "detail=step")


@pytest.mark.parametrize("arrive", ["1000 s", "12345.678 s", "3 day", "400 day"])
def test_late_in_a_long_run_the_clock_is_coarse_and_steps_still_end(
    scenario: Make, job: Make, load: Callable[..., Loaded], arrive: str
) -> None:
    site = {"climate": {"dry_bulb": "20 degC", "relative_humidity": 0.5}}  # no hourly weather to step through
    loaded = load(scenario(job("one", arrive=arrive), site=site))
    center = assemble(simulation.prepare(loaded), 5)
    (one,) = center.jobs

    hold, held = center.hall.fabric.hold, count()

    def limited(*arguments: Any) -> Any:
        assert next(held) < 100, "segments in which no step ends"
        return hold(*arguments)

    center.hall.fabric.hold = limited  # type: ignore[method-assign]
    center.clock.run(one.start())
    assert one.finished_s is not None
    assert one.finished_s - loaded.scenario.jobs[0].arrive == pytest.approx(1.02, abs=0.005)


def test_a_wait_for_samples_that_others_break_into_stays_a_wait_for_samples(
    scenario: Make, job: Make, both: Run
) -> None:
    """A rank alone, whose steps are nearly all a wait for a slow disk; the other job reads in the midst of one."""
    disks = {"storage": {"nodes": 3, "disks": {"type": "hdd", "count": 1}}}
    slow = job("one", sample_size="50 MB", parallel={"data": 1, "reduce": "library"}, steps=6, checkpoint=None)
    other = job("two", sample_size="1 MB", steps=2, arrive="0.4 s", checkpoint=None)
    result = both(scenario(slow, other, cluster=disks))
    assert result.value("jobs.one.data_stall") > 0.9 * result.value("jobs.one.step_time")
    assert abs(result.value("jobs.one.exposed_communication")) < 1e-9


def test_a_site_too_hot_to_start_says_so(scenario: Make, job: Make, load: Callable[..., Loaded]) -> None:
    """The plant can carry idle servers and storage, but not a switch for every network card too."""
    cooling = {"capacity": "12 kW", "economizer": "none", "supply": "30 degC", "throttle": "32 degC"}
    network = {"topology": {"kind": "dragonfly", "hosts": 1, "routers": 8, "globals": 2}}
    result = dcsim.run(load(scenario(job("one"), site={"cooling": cooling}, cluster={"network": network})))
    assert "where servers shut down, at the start" in result.manifest["stopped"]
    assert result.value("site.energy") == 0.0
    assert all(check["passed"] for check in result.manifest["checks"])
