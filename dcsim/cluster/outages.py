"""Cables and switches that fail, slow down or flap as the scenario says, and jobs that give up waiting for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from dcsim.cluster.hall import Hall
from dcsim.cluster.job import TrainingJob
from dcsim.engine import Process
from dcsim.network.tree import Indices
from dcsim.scenario.faults import NetworkFault


class OutageRow(NamedTuple):
    """A row of the table of outages: what was down or slower, and whose transfers stood still, from when to when."""

    target: str
    kind: str
    state: str
    start_s: float
    end_s: float
    detail: str


class Outages:
    """Takes links down and brings them back; a job whose transfer stands still too long is killed."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._ended: list[OutageRow] = []
        self._present: dict[int, tuple[NetworkFault, float]] = {}
        hall.fabric.give_up(self._give_up)

    def scripted(self, number: int, fault: NetworkFault) -> Process:
        """Let a fault happen; ``number`` tells it from others of the same link."""
        clock, fabric = self._hall.clock, self._hall.fabric
        links = fabric.cable(fault.target) if fault.kind == "link" else fabric.of_switch(fault.target)
        what = f"{fault.kind} down" if fault.degrade is None else f"{fault.kind} slower by {fault.degrade:.0%}"
        cause = number, fault
        yield clock.until(fault.at)
        if fault.flap is not None and fault.repair is not None:
            self._note("fault", fault.target, f"{what}, {fault.flap.down:g} s at a time")
            while clock.now < fault.at + fault.repair:
                self._impair(*cause, links)
                yield clock.until(min(clock.now + fault.flap.down, fault.at + fault.repair))
                self._restore(number)
                yield clock.until(min(clock.now + fault.flap.up, fault.at + fault.repair))
        else:
            self._note("fault", fault.target, what)
            self._impair(*cause, links)
            if fault.repair is None:
                return
            yield clock.until(fault.at + fault.repair)
            self._restore(number)
        self._note("repair", fault.target, "back in service")

    def rows(self) -> Iterator[OutageRow]:
        """Yield what was down, slower or stood still, by when it began; what still is, until now."""
        now, fabric = self._hall.clock.now, self._hall.fabric
        present = [_row(fault, since_s, now) for fault, since_s in self._present.values() if now > since_s]
        stood = [
            OutageRow(owner, "job", "stalled", start_s, end_s, f"at {link}")
            for owner, link, start_s, end_s in fabric.stalls
        ]
        yield from sorted([*self._ended, *present, *stood], key=lambda row: (row.start_s, row.target))

    def _impair(self, number: int, fault: NetworkFault, links: Indices) -> None:
        self._present[number] = fault, self._hall.clock.now
        self._hall.fabric.outage.impair(f"fault {number}", links, 0.0 if fault.degrade is None else 1.0 - fault.degrade)

    def _restore(self, number: int) -> None:
        fault, since_s = self._present.pop(number)
        if self._hall.clock.now > since_s:
            self._ended.append(_row(fault, since_s, self._hall.clock.now))
        self._hall.fabric.outage.restore(f"fault {number}")

    def _give_up(self, owner: str, link: str) -> None:
        for job in set(self._hall.occupants.values()):
            if isinstance(job, TrainingJob) and job.name == owner:
                job.kill(f"no path past the dead link {link} before its transfers timed out")

    def _note(self, kind: str, target: str, detail: str) -> None:
        self._hall.records.events.append(self._hall.clock.now, kind, target, detail)


def _row(fault: NetworkFault, start_s: float, end_s: float) -> OutageRow:
    state, detail = ("down", "") if fault.degrade is None else ("slower", f"{fault.degrade:.0%} of its rate lost")
    return OutageRow(fault.target, fault.kind, state, start_s, end_s, detail)
