"""The step of a job under a parallel plan, in closed form at any clock."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dcsim.estimate.planned import PlannedStep, planned_step
from dcsim.estimate.planned_program import PlannedProgram, planned_program
from dcsim.estimate.work import Work
from dcsim.scenario.parallel import Schedule


@dataclass(frozen=True, slots=True, eq=False)
class SplitPlan:
    """A parallel plan: its work at the nominal clock, the order of its micro batches, and what a rank reads [B]."""

    work: Work
    schedule: Schedule
    read_bytes: float
    step: PlannedStep
    fitted: bool = True
    """Whether training runs on accelerators of this generation were measured."""

    def at(self, clock: float) -> PlannedProgram:
        """Return the program at a clock factor: products and attention go with it, memory and host do not."""
        return planned_program(self.step if clock == 1.0 else self._slowed(clock), self.read_bytes)

    def _slowed(self, clock: float) -> PlannedStep:
        chip = replace(self.work.chip, rate=self.work.chip.rate * clock, rate16=self.work.chip.rate16 * clock)
        slowed = planned_step(replace(self.work, chip=chip), self.schedule)
        return replace(slowed, flop_rate=self.step.flop_rate)
