"""Servers that fail, as the scenario says or at random, and come back repaired."""

from __future__ import annotations

from dcsim.cluster.hall import Hall
from dcsim.engine import Process


class Failures:
    """Takes servers down and puts them back; a job that holds a failing server is interrupted."""

    def __init__(self, hall: Hall, names: list[str]) -> None:
        self._hall, self._names = hall, names

    def scripted(self, server: int, at_s: float, repair_s: float) -> Process:
        """Fail ``server`` at ``at_s`` [s] for ``repair_s`` [s]."""
        yield self._hall.clock.until(at_s)
        yield from self._outage(server, repair_s, "scripted")

    def random(self, server: int, mtbf_s: float, repair_s: float) -> Process:
        """Fail ``server`` again and again, with exponential times of mean ``mtbf_s`` [s] between repair and failure."""
        draws = self._hall.streams.generator("failure", self._names[server])
        while True:
            yield self._hall.clock.timeout(float(draws.exponential(mtbf_s)))
            yield from self._outage(server, repair_s, "random")

    def _outage(self, server: int, repair_s: float, detail: str) -> Process:
        hall = self._hall
        if server in hall.down:
            self._note("fault", server, f"{detail} server failure of a server that is down already")
            return
        hall.down.add(server)
        hall.scheduler.fail(server)
        self._note("fault", server, f"{detail} server failure")
        occupant = hall.occupants.get(server)
        if occupant is not None:
            occupant.fail(f"{self._names[server]} failed")
        hall.fleet.set_state([server], "off")
        yield hall.clock.timeout(repair_s)
        hall.down.discard(server)
        hall.fleet.set_state([server], "idle")
        hall.scheduler.repair(server)
        self._note("repair", server, "back in service")

    def _note(self, kind: str, server: int, detail: str) -> None:
        self._hall.records.events.append(self._hall.clock.now, kind, self._names[server], detail)
