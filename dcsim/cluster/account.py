"""Where a job's time goes: exclusive parts that sum to the time since it arrived."""

from __future__ import annotations

from dcsim.engine import Clock

COMPUTE, EXPOSED, STALL = "compute", "exposed communication", "data stall"
CHECKPOINT, LOST, LAUNCH, LOAD, QUEUED = "checkpoint", "lost work", "launch", "load", "queued"
_ROUNDING = 1e-12  # relative
VALIDATION = "validation"
PARTS = (COMPUTE, EXPOSED, STALL, VALIDATION, CHECKPOINT, LOST, LAUNCH, LOAD, QUEUED)


class Account:
    """Books every second of a job to one part; work counts as done once it is saved, and as lost when a failure
    undoes it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock, self._booked_until = clock, clock.now
        self._settled = dict.fromkeys(PARTS, 0.0)
        self._unsaved = dict.fromkeys(PARTS, 0.0)

    @property
    def parts(self) -> dict[str, float]:
        """Seconds of every part until the last booking [s]."""
        return {part: self._settled[part] + self._unsaved[part] for part in PARTS}

    def begin(self) -> None:
        """Start the account now: the job arrives."""
        self._booked_until = self._clock.now

    def book(self, part: str) -> float:
        """Book the time since the last booking to ``part`` and return it [s]."""
        spent = self._take()
        self._settled[part] += spent
        return spent

    def work(self, ended_s: float, compute_s: float, stall_s: float) -> None:
        """Book the time from the last booking to ``ended_s`` [s, simulated] as steps.

        They took ``compute_s`` [s] of kernels, ``stall_s`` [s] of waiting for samples, and the rest of communication.
        """
        spent, self._booked_until = ended_s - self._booked_until, ended_s
        self._unsaved[COMPUTE] += compute_s
        self._unsaved[STALL] += stall_s
        exposed_s = spent - compute_s - stall_s
        # What is left of seconds of kernels by rounding is no communication.
        self._unsaved[EXPOSED] += exposed_s if abs(exposed_s) > _ROUNDING * spent else 0.0

    def save(self) -> None:
        """Everything done so far can no longer be lost."""
        for part, seconds in self._unsaved.items():
            self._settled[part] += seconds
        self._unsaved = dict.fromkeys(PARTS, 0.0)

    def lose(self) -> float:
        """A failure undoes the work since the last save: book it, and the time since, as lost; return it [s]."""
        lost = sum(self._unsaved.values()) + self._take()
        self._unsaved = dict.fromkeys(PARTS, 0.0)
        self._settled[LOST] += lost
        return lost

    def _take(self) -> float:
        spent, self._booked_until = self._clock.now - self._booked_until, self._clock.now
        return spent
