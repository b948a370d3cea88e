"""Cables and switches that fail, slow down or flap as the scenario says, and jobs that give up waiting for them."""

from __future__ import annotations

from dcsim.cluster.hall import Hall
from dcsim.cluster.job import TrainingJob
from dcsim.engine import Process
from dcsim.scenario.faults import NetworkFault


class Outages:
    """Takes links down and brings them back; a job whose transfer stands still too long is killed."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        hall.fabric.give_up(self._give_up)

    def scripted(self, number: int, fault: NetworkFault) -> Process:
        """Let a fault happen; ``number`` tells it from others of the same link."""
        clock, fabric = self._hall.clock, self._hall.fabric
        links = fabric.cable(fault.target) if fault.kind == "link" else fabric.of_switch(fault.target)
        factor = 0.0 if fault.degrade is None else 1.0 - fault.degrade
        what = f"{fault.kind} down" if fault.degrade is None else f"{fault.kind} slower by {fault.degrade:.0%}"
        cause = f"fault {number}"
        yield clock.until(fault.at)
        if fault.flap is not None and fault.repair is not None:
            self._note("fault", fault.target, f"{what}, {fault.flap.down:g} s at a time")
            while clock.now < fault.at + fault.repair:
                fabric.outage.impair(cause, links, factor)
                yield clock.until(min(clock.now + fault.flap.down, fault.at + fault.repair))
                fabric.outage.restore(cause)
                yield clock.until(min(clock.now + fault.flap.up, fault.at + fault.repair))
        else:
            self._note("fault", fault.target, what)
            fabric.outage.impair(cause, links, factor)
            if fault.repair is None:
                return
            yield clock.until(fault.at + fault.repair)
            fabric.outage.restore(cause)
        self._note("repair", fault.target, "back in service")

    def _give_up(self, owner: str, link: str) -> None:
        for job in set(self._hall.occupants.values()):
            if isinstance(job, TrainingJob) and job.name == owner:
                job.kill(f"a transfer stood still at the dead link {link}, with no other path, until it timed out")

    def _note(self, kind: str, target: str, detail: str) -> None:
        self._hall.records.events.append(self._hall.clock.now, kind, target, detail)
