"""A named quantity that is constant between events."""

from __future__ import annotations

from collections.abc import Callable

from dcsim.engine.clock import Clock


class Level:
    """A quantity that is constant between changes, with its exact time integral, its peak, and those who watch it.

    The integral has the level's unit times seconds: a power Level [W] integrates to [J].
    """

    __slots__ = ("_clock", "_integral", "_peak", "_since", "_value", "_watchers", "name", "unit")

    def __init__(self, clock: Clock, name: str, unit: str, value: float = 0.0) -> None:
        self._clock, self.name, self.unit = clock, name, unit
        self._value, self._peak = value, float("-inf")
        self._integral, self._since = 0.0, clock.now
        self._watchers: list[Callable[[Level], None]] = []

    @property
    def value(self) -> float:
        """The value now."""
        return self._value

    @property
    def integral(self) -> float:
        """The integral from the level's creation until now [unit s]."""
        return self._integral + self._value * (self._clock.now - self._since)

    @property
    def peak(self) -> float:
        """The highest value that lasted, or the value now: one that was replaced within its instant never was."""
        return max(self._peak, self._value)

    def set(self, value: float) -> None:
        """Change the value from now on and tell the watchers; an equal value changes nothing."""
        if value == self._value:
            return
        now = self._clock.now
        if now > self._since:
            self._integral, self._peak, self._since = self.integral, self.peak, now
        self._value = value
        for watcher in self._watchers:
            watcher(self)

    def add(self, change: float) -> None:
        """Change the value by ``change``."""
        self.set(self._value + change)

    def watch(self, watcher: Callable[[Level], None]) -> None:
        """Call ``watcher(level)`` after every change."""
        self._watchers.append(watcher)
