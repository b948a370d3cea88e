"""How long links were full."""

from __future__ import annotations

import numpy as np

from dcsim.engine import Clock, LevelArray
from dcsim.network.tree import Floats, Indices

_FULL = 1.0 - 1e-9  # of the capacity: rates are sums, whose last digits vary


class Saturation:
    """Seconds for which each link has carried its capacity [B/s], from now on."""

    def __init__(self, clock: Clock, loads: LevelArray, capacities: Floats) -> None:
        self._clock, self._limits = clock, capacities * _FULL
        self._full = loads.values >= self._limits
        self._seconds = np.zeros(len(capacities))
        self._start_s = self._since_s = clock.now
        loads.watch(self._changed)

    @property
    def seconds(self) -> Floats:
        """Time at capacity until now, at most all of it [s], shape (links,)."""
        now = self._clock.now
        return np.minimum(self._seconds + self._full * (now - self._since_s), now - self._start_s)

    def credit(self, links: Indices, seconds: Floats) -> None:
        """Book time at capacity of what was not simulated one by one; ``links`` holds each once."""
        self._seconds[links] += seconds

    def _changed(self, loads: LevelArray) -> None:
        now = self._clock.now
        if now > self._since_s:
            self._seconds[self._full] += now - self._since_s
            self._since_s = now
        self._full = loads.values >= self._limits


def full_loads(loads: Floats, capacities: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which ``loads`` [B/s] fill their link."""
    return np.asarray(loads >= capacities * _FULL)
