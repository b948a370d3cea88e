"""Who runs next: a first-in-first-out queue of gangs over whole servers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import simpy

from dcsim.cluster.placement import Choice
from dcsim.engine import Clock


@dataclass(order=True)
class _Waiting:
    arrival: tuple[float, int]
    pool: frozenset[int] = field(compare=False)
    count: int = field(compare=False)
    granted: simpy.Event = field(compare=False)


class Scheduler:
    """Gives whole servers to jobs, all of a job's at once, strictly in the order of arrival.

    The head of the queue blocks those behind it. A job that lost a server keeps its place by its first arrival.
    """

    def __init__(self, clock: Clock, racks: Sequence[int], choose: Choice) -> None:
        self._clock, self._racks, self._choose = clock, racks, choose
        self._free = set(range(len(racks)))
        self._down: set[int] = set()
        self._queue: list[_Waiting] = []

    def request(self, arrival: tuple[float, int], pool: frozenset[int], count: int) -> simpy.Event:
        """Return an event whose value is the list of ``count`` servers of ``pool`` that the job was given.

        ``arrival`` is when the job arrived [s] and, for those that arrived together, its number in the scenario.
        """
        granted = self._clock.event()
        self._queue.append(_Waiting(arrival, pool, count, granted))
        self._queue.sort()
        self._clock.settle(self._serve)
        return granted

    def release(self, servers: Sequence[int]) -> None:
        """Take servers back; those that are down stay out until repaired."""
        self._free.update(set(servers) - self._down)
        self._clock.settle(self._serve)

    def fail(self, server: int) -> None:
        """Take a server out of service."""
        self._down.add(server)
        self._free.discard(server)

    def repair(self, server: int) -> None:
        """Put a repaired server back into service."""
        self._down.discard(server)
        self.release([server])

    def _serve(self) -> None:
        while self._queue:
            head = self._queue[0]
            free = sorted(self._free & head.pool)
            if len(free) < head.count:
                return
            chosen = self._choose(free, self._racks, head.count)
            self._free.difference_update(chosen)
            self._queue.pop(0).granted.succeed(chosen)
