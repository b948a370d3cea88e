"""Time compiled programs on this machine's CPU: the seconds of one pinned thread, medians over interleaved rounds.

CPU seconds, not those of the clock on the wall, because other work may share the machine. Programs take turns, and the
rounds of each are spread over the time in which the next ones are compiled, so that a disturbance falls on all of them
and on few rounds of any. Every time is brought to one pace of the machine (:mod:`dcsim.workload.pace`).
Memory that a program gave back is kept by the process: the page faults of fresh memory, which can take half of the time
of a small step, are the operating system's and not the device's.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import inf
from statistics import median
from typing import Any

from dcsim.workload.operation import Operation
from dcsim.workload.pace import Pace, at_unit
from dcsim.workload.timing import Program, Run

_KEEP = ((-4, 0, 65536), (-1, 2**31 - 1, 131072), (-2, 2**28, 131072))
"""glibc's mallopt: no mapping of single blocks, nothing trimmed, grown by 256 MiB; (option, ours, default)."""

_READ_EVERY_S, _MOST_READINGS = 0.05, 4  # of the pace, after a program that ran for long


@dataclass(frozen=True, slots=True)
class Timing:
    """The CPU time of one execution of a program, and what it was traced to.

    ``seconds`` is the median over rounds at the pace of the unit, ``raw_s`` as it was timed [s], ``slowness`` the
    median of that of the machine meanwhile [1].
    """

    name: str
    seconds: float
    raw_s: float
    operations: tuple[Operation, ...]
    slowness: float = 1.0

    def times(self, factor: float) -> Timing:
        """Return the same at another unit of the pace, at which ``seconds`` are ``factor`` times as many."""
        return replace(self, seconds=self.seconds * factor)


@dataclass(frozen=True, slots=True)
class Effort:
    """How long is measured: ``rounds`` of at least ``seconds`` [s] a program each, programs in groups of ``group``.

    After ``until`` on the monotonic clock [s] no group begins. As many groups as there are rounds are in memory.
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

    Whenever a group has been compiled, those that were not yet run in all rounds have one. Times are at the unit of the
    ``pace``, where there is one.
    """
    from dcsim.workload import runtime

    runtime.prepare()
    begun: list[list[_Turns]] = []
    for start in range(0, len(programs), effort.group):
        if time.monotonic() > effort.until:
            break
        begun.append([_Turns(Run(program)) for program in programs[start : start + effort.group]])
        yield from _round(begun, effort, pace)
    while begun:
        yield from _round(begun, effort, pace)


def time_programs(programs: Sequence[Program], effort: Effort, pace: Pace | None = None) -> list[Timing]:
    """Return the timings of ``programs``, as :func:`timed` yields them."""
    return [timing for group in timed(programs, effort, pace) for timing in group]


class _Turns:
    """A program that takes turns with others: the time of one execution in each [s], and from when to when it ran."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.seconds: list[float] = []
        self._spans: list[tuple[float, float]] = []

    def take(self, seconds: float, pace: Pace | None) -> None:
        """Run for ``seconds`` [s] and read the pace, oftener after a program that takes long."""
        begin = time.monotonic()
        self.seconds.append(self.run.once(seconds))
        end = time.monotonic()
        self._spans.append((begin, end))
        if pace is not None:
            for _ in range(1 + min(_MOST_READINGS, int((end - begin) / _READ_EVERY_S))):
                pace.read()

    def timing(self, pace: Pace | None) -> Timing:
        """Return the medians over all turns."""
        slowness = [1.0 if pace is None else pace.slowness(*span) for span in self._spans]
        at_pace = [seconds * at_unit(slow) for seconds, slow in zip(self.seconds, slowness, strict=True)]
        given = median(at_pace), median(self.seconds), self.run.operations(), median(slowness)
        return Timing(self.run.name, *given)


def _round(begun: list[list[_Turns]], effort: Effort, pace: Pace | None) -> Iterator[list[Timing]]:
    """Give every program one turn; take a group out of ``begun`` that had all, and yield its timings."""
    for group in begun:
        for turns in group:
            turns.take(effort.seconds, pace)
    if len(begun[0][0].seconds) >= effort.rounds:
        yield [turns.timing(pace) for turns in begun.pop(0)]


def _allocator() -> Any:
    """Return the C library if it is one whose allocator can be told to keep memory."""
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):
        return None
    return library if hasattr(library, "mallopt") else None
