"""The timeline that Perfetto and Chrome open: trace-event JSON, gzipped."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from dcsim.results.result import Result

if TYPE_CHECKING:
    import pandas as pd

_SITE = 1  # process of the counters and of instants that belong to no job
_UNITS = MappingProxyType({"1": "share"})


@dataclass(frozen=True)
class _Slice:
    name: str
    start_ns: int
    end_ns: int
    arguments: dict[str, Any]


@dataclass
class _Lane:
    """Slices of one thread, each inside or after the one before; ``ends_ns`` are the ends of those still open."""

    slices: list[_Slice] = field(default_factory=list)
    ends_ns: list[int] = field(default_factory=list)

    def takes(self, item: _Slice) -> bool:
        """Add ``item`` if it is nested strictly; slices must come by start, longer ones first."""
        while self.ends_ns and self.ends_ns[-1] <= item.start_ns:
            self.ends_ns.pop()
        if self.ends_ns and item.end_ns > self.ends_ns[-1]:
            return False
        self.ends_ns.append(item.end_ns)
        self.slices.append(item)
        return True


def write(result: Result, path: Path | str) -> None:
    """Write the spans, segments, series and events of ``result`` to ``path`` as gzipped trace-event JSON.

    Every job is a process, whose slices nest strictly: what would overlap goes to a further thread. Power, temperature
    and link load are counters of the process "data center", events are instants. The bytes depend on the result alone.
    """
    path = Path(path)
    with path.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=6, mtime=0, filename="") as packed:
        packed.write(b'{"displayTimeUnit":"ms","traceEvents":[\n')
        for index, event in enumerate(events(result)):
            packed.write((",\n" if index else "").encode() + json.dumps(event, separators=(",", ":")).encode())
        packed.write(b"\n]}\n")


def events(result: Result) -> Iterator[dict[str, Any]]:
    """Yield the trace events of ``result``; times are microseconds."""
    jobs = list(dict.fromkeys([*result.jobs, *result.table("spans")["job"], *result.table("segments")["job"]]))
    processes = {job: _SITE + place for place, job in enumerate(jobs, 1)}
    last = _SITE + len(jobs) + 1
    yield _named("process_name", _SITE, 0, "data center")
    # Viewers put processes in the order of their numbers otherwise, and jobs below dozens of counters.
    yield _placed(_SITE, last + 1)
    for job, process in processes.items():
        yield _named("process_name", process, 0, f"job {job}")
        yield _placed(process, process)
        yield from _job_events(result, job, process)
    yield from _network_events(result.table("outages"), last)
    yield from _counters(result.table("series"), _end_s(result))
    yield from _instants(result.table("events"), processes)


def _end_s(result: Result) -> float:
    """Return the last moment of anything [s]."""
    times = (("spans", "end_s"), ("series", "time_s"), ("events", "time_s"))
    return max(
        (float(result.table(table)[column].max()) for table, column in times if len(result.table(table))), default=0.0
    )


def _job_events(result: Result, job: str, process: int) -> Iterator[dict[str, Any]]:
    spans = result.table("spans")
    segments = result.table("segments")
    tracks = (
        ("phases", [*_attempts(spans[spans["job"] == job]), *_spans(spans[spans["job"] == job])]),
        ("steps", list(_segments(segments[segments["job"] == job]))),
        *_first_step(result, job),
        ("stalls", list(_outages(_stood(result.table("outages"), job)))),
    )
    thread = 0
    for title, slices in tracks:
        for place, lane in enumerate(_lanes(slices)):
            thread += 1
            yield _named("thread_name", process, thread, title if place == 0 else f"{title} ({place + 1})")
            yield from (_complete(item, title, process, thread) for item in lane)


def _network_events(outages: pd.DataFrame, process: int) -> Iterator[dict[str, Any]]:
    """Yield a thread for every link and switch that was down or slower."""
    rows = outages[outages["state"] != "stalled"]
    if len(rows):
        yield _named("process_name", process, 0, "network")
        yield _placed(process, process)
    thread = 0
    for target, own in rows.groupby("target", sort=False):
        for place, lane in enumerate(_lanes(_outages(own))):
            thread += 1
            yield _named("thread_name", process, thread, str(target) if place == 0 else f"{target} ({place + 1})")
            yield from (_complete(item, "outages", process, thread) for item in lane)


def _stood(outages: pd.DataFrame, job: str) -> pd.DataFrame:
    return outages[(outages["state"] == "stalled") & (outages["target"] == job)]


def _outages(rows: pd.DataFrame) -> Iterator[_Slice]:
    for row in rows.to_dict("records"):
        detail = {"detail": str(row["detail"])} if row["detail"] else {}
        yield _Slice(str(row["state"]), _ns(row["start_s"]), _ns(row["end_s"]), detail)


def _complete(item: _Slice, category: str, process: int, thread: int) -> dict[str, Any]:
    return {
        "ph": "X",
        "name": item.name,
        "cat": category,
        "pid": process,
        "tid": thread,
        "ts": item.start_ns / 1000,
        "dur": (item.end_ns - item.start_ns) / 1000,
        "args": item.arguments,
    }


def _lanes(slices: Iterable[_Slice]) -> list[list[_Slice]]:
    """Deal slices into as few threads as come by first fit, so that those of a thread nest strictly."""
    lanes: list[_Lane] = []
    for item in sorted(slices, key=lambda each: (each.start_ns, -each.end_ns)):
        if item.end_ns > item.start_ns and not any(lane.takes(item) for lane in lanes):
            lanes.append(_Lane())
            lanes[-1].takes(item)
    return [lane.slices for lane in lanes]


def _attempts(spans: pd.DataFrame) -> Iterator[_Slice]:
    for attempt, rows in spans.groupby("attempt", sort=True):
        if len(rows):
            yield _Slice(f"attempt {attempt}", _ns(rows["start_s"].min()), _ns(rows["end_s"].max()), {})


def _spans(spans: pd.DataFrame) -> Iterator[_Slice]:
    for row in spans.to_dict("records"):
        detail = {"detail": str(row["detail"])} if row.get("detail") else {}
        yield _Slice(str(row["kind"]), _ns(row["start_s"]), _ns(row["end_s"]), detail)


def _segments(segments: pd.DataFrame) -> Iterator[_Slice]:
    for row in segments.to_dict("records"):
        first, steps = int(row["first_step"]), int(row["steps"])
        name = f"step {first}" if steps == 1 else f"steps {first} to {first + steps - 1}"
        shown = ("step_time_s", "exposed_s", "stall_s", "power_w")
        yield _Slice(name, _ns(row["start_s"]), _ns(row["end_s"]), {key: _number(row[key]) for key in shown})


def _first_step(result: Result, job: str) -> Iterator[tuple[str, list[_Slice]]]:
    """Yield the tracks of one step, laid over the first that was taken: kernels and collectives as if alone."""
    step, segments = result.table("step"), result.table("segments")
    step, segments = step[step["job"] == job], segments[segments["job"] == job]
    if not len(segments):
        return
    start_s = float(segments["start_s"].iloc[0])
    for stream, rows in step.groupby("stream", sort=False):
        times = zip(rows["label"], rows["start_s"] + start_s, rows["end_s"] + start_s, strict=True)
        yield f"{stream} of a step", [_Slice(str(label), _ns(begin), _ns(end), {}) for label, begin, end in times]


def _counters(series: pd.DataFrame, end_s: float) -> Iterator[dict[str, Any]]:
    """Yield the samples of every series and its last value at the end, up to which viewers draw nothing otherwise."""
    for (kind, name, unit), rows in series.groupby(["series", "name", "unit"], sort=False):
        title = f"{str(kind).replace('_', ' ')} {name} [{_UNITS.get(str(unit), unit)}]"
        times, values = rows["time_s"].tolist(), rows["value"].tolist()
        if times[-1] < end_s:
            times, values = [*times, end_s], [*values, values[-1]]
        for time_s, value in zip(times, values, strict=True):
            if math.isfinite(value):
                yield {
                    "ph": "C",
                    "name": title,
                    "pid": _SITE,
                    "tid": 0,
                    "ts": _ns(time_s) / 1000,
                    "args": {"value": value},
                }


def _instants(table: pd.DataFrame, processes: dict[str, int]) -> Iterator[dict[str, Any]]:
    for row in table.to_dict("records"):
        target = str(row["target"])
        yield {
            "ph": "i",
            "s": "g",
            "name": f"{row['kind']} {target}".strip(),
            "cat": str(row["kind"]),
            "tid": 0,
            "pid": processes.get(target, _SITE),
            "ts": _ns(row["time_s"]) / 1000,
            "args": {"detail": str(row["detail"])},
        }


def _named(kind: str, process: int, thread: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": kind, "pid": process, "tid": thread, "args": {"name": name}}


def _placed(process: int, place: int) -> dict[str, Any]:
    return {"ph": "M", "name": "process_sort_index", "pid": process, "tid": 0, "args": {"sort_index": place}}


def _ns(time_s: float) -> int:
    """Whole nanoseconds, so that rounding never turns touching slices into overlapping ones."""
    return round(float(time_s) * 1e9)


def _number(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None
