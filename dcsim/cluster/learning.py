"""The real math of a job beside its simulated time: what it learned by when, and when that is enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from dcsim.cluster.records import Records
from dcsim.parallel.schedule import Schedule
from dcsim.scenario.learning import Execute
from dcsim.workload.stopping import DivergedError, Evaluation

Watcher = Callable[[int, Evaluation], bool]
"""Told of every look at held-out samples after a step; returns whether the job is to end."""


class Learner(Protocol):
    """The real math of an executed job, as the job drives it."""

    @property
    def data_bytes(self) -> float:
        """Size of the data set [B]."""

    @property
    def held_out(self) -> int:
        """Samples that no one trains on."""

    def step(self, schedule: Schedule) -> float:
        """Compute the next step on every rank, reduce by the schedule, update; return the mean loss."""

    def evaluate(self) -> Evaluation:
        """Look how well the model does on the held-out samples."""

    def snapshot(self) -> Any:
        """Return all state that later steps depend on; it has ``size_bytes``."""

    def restore(self, snapshot: Any) -> None:
        """Continue from a snapshot."""

    def digest(self) -> str:
        """Return a digest of the weights."""

    def full_batch_difference(self) -> float:
        """Return the relative L2 difference of the last reduced gradient to that of the whole batch at once."""


class Learning:
    """What an executed job has learned so far.

    Attributes
    ----------
    target_s, target_j, target_step
        When its target was first reached [s, simulated], the job's energy by then [J], and the steps.
    last_loss, last_look
        The loss of the last step, and the last look at held-out samples.
    stopped
        Whether the job has learned enough and takes no further step.
    reduced
        Whether a gradient was reduced since the job began or was restored.
    diverged
        Why the job, a trial, is beyond learning; "" where it is not.
    given_up
        Whether the job, a trial, is ended because it does not promise much, or has diverged.
    """

    def __init__(self, name: str, execute: Execute, learner: Learner, schedule: Schedule, records: Records) -> None:
        self._name, self._execute, self.learner, self._schedule, self._records = (
            name,
            execute,
            learner,
            schedule,
            records,
        )
        self.target_s: float | None = None
        self.target_j: float | None = None
        self.target_step: int | None = None
        self.last_loss: float | None = None
        self.last_look: Evaluation | None = None
        self.stopped = self.reduced = False
        self.diverged = ""
        self.given_up = False
        self._watcher: Watcher | None = None

    def watch(self, watcher: Watcher) -> None:
        """The job is a trial: ``watcher`` is told how it does, and it may diverge without ending the run."""
        self._watcher = watcher

    @property
    def staleness(self) -> float | None:
        """Updates by others between the pull of a gradient's weights and its push, as the mean of all gradients; None
        where ranks wait for one another.
        """
        updates = getattr(self.learner, "updates", 0)
        return getattr(self.learner, "staleness", 0) / updates if updates else None

    @property
    def look_every(self) -> int | None:
        """Steps between two looks at held-out samples, None if there are none."""
        return self._execute.validate_.steps if self._execute.validate_ else None

    @property
    def looks_each_step(self) -> bool:
        """Whether every step may be the last."""
        return self._execute.looks_each_step

    def step(self, attempt: int, number: int, end_s: float, energy_j: float) -> None:
        """Take step ``number``, which ended at ``end_s`` [s] when the job had drawn ``energy_j`` [J]."""
        if self.diverged:
            return
        try:
            loss = self.learner.step(self._schedule)
        except DivergedError as error:
            if self._watcher is None:
                raise
            self.diverged, self.stopped, self.given_up = str(error), True, True
            return
        target = self._execute.target
        if target is not None and not target.held_out:
            self._reach(target.reached(loss, None), number, end_s, energy_j)
        self.last_loss, self.reduced = loss, True
        self._records.learning.append(self._name, attempt, number, end_s, energy_j, loss)

    def undo(self, loss: float | None) -> None:
        """Steps are lost: the last that counts had ``loss``; what ended the learning is found again."""
        self.last_loss, self.stopped, self.given_up, self.diverged = loss, False, False, ""

    def restore(self, snapshot: Any, loss: float | None) -> None:
        """Go on from a snapshot, whose last step had ``loss``."""
        self.learner.restore(snapshot)
        self.last_loss, self.reduced = loss, False

    def look(self, attempt: int, number: int, end_s: float, energy_j: float) -> None:
        """Look at the held-out samples after step ``number``."""
        if self.diverged:
            return
        found = self.learner.evaluate()
        target = self._execute.target
        if target is not None and target.held_out:
            self._reach(target.reached(found.loss, found.accuracy), number, end_s, energy_j)
        self.last_look, self.stopped = found, self.stopped or found.stop
        if self._watcher is not None and self._watcher(number, found):
            self.stopped = self.given_up = True
        accuracy = float("nan") if found.accuracy is None else found.accuracy
        self._records.validation.append(self._name, attempt, number, end_s, energy_j, found.loss, accuracy)

    def _reach(self, reached: bool, number: int, end_s: float, energy_j: float) -> None:
        if reached and self.target_s is None:
            self.target_s, self.target_j, self.target_step = end_s, energy_j, number
        self.stopped = self.stopped or (reached and self._execute.stop is not None and self._execute.stop.at_target)
