"""A compiled program with arrays to run it on, and the CPU seconds of its executions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from dcsim.workload.operation import Operation

_MOST_CALLS = 2000
_FIRST = 3
_LONG_S = 0.03
_DRAWN = 65521  # a prime number: rows of no usual length are alike


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


class Run:
    """A compiled program with its arrays."""

    def __init__(self, program: Program) -> None:
        import jax

        self.name = program.name
        self._kept = program.kept
        donated = tuple(range(program.kept))
        traced = jax.jit(program.function, donate_argnums=donated).trace(*program.arguments)
        self._compiled = traced.lower().compile()
        self._arrays = list(_arrays(program))
        self._closed = traced.jaxpr
        self._call(1)
        self._once = max(min(self._call(1) for _ in range(_FIRST)), 1e-7)

    def once(self, seconds: float) -> float:
        """Return the time of one execution [s], the mean over ``seconds`` [s] of them as far as the first foretold.

        One that does not count comes before, unless it takes long: after other programs the first finds its operands in
        main memory, where a layer finds what the one before wrote near the core. Of a product of 16 rows by 1 MiB of
        weights the first took three times as long as the next.
        """
        if self._once < _LONG_S:
            self._call(1)
        calls = max(1, min(_MOST_CALLS, round(seconds / self._once)))
        return self._call(calls) / calls

    def warm(self, warming: int, calls: int) -> float:
        """Return the time of one execution, the mean over ``calls`` of them after ``warming`` that do not count [s]."""
        self._call(warming)
        return self._call(calls) / calls

    def operations(self) -> tuple[Operation, ...]:
        """Return what the program was traced to."""
        from dcsim.workload.trace import analyze

        return analyze(self._closed, "optimizer" if self._kept else "forward").operations

    def _call(self, times: int) -> float:
        import jax

        kept, compiled, arrays = self._kept, self._compiled, self._arrays
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
    drawn = 0.1 * random.standard_normal(_DRAWN)  # repeated: drawing as many as a table has takes longer than timing it

    def array(abstract: Any) -> Any:
        if jnp.issubdtype(abstract.dtype, jnp.floating):
            return jnp.asarray(np.resize(drawn, abstract.shape), abstract.dtype)
        if jnp.issubdtype(abstract.dtype, jax.dtypes.prng_key):
            return jax.random.split(jax.random.key(0), abstract.shape) if abstract.shape else jax.random.key(0)
        return jnp.asarray(random.integers(0, program.below, abstract.shape), abstract.dtype)

    for argument in program.arguments:
        yield jax.tree.map(array, argument)
