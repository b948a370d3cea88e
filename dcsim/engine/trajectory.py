"""A named quantity that follows a closed form between events."""

from __future__ import annotations

from typing import Protocol

from dcsim.engine.clock import Clock


class Curve(Protocol):
    """A closed form over the time since it began."""

    def value(self, elapsed_s: float) -> float:
        """Return the value after ``elapsed_s`` [s]."""

    def integral(self, elapsed_s: float) -> float:
        """Return the integral from the beginning to ``elapsed_s`` [s]."""

    def crossing(self, threshold: float, horizon_s: float) -> float | None:
        """Return the first elapsed time [s] in (0, horizon] at which the value meets ``threshold``, or None."""


class Trajectory:
    """A quantity that follows one :class:`Curve` after another, with its exact integral."""

    __slots__ = ("_before", "_clock", "_curve", "_since", "name", "unit")

    def __init__(self, clock: Clock, name: str, unit: str, curve: Curve) -> None:
        self._clock, self.name, self.unit = clock, name, unit
        self._curve, self._since, self._before = curve, clock.now, 0.0

    @property
    def value(self) -> float:
        """The value now."""
        return self._curve.value(self._clock.now - self._since)

    @property
    def integral(self) -> float:
        """The integral from the trajectory's creation until now [unit s]."""
        return self._before + self._curve.integral(self._clock.now - self._since)

    def follow(self, curve: Curve) -> None:
        """Follow ``curve`` from now on."""
        self._before, self._since = self.integral, self._clock.now
        self._curve = curve

    def crossing(self, threshold: float, horizon_s: float) -> float | None:
        """Return the next time [s, simulated] within ``horizon_s`` at which the value meets ``threshold``."""
        elapsed = self._clock.now - self._since
        found = self._curve.crossing(threshold, elapsed + horizon_s)
        return None if found is None or found <= elapsed else self._since + found
