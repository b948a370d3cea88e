"""Many levels of one kind as arrays: one update changes hundreds of links or servers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from dcsim.engine.clock import Clock

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


class LevelArray:
    """Named quantities that are constant between events; ``values`` and ``integrals`` have shape (names,).

    ``rows``, shape (4, names), holds the values, the integrals until the last change [unit s], the time of that change
    [s], and the peaks until then. Whoever changes them directly calls :meth:`changed` after.
    """

    def __init__(self, clock: Clock, names: Sequence[str], unit: str) -> None:
        self._clock, self.names, self.unit = clock, list(names), unit
        self.rows: Floats = np.zeros((4, len(self.names)))
        self.values: Floats = self.rows[0]
        self._integrals: Floats = self.rows[1]
        self._since: Floats = self.rows[2]
        self._peaks: Floats = self.rows[3]
        self._since[:], self._peaks[:] = clock.now, -np.inf
        self._watchers: list[Callable[[LevelArray], None]] = []

    @property
    def integrals(self) -> Floats:
        """The integrals until now [unit s], shape (names,)."""
        return self._integrals + self.values * (self._clock.now - self._since)

    @property
    def peaks(self) -> Floats:
        """The highest values that lasted, or those of now, shape (names,), as of :attr:`Level.peak`."""
        return np.maximum(self._peaks, self.values)

    def set(self, where: Indices | slice, values: Floats | float) -> None:
        """Give the levels at ``where`` new values from now on and tell the watchers."""
        self.assign(where, values)
        self.changed()

    def assign(self, where: Indices | slice, values: Floats | float) -> None:
        """Give the levels at ``where`` new values from now on; call :meth:`changed` after the last of several."""
        self._settle(where)
        self.values[where] = values

    def add(self, where: Indices, changes: Floats | float) -> None:
        """Change the levels at ``where``, each index at most once, and tell the watchers."""
        self._settle(where)
        self.values[where] += changes
        self.changed()

    def credit(self, where: Indices, amounts: Floats) -> None:
        """Book ``amounts`` [unit s] to the integrals at ``where``, also several to one, without a change of values."""
        np.add.at(self._integrals, where, amounts)

    def raise_peaks(self, where: Indices, values: Floats) -> None:
        """Let the peaks at ``where`` be at least ``values``: of changes too short to be simulated one by one."""
        self._peaks[where] = np.maximum(self._peaks[where], values)

    def watch(self, watcher: Callable[[LevelArray], None]) -> None:
        """Call ``watcher(levels)`` after every change."""
        self._watchers.append(watcher)

    def _settle(self, where: Indices | slice) -> None:
        """Book what the levels at ``where``, and only those, have integrated to since their last change."""
        elapsed, values = self._clock.now - self._since[where], self.values[where]
        self._integrals[where] += values * elapsed
        peaks = self._peaks[where]
        self._peaks[where] = np.where(elapsed > 0.0, np.maximum(peaks, values), peaks)
        self._since[where] = self._clock.now

    def changed(self) -> None:
        """Tell the watchers: for who has changed ``rows`` directly."""
        for watcher in self._watchers:
            watcher(self)
