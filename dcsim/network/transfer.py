"""A payload on its way over the network."""

from __future__ import annotations

import simpy

from dcsim.engine import Alarm
from dcsim.network.bundle import Bundle
from dcsim.network.route import Route, Routes
from dcsim.network.tree import Floats, Indices


class Transfer:
    """Payload on its way over one route or over many at once; ``event`` triggers when all of it is there.

    Flow i of it moves ``sizes_bytes[i]`` over route ``which[i]`` of ``bundle``. ``waiting`` counts those that have not
    ended, ``begun_bytes`` sums up those whose latency is over; ``alarms`` ring when that of some is.
    """

    __slots__ = (
        "alarms",
        "begun_bytes",
        "bundle",
        "event",
        "number",
        "owner",
        "route",
        "sizes_bytes",
        "waiting",
        "which",
    )

    def __init__(self, bundle: Bundle, which: Indices, sizes_bytes: Floats, owner: str) -> None:
        self.bundle, self.which, self.sizes_bytes, self.owner = bundle, which, sizes_bytes, owner
        self.event: simpy.Event
        self.route: Route | Routes
        self.number, self.begun_bytes = 0, 0.0
        self.alarms: list[Alarm] = []
        self.waiting = len(which)

    @property
    def links(self) -> Indices:
        """The links of its routes, one route after the other."""
        return self.bundle.links_of(self.which)
