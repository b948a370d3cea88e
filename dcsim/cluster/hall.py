"""The data hall: what every job finds when it starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from dcsim.cluster.records import Records
from dcsim.cluster.scheduler import Scheduler
from dcsim.cluster.store import Store
from dcsim.compute.fleet import Fleet
from dcsim.engine import Clock, Level, Streams
from dcsim.network.fabric import Fabric


class Occupant(Protocol):
    """Whoever holds a server and must know that it failed."""

    def fail(self, reason: str) -> None:
        """A server of the occupant has failed."""


@dataclass(frozen=True)
class Hall:
    """Servers, fabric, storage, scheduler and the clock cap; ``occupants`` maps a server to the job that holds it.

    ``every_step`` plays each step by events instead of repeating equal ones in closed form.
    """

    clock: Clock
    fabric: Fabric
    fleet: Fleet
    store: Store | None
    scheduler: Scheduler
    cap: Level
    streams: Streams
    records: Records
    every_step: bool
    occupants: dict[int, Occupant] = field(default_factory=dict)
    down: set[int] = field(default_factory=set)
