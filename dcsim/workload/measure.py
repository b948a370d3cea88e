"""Time compiled programs on this machine's CPU: the seconds of one pinned thread, medians over interleaved rounds.

CPU seconds, not those of the clock on the wall, because other work may share the machine. Programs of a group take
turns, so that a disturbance falls on all of them, and every time is taken over the pace of the machine at that moment.
Memory that a program gave back is kept by the process: the page faults of fresh memory, which can take half of the time
of a small step, are the operating system's and not the device's.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf, sqrt
from statistics import median
from typing import Any

from dcsim.workload.operation import Operation
from dcsim.workload.pace import Pace
from dcsim.workload.timing import Program, Run

_KEEP = ((-4, 0, 65536), (-1, 2**31 - 1, 131072), (-2, 2**28, 131072))
"""glibc's mallopt: no mapping of single blocks, nothing trimmed, grown by 256 MiB; (option, ours, default)."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The CPU time of one execution of a program, median and lowest over rounds [s], and what it was traced to."""

    name: str
    seconds: float
    lowest_s: float
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Effort:
    """How long is measured: ``rounds`` of at least ``seconds`` [s] a program each, programs in groups of ``group``.

    After ``until`` on the monotonic clock [s] no group begins.
    """

    rounds: int = 5
    seconds: float = 0.004
    group: int = 24
    until: float = inf


@contextmanager
def one_thread() -> Iterator[dict[str, str]]:
    """Pin this thread, and those that JAX starts from here on, to one processor; yield the conditions.

    Enter it before anything of JAX is used: a pool of threads that exists already stays where it is.
    """
    library = _allocator()
    pinned = None
    if hasattr(os, "sched_setaffinity"):
        pinned = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {max(pinned)})
    kept = library is not None and min(library.mallopt(option, ours) for option, ours, _ in _KEEP) == 1
    try:
        yield {
            "thread": "one, pinned" if pinned else "one, not pinned",
            "memory": "kept by the process" if kept else "as the allocator has it, page faults included",
        }
    finally:
        if pinned:
            os.sched_setaffinity(0, pinned)
        if library is not None:
            for option, _, default in _KEEP:
                library.mallopt(option, default)


def timed(programs: Sequence[Program], effort: Effort, pace: Pace | None = None) -> Iterator[list[Timing]]:
    """Yield the timings of ``programs`` group by group; what does not begin in time is left out.

    Times are over the ``pace`` of the moment, where there is one.
    """
    from dcsim.workload import runtime

    runtime.prepare()
    for start in range(0, len(programs), effort.group):
        if time.monotonic() > effort.until:
            return
        runs = [Run(program) for program in programs[start : start + effort.group]]
        times = _rounds(runs, effort, pace)
        yield [Timing(run.name, median(own), min(own), run.operations()) for run, own in zip(runs, times, strict=True)]


def time_programs(programs: Sequence[Program], effort: Effort, pace: Pace | None = None) -> list[Timing]:
    """Return the timings of ``programs``, as :func:`timed` yields them."""
    return [timing for group in timed(programs, effort, pace) for timing in group]


def _rounds(runs: Sequence[Run], effort: Effort, pace: Pace | None) -> list[list[float]]:
    """Return the time of one execution in every round of every run [s]."""
    times: list[list[float]] = [[] for _ in runs]
    before = 1.0 if pace is None else pace.now()
    for _ in range(effort.rounds):
        for run, own in zip(runs, times, strict=True):
            seconds = run.once(effort.seconds)
            after = 1.0 if pace is None else pace.now()
            own.append(seconds / sqrt(before * after))
            before = after
    return times


def _allocator() -> Any:
    """Return the C library if it is one whose allocator can be told to keep memory."""
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):
        return None
    return library if hasattr(library, "mallopt") else None
