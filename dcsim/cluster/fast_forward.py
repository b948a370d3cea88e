"""Steps of a job repeated in closed form until something changes their conditions."""

from __future__ import annotations

from dataclasses import dataclass
from math import ulp

import numpy as np

from dcsim.cluster.playback import Playback
from dcsim.estimate.step import Floats, StepTimes, evaluate, remaining
from dcsim.estimate.step_plan import StepPlan
from dcsim.network.fabric import Fabric
from dcsim.network.hold import Hold

# Ends of steps are sums; an event at such a sum may fall short of it by rounding. Far below any step, far above
# rounding.
_ROUNDING = 1e-12
_CLOCK_ROUNDING = 4.0  # units in the last place of the clock, which grow with simulated time


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps that ended: when the first began, when each ended, shape (steps,), and their kernels and waiting
    together [s].
    """

    started_s: float
    ends_s: Floats
    compute_s: float
    stall_s: float


class FastForward:
    """Steps that run one after the other from now on while nobody else touches the job's links.

    The links carry their mean load meanwhile. When another owner's flow starts on one of them, the step under way is
    put on the fabric as it stands, becomes a ``playback``, and the steps after it are dropped. ``changed`` triggers
    then, and when the caller asks for an end by :meth:`curtail`. ``times`` are those of the steps, shape of ``scales``.
    """

    def __init__(self, fabric: Fabric, owner: str, plan: StepPlan, scales: Floats, times: StepTimes) -> None:
        self._clock, self._fabric, self._owner = fabric.clock, fabric, owner
        self.plan, self._scales, self.times = plan, scales, times
        self._ends = np.cumsum(times.duration_s)
        self._start = self._clock.now
        self._count = len(scales)
        self.playback: Playback | None = None
        self.waited_s = 0.0  # for samples, in the step under way before it became the playback
        self.changed = self._clock.event()
        loads = plan.link_bytes * (self._count / float(self._ends[-1]))
        self._hold: Hold | None = fabric.hold(owner, plan.links, (plan.links, loads), self._touched)

    @property
    def end_s(self) -> float:
        """When the last step ends [s, simulated]."""
        return self._start + float(self._ends[self._count - 1])

    @property
    def completed(self) -> int:
        """Steps that have ended in closed form until now."""
        now = self._clock.now
        elapsed = (now - self._start) * (1.0 + _ROUNDING) + _CLOCK_ROUNDING * ulp(now)
        return min(self._count, int(np.searchsorted(self._ends, elapsed, side="right")))

    @property
    def under_way(self) -> tuple[float, StepTimes]:
        """When the step that became the playback began [s, simulated], and its times alone, shape (1,)."""
        return self._step_start(self._count), evaluate(self.plan.stages, self._scales[self._count : self._count + 1])

    def steps(self, count: int) -> Steps:
        """Return the first ``count`` steps."""
        times = self.times
        compute_s, stall_s = float(times.compute_s[:count].sum()), float(times.stall_s[:count].sum())
        return Steps(self._start, self._start + self._ends[:count], compute_s, stall_s)

    def curtail(self) -> None:
        """Drop the steps that have not begun."""
        self._count = min(self._count, self.completed + 1)
        self._announce()

    def release(self) -> None:
        """Give the links back and book what the steps, finished or not, have moved over them and the peaks of it."""
        if self._hold is not None:
            self._hold.release((self.plan.links, self._moved()))
            self._hold = None
            self._fabric.loads.raise_peaks(self.plan.links, self._peaks())
            self._fabric.saturation.credit(self.plan.links, self._full_s())

    def _announce(self) -> None:
        announced, self.changed = self.changed, self._clock.event()
        announced.succeed()

    def _moved(self) -> Floats:
        done = self.completed
        moved = self.plan.link_bytes * done
        if done < self._count:
            into = self._clock.now - self._step_start(done)
            moved = moved + self.plan.moved_bytes(float(self._scales[done]), into)
        return moved

    def _peaks(self) -> Floats:
        """Return the highest loads there were: those of a whole step unless none has ended yet."""
        if self.completed:
            return self.plan.link_peaks
        return self.plan.peaks_until(float(self._scales[0]), self._clock.now - self._start)

    def _full_s(self) -> Floats:
        """Return how long the steps have filled each link [s], of the step under way its share."""
        done = self.completed
        if done < self._count:
            into = (self._clock.now - self._step_start(done)) / float(self.times.duration_s[done])
            return self.plan.link_full_s * (done + into)
        return self.plan.link_full_s * done

    def _step_start(self, done: int) -> float:
        """When the step after the first ``done`` began [s, simulated]."""
        return self._start + (float(self._ends[done - 1]) if done else 0.0)

    def _touched(self) -> None:
        done = self.completed
        unfinished = done < self._count
        self.release()
        if unfinished:
            into = self._clock.now - self._step_start(done)
            left = remaining(self.plan.stages, float(self._scales[done]), into)
            complete_s = float(self.times.duration_s[done] - self.times.stall_s[done])  # but for the next samples
            self.waited_s = max(0.0, into - complete_s)
            self._count = done
            self.playback = Playback(self._clock, self._fabric, self._owner, left)
            self._announce()
