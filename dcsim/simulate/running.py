"""Run the clock of a data center and collect what happened."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from dcsim import __version__
from dcsim.compute.precision import matrix_precision
from dcsim.engine import Check, Interruption
from dcsim.errors import RunError
from dcsim.results.result import Metric, Result
from dcsim.scenario.dump import dump
from dcsim.scenario.topologies import NO_UPLINKS
from dcsim.scenario.transformers import MixtureModel
from dcsim.simulate import measured, metrics, tables
from dcsim.simulate.assemble import DataCenter, assemble
from dcsim.simulate.checks import checks
from dcsim.simulate.progress import Progress
from dcsim.simulate.ready import Prepared

if TYPE_CHECKING:
    import pandas as pd

_HALF = 0.5
_LIBRARIES = ("simpy", "networkx", "jax", "optax", "numpy", "scipy", "pandas", "pyarrow")


@dataclass(frozen=True, slots=True)
class _Outcome:
    """A run that is over; ``stopped`` says why it ended early by itself, "" where it did not."""

    center: DataCenter
    wall_s: float
    partial: bool
    stopped: str


Enough = Callable[[list[dict[str, Metric]]], bool]


@dataclass(frozen=True, slots=True)
class Measured:
    """What a point of a study keeps of a run: no tables, which take as long to build as a short run takes.

    ``held_against`` is that of the manifest of a run.
    """

    metrics: Mapping[str, Metric]
    replications: int
    partial: bool
    stopped: str
    held_against: Mapping[str, str]


def run(prepared: Prepared, progress: Callable[[Progress], None] | None = None, enough: Enough | None = None) -> Result:
    """Simulate a prepared scenario; an interrupt or an overheated site ends the run where it is: the result is partial.

    With more than one replication the metrics are means with 95 % intervals, the tables those of the first. ``enough``
    says after each replication, given the metrics of all, whether there are enough; as many as the scenario asks for
    unless given.

    Raises
    ------
    RunError
        If nothing more can happen although jobs are not done, or if a conservation check fails.
    """
    return _result(prepared, *_replicate(prepared, progress, enough))


def measure(prepared: Prepared, enough: Enough | None = None) -> Measured:
    """Simulate as :func:`run` does, with the same checks, and return the metrics alone.

    Raises
    ------
    RunError
        As :func:`run` does.
    """
    first, found = _replicate(prepared, None, enough)
    _checked(first.center)
    held_against = dict(_held_against(first.center))
    return Measured(metrics.combine(found), len(found), first.partial, first.stopped, held_against)


def _replicate(
    prepared: Prepared, progress: Callable[[Progress], None] | None, enough: Enough | None
) -> tuple[_Outcome, list[dict[str, Metric]]]:
    """Run until there are enough replications; return how the first ended, and the metrics of each."""
    scenario = prepared.loaded.scenario
    first = _simulate(prepared, scenario.seed, progress)
    found = [metrics.collect(first.center)]
    partial = first.partial
    while not partial and not (enough(found) if enough else len(found) >= scenario.replications):
        again = _simulate(prepared, _replication_seed(scenario.seed, len(found)), progress)
        partial = again.partial
        if not partial:
            found.append(metrics.collect(again.center))
    return replace(first, partial=partial), found


def _simulate(prepared: Prepared, seed: int, progress: Callable[[Progress], None] | None) -> _Outcome:
    began = time.perf_counter()
    with Interruption() as interruption:
        center = assemble(prepared, seed)
        interrupted = _run_clock(center, interruption, progress)
    for life in center.lives:
        life.close()
    overheated = center.facility.overheated
    stopped = str(overheated.value) if overheated.triggered else ""
    if not interrupted and not stopped and prepared.loaded.scenario.until == "jobs-done":
        _all_done(center)
    return _Outcome(center, time.perf_counter() - began, interrupted or bool(stopped), stopped)


def _run_clock(center: DataCenter, interruption: Interruption, progress: Callable[[Progress], None] | None) -> bool:
    """Run to the end of the scenario; return whether it was cut off before."""
    until = center.prepared.loaded.scenario.until
    lives = [job.start() for job in center.lives]
    end = center.clock.all_of(list(lives)) if until == "jobs-done" else center.clock.until(until)
    end = center.clock.any_of([end, center.facility.overheated])
    tick = None if progress is None else lambda: progress(_progress(center, until))
    try:
        center.clock.run(end, tick, lambda: interruption.requested)
    except KeyboardInterrupt:
        return True
    return interruption.requested


def _progress(center: DataCenter, until: str | float) -> Progress:
    if isinstance(until, float):
        fraction = min(1.0, center.clock.now / until)
    else:
        fraction = sum(life.fraction for life in center.lives) / len(center.lives)
    return Progress(center.clock.now, fraction, center.clock.events)


def _all_done(center: DataCenter) -> None:
    killed = {job.name for job in center.jobs if job.killed}
    waiting = [life.name for life in center.lives if life.finished_s is None and life.name not in killed]
    if waiting:
        raise RunError(
            f"nothing more can happen at {center.clock.now:.6g} s, but these jobs are not done: {', '.join(waiting)}"
        )


def _replication_seed(seed: int, number: int) -> int:
    """Return the seed of a replication: far from the seeds that people write, and its own for each pair."""
    return (seed + number * 0x9E3779B97F4A7C15) % 2**63


def _result(prepared: Prepared, outcome: _Outcome, replications: list[dict[str, Metric]]) -> Result:
    center, combined = outcome.center, metrics.combine(replications)
    verdicts = _checked(center)
    published = tables.frame("measured", measured.rows(prepared.loaded.scenario, combined))
    return Result(
        name=prepared.loaded.scenario.name,
        digest=prepared.digest,
        metrics=combined,
        tables=tables.collect(center) | _replicated(replications) | {"measured": published},
        manifest=_manifest(prepared, outcome, verdicts)
        | {"replications": len(replications), "warnings": warnings(center) + metrics.left_out(replications)},
        scenario_text=dump(prepared.loaded.scenario),
        partial=outcome.partial,
    )


def _checked(center: DataCenter) -> list[Check]:
    """Return the conservation checks of a run; refuse to go on where one fails."""
    verdicts = checks(center)
    broken = [check for check in verdicts if not check.passed]
    if broken:
        text = "; ".join(f"{c.name}: {c.left!r} against {c.right!r} {c.unit}" for c in broken)
        raise RunError(f"conservation is violated, the results would be wrong: {text}")
    return verdicts


def _replicated(replications: list[dict[str, Metric]]) -> dict[str, pd.DataFrame]:
    """Return the table of all replications, none of a single one."""
    if len(replications) == 1:
        return {}
    rows = [(number, name, metric.value) for number, found in enumerate(replications) for name, metric in found.items()]
    return {"replications": tables.frame("replications", rows)}


def _manifest(prepared: Prepared, outcome: _Outcome, verdicts: list[Check]) -> dict[str, Any]:
    scenario, center = prepared.loaded.scenario, outcome.center
    return {
        "name": scenario.name,
        "digest": prepared.digest,
        "scenario": str(prepared.loaded.path),
        "dcsim": __version__,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "libraries": dict(_libraries()),
        "seed": scenario.seed,
        "detail": scenario.detail,
        "start": scenario.start.isoformat(),
        "simulated_s": center.clock.now,
        "wall_s": outcome.wall_s,
        "events": center.clock.events,
        "partial": outcome.partial,
        "stopped": outcome.stopped,
        "carbon_scope": center.facility.summary().carbon_scope,
        "jobs": [plan.parts.job.name for plan in center.prepared.jobs],
        "plans": [dict(each.told()) for each in prepared.choices],
        "held_against": dict(_held_against(center)),
        "weights": {job.name: job.weights_digest for job in center.every_job if job.weights_digest},
        "gradient_difference": {job.name: job.gradient_difference for job in center.every_job if job.weights_digest},
        "checks": [
            {
                "name": c.name,
                "left": c.left,
                "right": c.right,
                "unit": c.unit,
                "residual": c.residual,
                "passed": c.passed,
            }
            for c in verdicts
        ],
    }


def _held_against(center: DataCenter) -> Iterator[tuple[str, str]]:
    """Yield the jobs whose steps an accuracy study covers, and which: a key of ``known_errors.STUDIES``."""
    for plan in center.prepared.jobs:
        if plan.split is not None and not plan.split.fitted:
            continue  # no run on such accelerators was measured
        if plan.split is not None:
            tpu = (plan.device.accelerator.generation or "").startswith("tpu")
            mixture = isinstance(plan.parts.model, MixtureModel)
            yield plan.parts.job.name, "steps-mixtures" if mixture else "steps-tpu" if tpu else "steps"
        elif plan.library is not None:
            yield plan.parts.job.name, "collectives"


@cache
def _libraries() -> tuple[tuple[str, str], ...]:
    """Return the versions of the libraries that results rest on; a process reads them once."""
    return tuple((name, version(name)) for name in _LIBRARIES)


def warnings(center: DataCenter) -> list[str]:
    """Return what the models could not do as asked, each once."""
    traced = (f"{plan.parts.job.name}: {text}" for plan in center.prepared.jobs for text in plan.costs.warnings)
    own = [*_killed(center), *traced, *_precisions(center), *_latencies(center), *_uplinks(center)]
    return list(dict.fromkeys([*own, *center.facility.summary().warnings]))


def _killed(center: DataCenter) -> Iterator[str]:
    """Yield the jobs that were killed, and why."""
    for job in center.jobs:
        if job.killed:
            yield f"{job.name} was killed after {job.step} of {job.plan.parts.job.steps} steps: {job.killed}"


def _precisions(center: DataCenter) -> Iterator[str]:
    """Yield the jobs whose matrix products run in another precision than asked for."""
    for plan in center.prepared.jobs:
        asked, accelerator = plan.parts.job.precision, plan.device.accelerator
        used = matrix_precision(asked, accelerator)
        if used not in (asked, "tf32"):
            yield f"{plan.parts.job.name}: {accelerator.title} has no matrix units for {asked}; products run in {used}"


def _latencies(center: DataCenter) -> Iterator[str]:
    """Yield the jobs whose ring spends more time on latency than on bytes, where collective libraries use trees.

    Times of parallel plans are fitted to measured steps, whatever their library chose.
    """
    for job in center.jobs:
        if job.plan.library is None and job.plan.split is None and job.latency_share > _HALF:
            yield (
                f"{job.name}: {job.latency_share:.0%} of the time of its all-reduces is latency of a ring of "
                f"{job.plan.program.ranks} ranks; libraries choose trees there, so real steps are shorter"
            )


def _uplinks(center: DataCenter) -> Iterator[str]:
    """Yield that an oversubscription changes nothing where no switch has uplinks."""
    network = center.prepared.loaded.scenario.cluster.network
    if network.oversubscription > 1.0 and network.kind in NO_UPLINKS:
        article = "an" if network.kind.startswith("nv") else "a"
        yield f"cluster.network.oversubscription has nothing to divide: {article} {network.kind} has no uplinks"


def _cpu_model() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"
