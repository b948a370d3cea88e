"""How fast the machine is at the moment: two small programs, timed beside all that is measured.

A core that shares its execution units or its clock with busy neighbors is slower, by a third on some machines, and not
for long: what is timed now and what was timed a minute ago differ by that much. Seconds over the pace do not.
"""

from __future__ import annotations

from math import sqrt
from statistics import median
from typing import Any

_SIZE = 128  # of the product, whose operands fit the second cache, as the function's array does
_SETTLING = 40  # times that are the unit, unless one is given
_WARMING, _CALLS = 6, 12  # executions of each program that do not count, and that do


class Pace:
    """Two programs, a product and a tanh, and the geometric mean of their times when the pace is 1: ``unit_s`` [s]."""

    def __init__(self, unit_s: float = 0.0) -> None:
        import jax.numpy as jnp

        from dcsim.workload.models.abstract import array
        from dcsim.workload.timing import Program, Run

        square = array((_SIZE, _SIZE), jnp.float32)
        programs: list[tuple[Any, tuple[Any, ...]]] = [(jnp.matmul, (square, square)), (jnp.tanh, (square,))]
        self._runs = [Run(Program("pace", function, given)) for function, given in programs]
        self.unit_s = 1.0
        self.unit_s = unit_s or median(self.now() for _ in range(_SETTLING))

    def now(self) -> float:
        """Return the time that the machine takes at the moment, over what it took in the unit; a larger one is slower.

        It is always measured in the same way: once the arrays are back in the caches, for about a millisecond.
        """
        product_s, function_s = (run.warm(_WARMING, _CALLS) for run in self._runs)
        return sqrt(product_s * function_s) / self.unit_s
