"""The life of a training job: queue, launch, load, run, save, fail, start again."""

from __future__ import annotations

from typing import Any, Protocol

import simpy

from dcsim.cluster.account import CHECKPOINT, LAUNCH, LOAD, PARTS, QUEUED, Account
from dcsim.cluster.allocation import Allocation, allocate
from dcsim.cluster.hall import Hall
from dcsim.cluster.stepping import Stepping
from dcsim.engine import Process
from dcsim.estimate.job_plan import JobPlan
from dcsim.estimate.step import Floats
from dcsim.estimate.step_plan import StepEnergy
from dcsim.parallel.choice import schedule_of
from dcsim.parallel.schedule import Schedule


class Learner(Protocol):
    """The real math of an executed job, as the job drives it."""

    @property
    def data_bytes(self) -> float:
        """Size of the data set [B]."""

    def step(self, schedule: Schedule) -> float:
        """Compute the next step on every rank, reduce by the schedule, update; return the mean loss."""

    def snapshot(self) -> Any:
        """Return all state that later steps depend on; it has ``size_bytes``."""

    def restore(self, snapshot: Any) -> None:
        """Continue from a snapshot."""

    def digest(self) -> str:
        """Return a digest of the weights."""

    def full_batch_difference(self) -> float:
        """Return the relative L2 difference of the last reduced gradient to that of the whole batch at once."""


class TrainingJob:
    """A job and what has become of it so far."""

    def __init__(self, plan: JobPlan, hall: Hall, number: int, learner: Learner | None) -> None:
        self.plan, self._hall, self._learner = plan, hall, learner
        self._arrival = (plan.parts.job.arrive, number)
        self.name = plan.parts.job.name
        self.account = Account(hall.clock)
        self.step = self.steps_run = self.attempt = 0
        self.energy_j = self.recovery_s = 0.0
        self.step_energy = StepEnergy()
        self.finished_s: float | None = None
        self.target_s: float | None = None
        self.target_j: float | None = None
        self.last_loss: float | None = None
        self._saved: tuple[int, Any] = (0, learner.snapshot() if learner else None)
        self._phase = ("queued", 0.0, "")
        self._energy_before_j = 0.0
        self._schedule = schedule_of(plan.parts.job.parallel, plan.accelerators_per_server) if learner else None
        self._allocation: Allocation | None = None
        self._failed_s: float | None = None
        self._stepping: Stepping | None = None
        self._process: simpy.Process | None = None

    def start(self) -> simpy.Process:
        """Start the job's life and return it as an event."""
        self._process = self._hall.clock.process(self._life())
        self._hall.cap.watch(lambda _: self._stepping.capped() if self._stepping else None)
        return self._process

    def fail(self, reason: str) -> None:
        """A server of the job has failed."""
        if self._process is not None:
            self._process.interrupt(reason)

    def close(self) -> None:
        """The run ends now, whatever the job is at: report what it has done so far."""
        if self.finished_s is not None or self._hall.clock.now < self.plan.parts.job.arrive:
            return
        if self._stepping is not None:
            self._stepping.report(self.step)
        kind, _, _ = self._phase
        if kind in PARTS:
            self.account.book(kind)
        self._span()

    @property
    def fraction(self) -> float:
        """Share of the job's steps that are done, those that went on since the last report not counted."""
        return self.step / self.plan.parts.job.steps

    @property
    def weights_digest(self) -> str | None:
        """Digest of an executed job's weights, None for a traced one."""
        return self._learner.digest() if self._learner else None

    @property
    def gradient_difference(self) -> float | None:
        """Relative L2 difference of the last simulated all-reduce to the full-batch gradient, None for a traced job."""
        return self._learner.full_batch_difference() if self._learner and self.steps_run else None

    def _life(self) -> Process:
        job = self.plan.parts.job
        yield self._hall.clock.until(job.arrive)
        self.account.begin()
        while self.step < job.steps:
            allocation = yield from self._queue()
            stepping = self._enter(allocation)
            try:
                yield from self._attempt_steps(allocation, stepping)
            except simpy.Interrupt as failure:
                self._failed(str(failure.cause), stepping)
            self._leave(allocation)
        self.account.save()
        self.finished_s = self._hall.clock.now
        self._note("finish", f"{job.steps} steps")

    def _queue(self) -> Process:
        """Wait until all servers are there at once."""
        self._begin("queued")
        while True:
            servers: list[int] = yield self._hall.scheduler.request(
                self._arrival, self.plan.pool, self.plan.servers_needed
            )
            if not self._hall.down.intersection(servers):
                break
            self._hall.scheduler.release(servers)  # one failed at the very instant of the grant
        self._end(QUEUED)
        return allocate(self.plan, servers, self._hall.fabric, self._hall.store)

    def _enter(self, allocation: Allocation) -> Stepping:
        self.attempt += 1
        self._allocation = allocation
        self._energy_before_j = self.energy_j - self._drawn_j(allocation)
        self._hall.occupants.update(dict.fromkeys(allocation.servers, self))
        self._hall.fleet.set_state(allocation.servers, "waiting")
        self._stepping = Stepping(self.plan, self._hall, allocation, self.attempt, self._stepped)
        return self._stepping

    def _leave(self, allocation: Allocation) -> None:
        self.energy_j = self.energy_now_j
        self._allocation = self._stepping = None
        if self._hall.store is not None:
            self._hall.store.demand(self.name, 0.0, 0.0)
        for server in allocation.servers:
            del self._hall.occupants[server]
        standing = [server for server in allocation.servers if server not in self._hall.down]
        self._hall.fleet.set_state(standing, "idle")
        self._hall.scheduler.release(allocation.servers)

    def _attempt_steps(self, allocation: Allocation, stepping: Stepping) -> Process:
        """Launch, load, and run to the end, saving on the way."""
        job = self.plan.parts.job
        self._begin("launch")
        yield self._hall.clock.timeout(job.launch)
        self._end(LAUNCH)
        yield from self._load(allocation)
        if self._failed_s is not None:
            self.recovery_s += self._hall.clock.now - self._failed_s
            self._failed_s = None
        every = job.checkpoint.steps if job.checkpoint else job.steps
        while self.step < job.steps:
            self._begin("run", f"from step {self.step}")
            yield from stepping.advance(self.step, min(job.steps, (self.step // every + 1) * every), self.account)
            self._span()
            if job.checkpoint:
                yield from self._save(allocation)

    def _load(self, allocation: Allocation) -> Process:
        """Read the last checkpoint, an executed job's data set, and the samples of the first step."""
        self.step, snapshot = self._saved
        self._begin("load", f"step {self.step}")
        size = self._state_bytes(snapshot) if self.step else 0.0
        if self._learner is not None:
            self._learner.restore(snapshot)
            size += self._learner.data_bytes
        yield from self._read(allocation, size * len(allocation.servers))
        yield from self._read(allocation, self.plan.read_bytes_per_step)
        self._end(LOAD)

    def _read(self, allocation: Allocation, size_bytes: float) -> Process:
        if allocation.read is not None and self._hall.store is not None and size_bytes:
            self._hall.store.demand(self.name, allocation.read.path.rate_bytes_per_s, 0.0)
            yield self._hall.fabric.transfer(allocation.read.path.route, size_bytes, allocation.owner)
            self._hall.store.demand(self.name, 0.0, 0.0)
            self._hall.store.has_read(allocation.read, size_bytes)

    def _save(self, allocation: Allocation) -> Process:
        """Write weights, optimizer and the rest of the state to storage, every server an equal part; the job waits."""
        self._begin("checkpoint", f"step {self.step}")
        self._hall.fleet.set_state(allocation.servers, "waiting")
        snapshot = self._learner.snapshot() if self._learner else None
        if self._hall.store is not None:
            name, size = f"{self.name}/checkpoint", self._state_bytes(snapshot)
            access = self._hall.store.writing(name, allocation.servers, size)
            self._hall.store.demand(self.name, 0.0, access.path.rate_bytes_per_s)
            yield self._hall.fabric.transfer(access.path.route, size, allocation.owner)
            self._hall.store.demand(self.name, 0.0, 0.0)
            self._hall.store.has_written(access, name, size)
        self._saved = (self.step, snapshot)
        self._end(CHECKPOINT)
        self.account.save()
        self._note("checkpoint", f"step {self.step}")

    def _failed(self, reason: str, stepping: Stepping) -> None:
        """Undo what was not saved."""
        stepping.stop(self.step)
        kind, _, _ = self._phase
        if kind in (LAUNCH, LOAD):
            self._end(kind)
        else:
            self._span()
        lost = self.account.lose()
        if self._failed_s is None:
            self._failed_s = self._hall.clock.now
        self._note("restart", f"{reason}: step {self.step} falls back to {self._saved[0]}, {lost:.3g} s of work lost")
        self.step = self._saved[0]

    def _stepped(self, first: int, ends_s: Floats, energy: StepEnergy) -> None:
        """Steps have ended: count them, and learn if the job really computes."""
        count = len(ends_s)
        self.step_energy = self.step_energy.plus(energy, count * self.plan.program.ranks)
        self.step = first + count
        self.steps_run += count
        if self._hall.store is not None and self._allocation is not None and self._allocation.read is not None:
            self._hall.store.has_read(self._allocation.read, count * self.plan.read_bytes_per_step)
        if self._learner is None or self._schedule is None or self._stepping is None:
            return
        watts = self._stepping.power_w
        for number, end_s in enumerate(ends_s.tolist(), first + 1):
            energy_j = self.energy_now_j - watts * (self._hall.clock.now - end_s)
            self._learned(number, end_s, energy_j, self._learner.step(self._schedule))

    def _learned(self, number: int, end_s: float, energy_j: float, loss: float) -> None:
        target = self.plan.parts.job.execute.target if self.plan.parts.job.execute else None
        if target is not None and self.target_s is None and loss <= target.loss:
            self.target_s, self.target_j = end_s, energy_j
        self.last_loss = loss
        self._hall.records.learning.append(self.name, self.attempt, number, end_s, energy_j, loss)

    def _state_bytes(self, snapshot: Any) -> float:
        return self.plan.checkpoint_bytes if snapshot is None else float(snapshot.size_bytes)

    def _drawn_j(self, allocation: Allocation) -> float:
        return float(self._hall.fleet.power.integrals[list(allocation.servers)].sum())

    @property
    def energy_now_j(self) -> float:
        """Energy that the job's servers have drawn for it until now [J]."""
        return self.energy_j if self._allocation is None else self._energy_before_j + self._drawn_j(self._allocation)

    def _begin(self, kind: str, detail: str = "") -> None:
        self._phase = (kind, self._hall.clock.now, detail)

    def _end(self, part: str) -> None:
        self.account.book(part)
        self._span()

    def _span(self) -> None:
        kind, start_s, detail = self._phase
        if self._hall.clock.now > start_s:
            self._hall.records.spans.append(self.name, self.attempt, kind, start_s, self._hall.clock.now, detail)

    def _note(self, kind: str, detail: str) -> None:
        self._hall.records.events.append(self._hall.clock.now, kind, self.name, detail)
