"""Many levels of one kind as arrays: one update changes hundreds of links or servers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from dcsim.engine.clock import Clock

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


class LevelArray:
    """Named quantities that are constant between events; ``values`` and ``integrals`` have shape (names,)."""

    def __init__(self, clock: Clock, names: Sequence[str], unit: str) -> None:
        self._clock, self.names, self.unit = clock, list(names), unit
        self.values: Floats = np.zeros(len(self.names))
        self._peaks: Floats = np.full(len(self.names), -np.inf)
        self._integrals: Floats = np.zeros(len(self.names))
        self._since = clock.now
        self._watchers: list[Callable[[LevelArray], None]] = []

    @property
    def integrals(self) -> Floats:
        """The integrals until now [unit s], shape (names,)."""
        return self._integrals + self.values * (self._clock.now - self._since)

    @property
    def peaks(self) -> Floats:
        """The highest values that lasted, or those of now, shape (names,), as of :attr:`Level.peak`."""
        return np.maximum(self._peaks, self.values)

    def set(self, where: Indices, values: Floats | float) -> None:
        """Give the levels at ``where`` new values from now on and tell the watchers."""
        self._settle_integrals()
        self.values[where] = values
        self._changed()

    def add(self, where: Indices, changes: Floats | float) -> None:
        """Change the levels at ``where``, each index at most once, and tell the watchers."""
        self._settle_integrals()
        self.values[where] += changes
        self._changed()

    def credit(self, where: Indices, amounts: Floats) -> None:
        """Book ``amounts`` [unit s] to the integrals at ``where`` without a change of the values."""
        self._integrals[where] += amounts

    def raise_peaks(self, where: Indices, values: Floats) -> None:
        """Let the peaks at ``where`` be at least ``values``: of changes too short to be simulated one by one."""
        self._peaks[where] = np.maximum(self._peaks[where], values)

    def watch(self, watcher: Callable[[LevelArray], None]) -> None:
        """Call ``watcher(levels)`` after every change."""
        self._watchers.append(watcher)

    def _settle_integrals(self) -> None:
        now = self._clock.now
        if now > self._since:
            self._integrals += self.values * (now - self._since)
            np.maximum(self._peaks, self.values, out=self._peaks)
            self._since = now

    def _changed(self) -> None:
        for watcher in self._watchers:
            watcher(self)
