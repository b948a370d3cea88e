"""How a job gets through its steps: by events, or in closed form while nothing changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from dcsim.cluster.account import Account
from dcsim.cluster.allocation import Allocation
from dcsim.cluster.fast_forward import FastForward, Steps
from dcsim.cluster.hall import Hall
from dcsim.cluster.playback import Playback
from dcsim.compute.accelerator import power_limited_clock, step_power
from dcsim.engine import Process
from dcsim.estimate.job_plan import JobPlan
from dcsim.estimate.library import LibraryPath, Path
from dcsim.estimate.step import Floats, evaluate, remaining
from dcsim.estimate.step_plan import StepEnergy, StepPlan, step_plan

_LONGEST_SEGMENT = 100_000  # steps; bounds the arrays of a segment
_REMEMBERED = 32  # plans of steps under different conditions
_LATE = 1e-9  # relative; a step is late when it outlasts its time alone by more than rounding

OnSteps = Callable[[int, Floats, StepEnergy], None]


class Stepping:
    """The steps of one attempt; ``on_steps(first, ends_s, energy)`` is told of every step that ended, and what
    one rank spent on each.
    """

    def __init__(self, plan: JobPlan, hall: Hall, allocation: Allocation, attempt: int, on_steps: OnSteps) -> None:
        self._plan, self._hall, self._allocation, self.attempt = plan, hall, allocation, attempt
        self.on_steps = on_steps
        self._plans: dict[tuple[float, float], StepPlan] = {}
        self._forward: FastForward | None = None
        self._playback: Playback | None = None
        self._stride = _LONGEST_SEGMENT
        self.power_w = 0.0

    def advance(self, first: int, last: int, account: Account) -> Process:
        """Run the steps ``first`` to ``last - 1``."""
        self._account = account
        step = first
        while step < last:
            plan = self._conditions()
            by_events = self._hall.every_step or self._shared(plan) or self._blocked(plan)
            scales = self._scales(step, 1 if by_events else min(last - step, self._stride))
            times = evaluate(plan.stages, scales)
            if by_events or not times.separate:
                yield from self._play(plan, step, float(scales[0]))
                self._stride = 1
                step += 1
            else:
                forward = FastForward(self._hall.fabric, self._allocation.owner, plan, scales, times)
                step += yield from self._repeat(forward, step)

    def prepare(self) -> StepPlan:
        """Return the step under the conditions of now, and let the servers draw its mean power from now on."""
        plan = self._conditions()
        self._power(plan)
        return plan

    def stop(self, step: int) -> None:
        """Break off: the job died. Steps that ended since the last report, the first of them ``step``, are reported."""
        if self._playback is not None:
            self._playback.stop()
        if self._forward is not None and self._forward.playback is not None:
            self._forward.playback.stop()  # touched at this very instant
        self.report(step)
        self._hall.fabric.cancel(self._allocation.owner)

    def report(self, step: int) -> None:
        """Report the steps that ended since the last report, the first of them ``step``; none follow."""
        if self._forward is not None:
            forward, self._forward = self._forward, None
            forward.release()
            self._book(forward.plan, step, forward.steps(forward.completed))

    def capped(self) -> None:
        """The clock cap has changed: it takes effect with the next step."""
        if self._forward is not None:
            self._forward.curtail()

    def _conditions(self) -> StepPlan:
        """Return the step under the clock cap and the state of the network of now, at a clock at which its mean power
        stays within the accelerator's limit.
        """
        cap = self._hall.cap.value
        conditions = (cap, self._hall.fabric.outage.state.value)
        if conditions not in self._plans:
            if len(self._plans) >= _REMEMBERED:
                self._plans.clear()
            accelerator = self._plan.device.accelerator
            clock = power_limited_clock(lambda clock: self._watts(self._planned(clock)), accelerator.tdp, cap)
            self._plans[conditions] = self._planned(clock).on(self._hall.fabric.capacities)
        return self._plans[conditions]

    def _watts(self, plan: StepPlan) -> float:
        """Mean power of one accelerator over a step alone on its links [W].

        The times of parallel plans are fitted to boards at the clocks that their power limit leaves them, so that no
        further limit holds.
        """
        accelerator = self._plan.device.accelerator
        power_w = step_power(accelerator, plan.energy.total_j, plan.duration_s, plan.clock)
        return power_w if self._plan.split is None else min(power_w, accelerator.tdp)

    def _planned(self, clock: float) -> StepPlan:
        device = replace(self._plan.device, clock=clock)
        read = self._allocation.read
        paths = {group: self._present_all(ways) for group, ways in self._allocation.paths.items()}
        split = self._plan.split
        program = self._plan.program if split is None else split.at(clock).program
        return step_plan(program, device, paths, self._present(read.path) if read else None)

    def _present_all(self, ways: Sequence[Path] | LibraryPath) -> Sequence[Path] | LibraryPath:
        if not isinstance(ways, LibraryPath):
            return [self._present(path) for path in ways]
        tree, in_switch = (None if path is None else self._present(path) for path in (ways.tree, ways.in_switch))
        return replace(ways, ring=self._present(ways.ring), tree=tree, in_switch=in_switch)

    def _present(self, path: Path) -> Path:
        """Return the path as the network is now; one that is dead is planned as if it were not, and waited for."""
        fabric = self._hall.fabric
        route = fabric.current(path.route)
        return replace(path, route=route, rate_bytes_per_s=fabric.planned_rate(route))

    def _scales(self, first: int, count: int) -> Floats:
        """Return the compute-time factors of steps, of mean one, keyed by job, attempt and step, shape (count,)."""
        job = self._plan.parts.job
        if job.jitter == 0.0:
            return np.ones(count)
        deviation = np.sqrt(np.log1p(job.jitter**2))
        draws = self._hall.streams.normal(first, count, "jitter", job.name, self.attempt)
        return np.asarray(np.exp(deviation * draws - deviation**2 / 2.0))

    def _blocked(self, plan: StepPlan) -> bool:
        """Return whether the step crosses a dead link, so that it cannot be told when it ends."""
        return self._hall.fabric.dead(plan.links)

    def _shared(self, plan: StepPlan) -> bool:
        return self._hall.fabric.busy(plan.links, self._allocation.owner)

    def _play(self, plan: StepPlan, step: int, scale: float) -> Process:
        """Play one step by events."""
        hall, started = self._hall, self._hall.clock.now
        self._power(plan)
        self._playback = Playback(hall.clock, hall.fabric, self._allocation.owner, remaining(plan.stages, scale, 0.0))
        alone = evaluate(plan.stages, np.array([scale]))
        yield from self._until_played(self._playback, started + float(alone.duration_s[0]))
        self._book(
            plan, step, Steps(started, np.array([hall.clock.now]), float(alone.compute_s[0]), self._playback.stall_s)
        )
        self._playback = None

    def _repeat(self, forward: FastForward, step: int) -> Process:
        """Repeat steps in closed form until they are over or their conditions change; return how many ended."""
        hall, plan, self._forward = self._hall, forward.plan, forward
        self._power(plan)
        while forward.playback is None and hall.clock.now < forward.end_s:
            yield hall.clock.any_of([hall.clock.until(forward.end_s), forward.changed])
        done = forward.completed
        # Nothing may be left of the closed form once it is booked: a failure or the end of the run books what it finds.
        self._forward, self._playback = None, forward.playback
        forward.release()
        self._book(plan, step, forward.steps(done))
        # Where others come and go, few steps at a time are planned ahead, and more the longer it stays quiet.
        self._stride = min(2 * self._stride, _LONGEST_SEGMENT)
        if self._playback is not None:
            self._stride = 1
            started, alone = forward.under_way
            yield from self._until_played(self._playback, started + float(alone.duration_s[0]))
            stall_s = forward.waited_s + self._playback.stall_s
            self._book(
                plan, step + done, Steps(started, np.array([hall.clock.now]), float(alone.compute_s[0]), stall_s)
            )
            self._playback = None
            done += 1
        return done

    def _until_played(self, playback: Playback, alone_end_s: float) -> Process:
        """Wait for a step; when it outlasts its time alone, its accelerators only wait from then on."""
        hall = self._hall
        late_s = alone_end_s + (alone_end_s - hall.clock.now) * _LATE
        late = hall.clock.call_at(late_s, lambda: hall.fleet.set_state(self._allocation.servers, "waiting"))
        try:
            yield playback.done
        finally:
            late.cancel()  # after a failure, too: the servers are no longer the job's

    def _power(self, plan: StepPlan) -> None:
        """The job's servers draw the mean power of a step alone on its links."""
        held = np.array(self._allocation.ranks_per_server) / self._plan.accelerators_per_server
        mean = held * self._watts(plan) + (1.0 - held) * self._plan.device.accelerator.idle
        self._hall.fleet.set_state(self._allocation.servers, "running", mean)
        # Kept because steps are also booked after a failure, when the failed server is off already.
        self.power_w = float(self._hall.fleet.power.values[list(self._allocation.servers)].sum())
        if self._hall.store is not None:
            self._hall.store.demand(self._allocation.owner, self._plan.read_bytes_per_step / plan.duration_s, 0.0)

    def _book(self, plan: StepPlan, first: int, steps: Steps) -> None:
        """Record steps that ended, the first of them number ``first``."""
        count = len(steps.ends_s)
        if not count:
            return
        ended = float(steps.ends_s[-1])
        each = (ended - steps.started_s) / count
        exposed = each - (steps.compute_s + steps.stall_s) / count
        job = self._plan.parts.job.name
        self._hall.records.segments.append(
            job, self.attempt, first, count, steps.started_s, ended, each, exposed, steps.stall_s / count, self.power_w
        )
        self._account.work(ended, steps.compute_s, steps.stall_s)
        self.on_steps(first, steps.ends_s, plan.energy)
