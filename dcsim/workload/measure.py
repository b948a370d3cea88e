"""Time compiled programs on this machine's CPU: the seconds of one pinned thread, medians over interleaved rounds.

CPU seconds, not those of the clock on the wall, because other work may share the machine. Programs of a group take
turns, so that a disturbance falls on all of them. Memory that a program gave back is kept by the process: the page
faults of fresh memory, which can take half of the time of a small step, are the operating system's and not the
device's.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

from dcsim.workload.operation import Operation

_KEEP = ((-4, 0, 65536), (-1, 2**31 - 1, 131072), (-2, 2**28, 131072))
"""glibc's mallopt: no mapping of single blocks, nothing trimmed, grown by 256 MiB; (option, ours, default)."""


@dataclass(frozen=True, slots=True)
class Program:
    """What is timed: ``function`` of abstract ``arguments``, whole numbers in them below ``below``.

    The first ``kept`` arguments are updated in place: the function returns them anew, as a tuple.
    """

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    kept: int = 0
    below: int = 2


@dataclass(frozen=True, slots=True)
class Timing:
    """The CPU time of one execution of a program, median and lowest over rounds [s], and what it was traced to."""

    name: str
    seconds: float
    lowest_s: float
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Effort:
    """How long is measured: ``rounds`` of at least ``seconds`` [s] a program each, programs in groups of ``group``."""

    rounds: int = 5
    seconds: float = 0.004
    group: int = 24


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


def time_programs(
    programs: Sequence[Program], effort: Effort, done: Callable[[int], None] | None = None
) -> list[Timing]:
    """Return the timings of ``programs``; ``done`` is told how many are finished after each group."""
    from dcsim.workload import runtime

    runtime.prepare()
    found: list[Timing] = []
    for start in range(0, len(programs), effort.group):
        runs = [_Run(program) for program in programs[start : start + effort.group]]
        for _ in range(effort.rounds):
            for run in runs:
                run.round(effort.seconds)
        found.extend(run.timing() for run in runs)
        if done is not None:
            done(len(found))
    return found


class _Run:
    """A compiled program with its arrays, and the rounds timed so far."""

    def __init__(self, program: Program) -> None:
        import jax

        self._program = program
        donated = tuple(range(program.kept))
        traced = jax.jit(program.function, donate_argnums=donated).trace(*program.arguments)
        self._compiled = traced.lower().compile()
        self._arrays = list(_arrays(program))
        self._rounds: list[float] = []
        self._closed = traced.jaxpr
        self._call(1)
        self._once = max(self._call(1), 1e-7)

    def round(self, seconds: float) -> None:
        """Time one round of at least ``seconds`` [s], as far as the first execution foretold."""
        calls = max(1, min(2000, round(seconds / self._once)))
        self._rounds.append(self._call(calls) / calls)

    def timing(self) -> Timing:
        """Return the median over the rounds."""
        from dcsim.workload.trace import analyze

        operations = analyze(self._closed, "forward").operations
        return Timing(self._program.name, median(self._rounds), min(self._rounds), operations)

    def _call(self, times: int) -> float:
        import jax

        kept, compiled, arrays = self._program.kept, self._compiled, self._arrays
        result: Any = ()
        begin = time.process_time()
        for _ in range(times):
            result = compiled(*arrays)
            if kept:
                arrays[:kept] = result
        jax.block_until_ready(result)  # type: ignore[no-untyped-call]
        return time.process_time() - begin


def _arrays(program: Program) -> Iterator[Any]:
    """Return arrays in place of the abstract ones: small normal numbers, whole numbers below the program's limit."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    random = np.random.default_rng(0)

    def array(abstract: Any) -> Any:
        if jnp.issubdtype(abstract.dtype, jnp.floating):
            return jnp.asarray(0.1 * random.standard_normal(abstract.shape), abstract.dtype)
        if jnp.issubdtype(abstract.dtype, jax.dtypes.prng_key):
            return jax.random.split(jax.random.key(0), abstract.shape) if abstract.shape else jax.random.key(0)
        return jnp.asarray(random.integers(0, program.below, abstract.shape), abstract.dtype)

    for argument in program.arguments:
        yield jax.tree.map(array, argument)


def _allocator() -> Any:
    """Return the C library if it is one whose allocator can be told to keep memory."""
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):
        return None
    return library if hasattr(library, "mallopt") else None
