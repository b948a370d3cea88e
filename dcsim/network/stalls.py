"""Flows that stand still because a link of theirs is dead, and who is told when that lasts too long."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dcsim.engine import Alarm, Clock
from dcsim.network import refill
from dcsim.network.table import Table

_ROUNDING = 1.0 - 1e-9


class Stalls:
    """Watches flows without a rate; ``told(owner, link)`` is called when one has had none for ``limit_s`` [s].

    ``link`` is a dead link of the flow. It is the transport under the collective library that gives up: InfiniBand
    retries a packet a few times, each after a time-out.
    """

    def __init__(self, clock: Clock, table: Table, owner: Callable[[int], str]) -> None:
        self._clock, self._table, self._owner = clock, table, owner
        self.limit_s = float("inf")
        self.told: Callable[[str, int], None] | None = None
        self.possible = False  # whether some link may be dead; nothing else stops a flow
        self._alarm: Alarm | None = None
        self._over: set[int] = set()  # transfers whose owners have been told

    def watch(self) -> None:
        """Set the alarm for the flow that has stood still the longest."""
        if not self.possible or self._alarm is not None:
            return
        slots = self._still()
        if len(slots):
            since_s = float(self._table.slots[refill.SINCE, slots].min())
            if since_s + self.limit_s < float("inf"):
                self._alarm = self._clock.call_at(since_s + self.limit_s, self._ring)

    def _still(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        still = np.flatnonzero(self._table.present & (self._table.slots[refill.RATE] <= 0.0))
        numbers = self._table.ints[1][refill.OWNER, still]
        return still[~np.isin(numbers, [refill.NONE, *self._over])]

    def _ring(self) -> None:
        self._alarm = None
        slots, rows, now_s = self._still(), self._table.slots, self._clock.now
        late_s = self.limit_s * _ROUNDING - refill.CLOCK_ROUNDING * now_s
        for slot in slots[now_s - rows[refill.SINCE, slots] >= late_s].tolist():
            number = int(self._table.ints[1][refill.OWNER, slot])
            links = self._table.links_of(np.array([slot]))
            dead = links[self._table.floats[0][refill.CAPACITY, links] <= 0.0]
            if number not in self._over and self.told is not None and len(dead):
                self.told(self._owner(number), int(dead[0]))
            self._over.add(number)
        self.watch()
