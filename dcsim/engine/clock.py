"""Simulated time. SimPy stands behind this file; the rest of dcsim asks the clock."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import simpy

Process = Generator[simpy.Event, Any, Any]


class Clock:
    """Simulated time [s] since the scenario's start, its events and its processes."""

    def __init__(self) -> None:
        self._environment = simpy.Environment()
        self._settling: dict[Callable[[], None], None] = {}
        self.events = 0

    @property
    def now(self) -> float:
        """Simulated time [s] since the start."""
        return self._environment.now

    def event(self) -> simpy.Event:
        """Return an event that someone will trigger by ``succeed(value)``."""
        return self._environment.event()

    def timeout(self, delay_s: float) -> simpy.Timeout:
        """Return an event that triggers after ``delay_s`` [s]."""
        return self._environment.timeout(delay_s)

    def until(self, time_s: float) -> simpy.Timeout:
        """Return an event that triggers at ``time_s`` [s], at once if that is past."""
        return self._environment.timeout(max(0.0, time_s - self.now))

    def process(self, generator: Process) -> simpy.Process:
        """Start a process."""
        return self._environment.process(generator)

    def all_of(self, events: list[simpy.Event]) -> simpy.Event:
        """Return an event that triggers when all of ``events`` have."""
        return self._environment.all_of(events)

    def any_of(self, events: list[simpy.Event]) -> simpy.Event:
        """Return an event that triggers when one of ``events`` has."""
        return self._environment.any_of(events)

    def call_at(self, time_s: float, action: Callable[[], None]) -> Alarm:
        """Run ``action`` at ``time_s`` [s] unless the returned alarm is cancelled first."""
        environment = self._environment
        return Alarm(environment.timeout(max(0.0, time_s - environment.now)), action)

    def settle(self, action: Callable[[], None]) -> None:
        """Run ``action`` once at this instant, after the events already due, however often it is asked for."""
        if action not in self._settling:
            self._settling[action] = None
            self.timeout(0.0).callbacks.append(lambda _: self._run_settled(action))

    @property
    def idle(self) -> bool:
        """Whether no event is due at this instant: what would settle may then be run at the end of a callback."""
        return self._environment.peek() > self.now

    def _run_settled(self, action: Callable[[], None]) -> None:
        del self._settling[action]
        action()

    def run(
        self,
        until: simpy.Event | float | None = None,
        tick: Callable[[], None] | None = None,
        halted: Callable[[], bool] = lambda: False,
    ) -> None:
        """Process events until ``until`` (an event, a time [s], or no event left) or until ``halted()`` between events.

        ``tick`` is called every 256 events.
        """
        end = self._environment.event() if until is None else until
        stop = self.until(end) if isinstance(end, (int, float)) else end
        step, peek, never = self._environment.step, self._environment.peek, float("inf")
        while stop.callbacks is not None and peek() != never and not halted():  # none are left once they were called
            step()
            self.events += 1
            if tick is not None and not self.events & 0xFF:
                tick()


class Alarm:
    """A call that is due at some time and can be cancelled."""

    __slots__ = ("_action",)

    def __init__(self, timeout: simpy.Timeout, action: Callable[[], None]) -> None:
        self._action: Callable[[], None] | None = action
        timeout.callbacks.append(self._ring)

    def cancel(self) -> None:
        """Forget the call."""
        self._action = None

    def _ring(self, _: simpy.Event) -> None:
        if self._action is not None:
            self._action()
