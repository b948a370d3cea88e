"""The tables of a run: those written while it ran, and those that its end state tells."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dcsim.cluster.account import PARTS
from dcsim.engine import Sink
from dcsim.results.tables import TABLES
from dcsim.simulate import costs, smaller
from dcsim.simulate.assemble import DataCenter
from dcsim.simulate.energy_flow import flows
from dcsim.simulate.kernels import kernels

if TYPE_CHECKING:
    import pandas as pd

    from dcsim.cluster.job import TrainingJob
from dcsim.cluster.search import SearchJob


def collect(center: DataCenter) -> dict[str, pd.DataFrame]:
    """Return every table of a run by name."""
    frames = center.recorder.frames()
    if "series" in frames:
        frames["series"] = _joined(frames["series"], _in_use(center))
    rows: dict[str, Iterable[Sequence[Any]]] = {
        "breakdown": _breakdown(center),
        "step_parts": _step_parts(center),
        "energy": flows(center),
        "collectives": ((job.name, *row) for job in center.jobs for row in job.collectives),
        "background": (each.row() for each in center.backgrounds),
        "outages": center.outages.rows(),
        "sharing": center.hall.fabric.meetings.rows(),
        "step": ((job.name, *row) for job in center.jobs for row in job.step_spans),
        "tiers": center.hall.fabric.tier_table(),
        "operations": _operations(center),
        "limits": limits(center),
        "costs": costs.items(center).items(),
        "trials": _trials(center),
        "smaller": smaller.rows(center),
    }
    return frames | {"links": _carrying(center)} | {name: frame(name, found) for name, found in rows.items()}


def frame(name: str, rows: Iterable[Sequence[Any]]) -> pd.DataFrame:
    """Return rows as the table ``name``, with its columns and units."""
    sink = Sink(name, TABLES[name].columns)
    for row in rows:
        sink.append(*row)
    return sink.frame()


def _carrying(center: DataCenter) -> pd.DataFrame:
    """Return the table of links that carried anything: of a large fabric too many to be written row by row."""
    import pandas as pd

    columns = center.hall.fabric.link_columns()
    kept = np.flatnonzero(columns[3] > 0.0)
    if not len(kept):
        return frame("links", ())
    names = ([column[i] for i in kept.tolist()] for column in columns[:2])
    table, units = (*names, *(column[kept] for column in columns[2:])), TABLES["links"].columns
    found = pd.DataFrame(dict(zip(units, table, strict=True)))
    found.attrs["units"] = dict(units)
    return found


def _breakdown(center: DataCenter) -> Iterable[Sequence[Any]]:
    for job in center.jobs:
        parts = job.account.parts
        yield from ((job.name, part, parts[part]) for part in PARTS)
    for search in center.searches:
        for part in PARTS:
            yield search.name, part, sum(job.account.parts[part] for job in search.jobs)


def _step_parts(center: DataCenter) -> Iterable[Sequence[Any]]:
    for job in center.jobs:
        whole_s, hidden = sum(job.step_parts.values()), job.step_hidden
        rows = ((part, seconds, hidden.get(part, 0.0)) for part, seconds in job.step_parts.items())
        yield from ((job.name, part, s, s / whole_s, hidden_s) for part, s, hidden_s in rows if s or hidden_s)


def _trials(center: DataCenter) -> Iterable[Sequence[Any]]:
    for search in center.searches:
        for trial in search.trials:
            job = trial.job
            score = float("nan") if trial.score is None else trial.score
            ended = job.finished_s if job is not None and job.finished_s is not None else float("nan")
            taken = (job.step, job.energy_now_j) if job is not None else (0, 0.0)
            settings = json.dumps(trial.settings, sort_keys=True)
            yield (search.name, trial.number, trial.state, score, *taken, trial.asked_s, ended, settings, trial.reason)


def _operations(center: DataCenter) -> Iterable[Sequence[Any]]:
    for job in center.lives:
        for kernel in kernels(job.plan):
            o = kernel.operation
            yield (
                job.name,
                o.name,
                o.kind,
                o.phase,
                o.scope,
                kernel.count,
                o.flops,
                kernel.bytes,
                kernel.time.seconds,
                kernel.time.bound,
            )


def _smaller(job: TrainingJob | SearchJob) -> str:
    """Say what takes less memory."""
    if job.plan.parts.job.inference is not None:
        return "a smaller micro batch, or fewer tokens a sequence"
    return "a smaller micro batch, or sharded optimizer states"


def limits(center: DataCenter) -> Iterable[Sequence[Any]]:
    """Yield the rows of the table "limits"."""
    for headroom in center.facility.summary().headrooms:
        yield (headroom.what, headroom.used, headroom.capacity, headroom.unit, headroom.headroom, headroom.lifted_by)
    for job in center.lives:
        used, memory = job.plan.memory.total_bytes, job.plan.device.accelerator.memory
        yield _limit(f"accelerator memory of {job.name}", used, memory, "B", _smaller(job))
    yield _accelerators(center)
    yield from _links(center)
    if center.hall.store is not None:
        volume = center.hall.store.volume
        yield _limit("storage space", volume.stored_bytes, volume.capacity_bytes, "B", "more or larger disks")


def _links(center: DataCenter) -> Iterable[Sequence[Any]]:
    """The link of each tier that carried most, by its mean load: every link is full while a single flow has it."""
    fabric, duration = center.hall.fabric, center.clock.now
    moved, capacities = fabric.loads.integrals, fabric.capacities
    for tier, links in fabric.tiers.items():
        if len(links) and duration:
            busiest = links[int(np.argmax(moved[links] / capacities[links]))]
            mean = float(moved[busiest]) / duration
            lifted = _LIFTS.get(tier, "more disks or storage nodes")
            yield _limit(f"busiest link of tier {tier}, on average", mean, float(capacities[busiest]), "B/s", lifted)


_LIFTS = {
    "nvlink": "a faster link between accelerators",
    "pcie": "a faster PCIe generation, or fewer network cards and accelerators a PCIe switch",
    "socket": "a faster link between processor sockets",
    "host": "faster or more network cards",
    "edge": "less oversubscription, or another spread of flows",
    "core": "less oversubscription, or another spread of flows",
}


def _accelerators(center: DataCenter) -> Sequence[Any]:
    most = max((busy for _, busy in _held(center)), default=0)
    return _limit("accelerators in use", float(most), float(_installed(center)), "1", "more servers")


def _installed(center: DataCenter) -> int:
    return sum(parts.pool.count * parts.server.accelerators for parts in center.prepared.inventory.pools)


def _held(center: DataCenter) -> Iterable[tuple[float, int]]:
    """Yield (time [s], accelerators that jobs hold from then on) at every change."""
    spans = center.hall.records.spans.columns
    held = {
        (job.name, attempt): job.plan.program.ranks for job in center.every_job for attempt in range(1, job.attempt + 1)
    }
    changes: list[tuple[float, int]] = []
    for name, attempt, kind, start, end in zip(
        *(spans[c] for c in ("job", "attempt", "kind", "start_s", "end_s")), strict=True
    ):
        if kind != "queued":
            changes += [(start, held[name, attempt]), (end, -held[name, attempt])]
    busy = 0
    for time_s, change in sorted(changes):
        busy += change
        yield time_s, busy


def _in_use(center: DataCenter) -> Iterable[Sequence[Any]]:
    """Yield the share of accelerators that jobs hold as rows of the table "series"; of an instant, its last."""
    installed, last = float(_installed(center)), {0.0: 0, **dict(_held(center))}
    before = -1
    for time_s, busy in sorted(last.items()):
        if busy != before:
            yield "utilization", "in use", "1", time_s, busy / installed
        before = busy


def _joined(series: pd.DataFrame, rows: Iterable[Sequence[Any]]) -> pd.DataFrame:
    import pandas as pd

    joined = pd.concat([series, frame("series", rows)], ignore_index=True)
    joined.attrs["units"] = series.attrs["units"]
    return joined


def _limit(what: str, used: float, capacity: float, unit: str, lifted_by: str) -> Sequence[Any]:
    return (what, used, capacity, unit, 1.0 - used / capacity, lifted_by)
