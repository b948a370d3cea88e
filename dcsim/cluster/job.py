"""The life of a training job: queue, launch, load, run, save, fail, start again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import simpy

from dcsim.cluster.account import CHECKPOINT, LAUNCH, LOAD, PARTS, QUEUED, VALIDATION, Account
from dcsim.cluster.allocation import Allocation, allocate
from dcsim.cluster.asynchronous import AsynchronousStepping, Worker
from dcsim.cluster.hall import Hall
from dcsim.cluster.learning import Learner, Learning
from dcsim.cluster.stepping import Stepping
from dcsim.engine import Process
from dcsim.errors import RunError
from dcsim.estimate.exposure import CollectiveRow, SpanRow, collective_rows, span_rows
from dcsim.estimate.job_plan import JobPlan
from dcsim.estimate.planned_program import placed_parts
from dcsim.estimate.step import Floats
from dcsim.estimate.step_plan import StepEnergy, latency_share, step_plan
from dcsim.estimate.validation import validation_seconds
from dcsim.parallel.choice import schedule_of


@dataclass(frozen=True, slots=True)
class Saved:
    """What a restart begins from: the steps done, the real state of an executed job, its loss then."""

    step: int
    snapshot: Any
    loss: float | None


class TrainingJob:
    """A job and what has become of it so far."""

    def __init__(self, plan: JobPlan, hall: Hall, number: int, learner: Learner | None) -> None:
        self.plan, self._hall = plan, hall
        self.learning = self._begin_learning(learner)
        self._arrival = (plan.parts.job.arrive, number)
        self.name = plan.parts.job.name
        self.account = Account(hall.clock)
        self.step = self.steps_run = self.attempt = 0
        self.energy_j = self.recovery_s = 0.0
        self.step_energy = StepEnergy()
        self.finished_s: float | None = None
        self.killed = ""  # why it was, "" if it was not
        self._saved = Saved(0, learner.snapshot() if learner else None, None)
        self.latency_share = 0.0
        self.collectives: tuple[CollectiveRow, ...] = ()
        self.step_spans: tuple[SpanRow, ...] = ()
        self.step_alone_s = 0.0
        self.step_parts: dict[str, float] = {}  # of a parallel plan, in its last attempt [s]
        self.step_hidden: dict[str, float] = {}  # messages beside computation, by part [s]
        self._phase = ("queued", 0.0, "")
        self._energy_before_j = 0.0
        self._allocation: Allocation | None = None
        self._failed_s: float | None = None
        self._stepping: Stepping | AsynchronousStepping | None = None
        self._process: simpy.Process | None = None

    def start(self) -> simpy.Process:
        """Start the job's life and return it as an event."""
        self._process = self._hall.clock.process(self._life())
        for level in (self._hall.cap, self._hall.fabric.outage.state):
            level.watch(lambda _: self._stepping.capped() if self._stepping else None)
        return self._process

    def fail(self, reason: str) -> None:
        """A server of the job has failed."""
        if self._process is not None:
            self._process.interrupt(reason)

    def kill(self, reason: str) -> None:
        """End the job for good, as it is: it does not start again."""
        if self._process is not None and self._allocation is not None and not self.killed:
            self.killed = reason
            self._process.interrupt(reason)

    def close(self) -> None:
        """The run ends now, whatever the job is at: report what it has done so far."""
        if self.finished_s is not None or self.killed or self._hall.clock.now < self.plan.parts.job.arrive:
            return
        if self._stepping is not None:
            self._stepping.report(self.step)
        if self._failed_s is not None:
            self.recovery_s += self._hall.clock.now - self._failed_s
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
        return self.learning.learner.digest() if self.learning else None

    @property
    def gradient_difference(self) -> float | None:
        """Relative L2 difference of the last simulated all-reduce to the full-batch gradient, None for a traced job."""
        return self.learning.learner.full_batch_difference() if self.learning and self.learning.reduced else None

    def _life(self) -> Process:
        job = self.plan.parts.job
        yield self._hall.clock.until(job.arrive)
        self.account.begin()
        while not self._done and not self.killed:
            allocation = yield from self._queue()
            stepping = self._enter(allocation)
            try:
                yield from self._attempt_steps(allocation, stepping)
            except simpy.Interrupt as failure:
                self._failed(str(failure.cause), stepping)
            self._leave(allocation)
        if not self.killed:
            self.account.save()
            self.finished_s = self._hall.clock.now
            self._note("finish", f"{self.step} steps")

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

    def _enter(self, allocation: Allocation) -> Stepping | AsynchronousStepping:
        self.attempt += 1
        self._allocation = allocation
        self._energy_before_j = self.energy_j - self._drawn_j(allocation)
        self._hall.occupants.update(dict.fromkeys(allocation.servers, self))
        self.latency_share = latency_share(self.plan.program, allocation.paths)
        alone = step_plan(self.plan.program, self.plan.device, allocation.paths, None)
        stages, self.step_alone_s = alone.stages, alone.duration_s
        split = self.plan.split
        self.step_parts = {} if split is None else placed_parts(split.at(1.0), stages)
        self.step_hidden = {} if split is None else split.step.hidden
        mixed = self.plan.program.mesh or split is not None
        named = "by kind" if mixed else self.plan.parts.job.reduction.kind
        self.collectives = tuple(collective_rows(stages, named))
        self.step_spans = tuple(span_rows(stages))
        self._stepping = self._steps_of(allocation)
        return self._stepping

    def _steps_of(self, allocation: Allocation) -> Stepping | AsynchronousStepping:
        """Return what takes the job through its steps: all ranks together, or each by itself."""
        together = Stepping(self.plan, self._hall, allocation, self.attempt, self._stepped)
        if not self.plan.parts.job.parallel.asynchronous or self.learning is None:
            return together
        if not isinstance(self.learning.learner, Worker):
            raise RunError(f"the math of {self.name} cannot be done by ranks that do not wait for one another")
        return AsynchronousStepping(together, self.plan, self._hall, allocation, self.learning.learner)

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

    def _attempt_steps(self, allocation: Allocation, stepping: Stepping | AsynchronousStepping) -> Process:
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
        while not self._done:
            self._begin("run", f"from step {self.step}")
            yield from stepping.advance(self.step, self._next_stop(every), self.account)
            self._span()
            yield from self._look()
            given_up = self.learning is not None and self.learning.given_up
            if job.checkpoint and not given_up and (self._done or self.step % every == 0):
                yield from self._save(allocation)

    @property
    def _done(self) -> bool:
        """Whether all steps are taken, or the job has learned enough."""
        return self.step >= self.plan.parts.job.steps or (self.learning is not None and self.learning.stopped)

    def _next_stop(self, every: int) -> int:
        """Return the step up to which nothing but steps is to do: a checkpoint ``every`` so many, a look, the end."""
        stops = [self.plan.parts.job.steps, (self.step // every + 1) * every]
        if self.learning is not None and self.learning.look_every:
            stops.append((self.step // self.learning.look_every + 1) * self.learning.look_every)
        if self.learning is not None and self.learning.looks_each_step:
            stops.append(self.step + 1)
        return min(stops)

    def _look(self) -> Process:
        """Look at the held-out samples if it is time: a forward pass over them, spread over the ranks."""
        learning = self.learning
        if learning is None or learning.look_every is None or (self.step % learning.look_every and not self._done):
            return
        self._begin(VALIDATION, f"step {self.step}")
        yield self._hall.clock.timeout(validation_seconds(self.plan, learning.learner.held_out, self._hall.cap.value))
        self._end(VALIDATION)
        learning.look(self.attempt, self.step, self._hall.clock.now, self.energy_now_j)

    def _load(self, allocation: Allocation) -> Process:
        """Read the last checkpoint, an executed job's data set, and the samples of the first step."""
        self.step, snapshot = self._saved.step, self._saved.snapshot
        self._hall.fleet.set_state(allocation.servers, "waiting")
        self._begin("load", f"step {self.step}")
        size = self._state_bytes(snapshot) if self.step else 0.0
        if self.learning is not None:
            self.learning.restore(snapshot, self._saved.loss)
            size += self.learning.learner.data_bytes
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
        snapshot = self.learning.learner.snapshot() if self.learning else None
        if self._hall.store is not None:
            name, size = f"{self.name}/checkpoint", self._state_bytes(snapshot)
            access = self._hall.store.writing(name, allocation.servers, size)
            self._hall.store.demand(self.name, 0.0, access.path.rate_bytes_per_s)
            yield self._hall.fabric.transfer(access.path.route, size, allocation.owner)
            self._hall.store.demand(self.name, 0.0, 0.0)
            self._hall.store.has_written(access, name, size)
        self._saved = Saved(self.step, snapshot, self.learning.last_loss if self.learning else None)
        self._end(CHECKPOINT)
        self.account.save()
        self._note("checkpoint", f"step {self.step}")

    def _failed(self, reason: str, stepping: Stepping | AsynchronousStepping) -> None:
        """Undo what was not saved."""
        stepping.stop(self.step)
        kind, _, _ = self._phase
        if kind in (LAUNCH, LOAD):
            self._end(kind)
        else:
            self._span()
        if self.killed:
            self._note("kill", f"{reason}: {self.step} steps done")
            return
        lost = self.account.lose()
        if self._failed_s is None:
            self._failed_s = self._hall.clock.now
        self._note("restart", f"{reason}: step {self.step} falls back to {self._saved.step}, {lost:.3g} s of work lost")
        self.step = self._saved.step
        if self.learning is not None:
            self.learning.undo(self._saved.loss)

    def _stepped(self, first: int, ends_s: Floats, energy: StepEnergy) -> None:
        """Steps have ended: count them, and learn if the job really computes."""
        count = len(ends_s)
        self.step_energy = self.step_energy.plus(energy, count * self.plan.program.ranks)
        self.step = first + count
        self.steps_run += count
        if self._hall.store is not None and self._allocation is not None and self._allocation.read is not None:
            self._hall.store.has_read(self._allocation.read, count * self.plan.read_bytes_per_step)
        if self.learning is None or self._stepping is None:
            return
        watts = self._stepping.power_w
        for number, end_s in enumerate(ends_s.tolist(), first + 1):
            self.learning.step(self.attempt, number, end_s, self.energy_now_j - watts * (self._hall.clock.now - end_s))

    def _begin_learning(self, learner: Learner | None) -> Learning | None:
        job = self.plan.parts.job
        if learner is None or job.execute is None:
            return None
        schedule = schedule_of(job.parallel, self.plan.accelerators_per_server)
        return Learning(job.name, job.execute, learner, schedule, self._hall.records)

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
        attempt = self.attempt + (kind == QUEUED)  # the one it waits for
        if self._hall.clock.now > start_s:
            self._hall.records.spans.append(self.name, attempt, kind, start_s, self._hall.clock.now, detail)

    def _note(self, kind: str, detail: str) -> None:
        self._hall.records.events.append(self._hall.clock.now, kind, self.name, detail)
