"""How fast the machine is at the moment: three small programs, timed beside all that is measured.

A core that shares its execution units, its clock or its caches with busy neighbors is slower, by a half on some
machines: for tenths of a second or for minutes. What is timed now and what was timed then differ by that much.

A time at the pace of the calibration is the time as measured, over the slowness of the moment to the power
:data:`SENSITIVITY`. Slowness is the geometric mean of what the three programs take over what they took at calibration,
and over all readings within :data:`NEAR_S` of the measurement: a single one is as uncertain as what it is to correct.
The power is below 1 because whole steps slow down less than small programs that live in the caches near the core. It
was chosen on a virtual machine of two processors as that which made repeated times of 60 small programs and of 16 steps
agree best: the steps' spread by 7.7 % as timed, by 4.8 % with the power 0.7 and by 6.3 % with 1; those of the small
programs by 15.4, 9.4 and 9.1 %.
"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from math import exp, log
from statistics import fmean, median
from typing import Any

SENSITIVITY = 0.7
NEAR_S = 0.1

_SIZE = 128  # of the product, whose operands fit the second cache, as the function's array does
_SWEPT = 2**20  # numbers that the sweep changes in place: 4 MiB, beyond the second cache
_SETTLING = 40  # readings for the first unit
_WARMING, _CALLS = 2, {"product": 6, "function": 12, "sweep": 2}  # executions that do not count, and that do


class Pace:
    """Readings of three programs, against what each takes at the pace 1: ``unit`` [s], measured now if not given."""

    def __init__(self, unit: Mapping[str, float] | None = None) -> None:
        self._runs = _programs()
        self._at: list[float] = []
        self._logs: list[list[float]] = []
        if not unit:
            for _ in range(_SETTLING):
                self.read()
        self.unit = dict(unit) if unit else self.usual()

    def read(self) -> None:
        """Take a reading, in about two milliseconds: each program once its arrays are back in the caches."""
        logs = [log(run.warm(_WARMING, _CALLS[name])) for name, run in self._runs.items()]
        self._logs.append(logs)
        self._at.append(time.monotonic())

    def slowness(self, begin: float, end: float) -> float:
        """Return the slowness around the time from ``begin`` to ``end`` on the monotonic clock; 1 is the unit's.

        Without a reading as near as that it is the last one before, or the first one.
        """
        low, high = bisect_left(self._at, begin - NEAR_S), bisect_right(self._at, end + NEAR_S)
        near = self._logs[low:high] or self._logs[max(low - 1, 0) : max(low, 1)]
        return exp(fmean(fmean(logs) for logs in near)) / _mean(self.unit)

    def settle(self) -> float:
        """Take what was usual so far for the unit, and return what times at the former unit are multiplied by."""
        before, self.unit = self.unit, self.usual()
        return at_unit(_mean(before) / _mean(self.unit))

    def usual(self) -> dict[str, float]:
        """Return what each of the programs took, the median of all readings [s]."""
        return {name: exp(median(logs)) for name, logs in zip(self._runs, zip(*self._logs, strict=True), strict=True)}


def at_unit(slowness: float) -> float:
    """Return what a time is multiplied by to be that at the pace of the unit [1]."""
    return exp(-SENSITIVITY * log(slowness))


def _mean(times: Mapping[str, float]) -> float:
    return exp(fmean(log(seconds) for seconds in times.values()))


def _programs() -> dict[str, Any]:
    import jax.numpy as jnp

    from dcsim.workload.models.abstract import array
    from dcsim.workload.timing import Program, Run

    square, swept = array((_SIZE, _SIZE), jnp.float32), array((_SWEPT,), jnp.float32)
    return {
        "product": Run(Program("product", jnp.matmul, (square, square))),
        "function": Run(Program("function", jnp.tanh, (square,))),
        "sweep": Run(Program("sweep", lambda x: (x * 0.5 + 1.0,), (swept,), kept=1)),
    }
