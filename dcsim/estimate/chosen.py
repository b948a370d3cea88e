"""The plan that was taken for a job, and why: plans of a search in few words, and the times of those played."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dcsim import units
from dcsim.estimate.auto_plan import Searched, keys

_LETTERS = {"tensor": "t", "pipeline": "p", "virtual": "v", "context": "c", "expert": "e", "data": "d"}


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a search found, and the times of a step of its fastest plans as they were played by events [s], in order."""

    searched: Searched
    times: tuple[float, ...]

    @property
    def place(self) -> int:
        """The place of the plan that is taken: the fastest of those played."""
        return self.times.index(min(self.times))

    @property
    def changes(self) -> dict[str, Any]:
        """What writes the plan into the scenario: values by dotted path."""
        return self.searched.changes(self.place)

    def told(self) -> Mapping[str, str]:
        """Return the job, its plan and why it was taken, in words."""
        found, job = self.searched.found, self.searched.job.name
        taken = f"fastest of {len(self.times)} played by events" if len(self.times) > 1 else "fastest of all"
        fit = f"{found.fitting:,} of {found.looked_at:,} fit"
        return {"job": job, "plan": words(self.searched, self.place), "why": f"{taken}; {fit}; {self._time()}"}

    def _time(self) -> str:
        played, alone = min(self.times), float(self.searched.found.seconds[self.place])
        seconds, ideal = units.show(played, "s"), units.show(alone, "s")
        return f"{seconds} a step" + (f", {ideal} if no flows met" if ideal != seconds else "")


def words(found: Searched, place: int) -> str:
    """Return a plan in a few words: sizes of its groups, micro batch, and what it does to save memory."""
    return ", ".join(filter(None, (sizes(found, place), savings(found, place))))


def sizes(found: Searched, place: int) -> str:
    """Return the sizes of the groups of a plan, a letter each, and its micro batch."""
    plan = keys(found.found.plans, place, found.job.parallel)
    parts = [f"{letter}{plan[name]}" for name, letter in _LETTERS.items() if plan.get(name, 1) > 1]
    return " ".join([*parts, f"micro {found.found.plans.micro[place]:.0f}"])


def savings(found: Searched, place: int) -> str:
    """Return what a plan does to save memory, "" where it does nothing."""
    plan = keys(found.found.plans, place, found.job.parallel)
    parts = ["sequence"] if plan.get("sequence") else []
    parts += [f"{key} {plan[key]}" for key in ("sharding", "recompute") if key in plan]
    return ", ".join(parts)
