"""A search as a workload: its trials are jobs that queue, run, fail and are pruned like any other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import simpy

from dcsim.cluster.hall import Hall
from dcsim.cluster.job import TrainingJob
from dcsim.cluster.learning import Learner
from dcsim.engine import Process
from dcsim.errors import InputError
from dcsim.estimate.job_plan import JobPlan
from dcsim.scenario.search import Search
from dcsim.workload.stopping import Evaluation

Settings = Mapping[str, Any]
MakeTrial = Callable[[str, float, Settings], tuple[JobPlan, Learner]]
"""From a trial's name, when it is submitted [s], and its settings to its plan and its math, or an InputError."""


class Proposer(Protocol):
    """Who says what to try next."""

    def ask(self) -> dict[str, Any] | None:
        """Return the settings of the next trial, None when there are no more."""

    def report(self, number: int, look: int, score: float) -> bool:
        """Tell the score of a trial at a look; return whether it is to end."""

    def tell(self, number: int, state: str, score: float | None) -> None:
        """Tell how a trial ended."""


@dataclass
class Trial:
    """A trial and what has become of it; ``job`` is None where its settings cannot be a job, for ``reason``."""

    number: int
    settings: Settings
    asked_s: float
    job: TrainingJob | None = None
    state: str = "running"
    score: float | None = None
    reason: str = ""


class SearchJob:
    """The search of a job's settings; ``plan`` is that of the job as it is written, which no trial need equal."""

    def __init__(self, plan: JobPlan, hall: Hall, search: Search, tools: tuple[Proposer, MakeTrial]) -> None:
        self.plan, self._hall, self._search = plan, hall, search
        self._proposer, self._make = tools
        self.name = plan.parts.job.name
        self.trials: list[Trial] = []
        self.finished_s: float | None = None

    @property
    def jobs(self) -> list[TrainingJob]:
        """The jobs of all trials so far."""
        return [trial.job for trial in self.trials if trial.job is not None]

    @property
    def best(self) -> Trial | None:
        """The trial of the best score, the first of equal ones; None before any is complete."""
        scored = [trial for trial in self.trials if trial.state == "complete" and trial.score is not None]
        sign = -1.0 if self._search.maximize else 1.0
        return min(scored, key=lambda trial: sign * (trial.score or 0.0), default=None)

    @property
    def fraction(self) -> float:
        """Share of the trials that are over."""
        return sum(trial.state != "running" for trial in self.trials) / self._search.count

    def start(self) -> simpy.Process:
        """Start the search and return its end as an event."""
        return self._hall.clock.process(self._life())

    def close(self) -> None:
        """The run ends now: trials report what they have done so far."""
        for job in self.jobs:
            job.close()

    def _life(self) -> Process:
        yield self._hall.clock.until(self.plan.parts.job.arrive)
        running: dict[int, tuple[Trial, simpy.Process]] = {}
        more = True
        while more or running:
            while more and len(running) < self._search.at_once:
                trial = self._next()
                more = trial is not None
                if trial is not None and trial.job is not None:
                    running[trial.number] = (trial, trial.job.start())
            if running:
                yield self._hall.clock.any_of([process for _, process in running.values()])
            for number, (trial, process) in list(running.items()):
                if not process.is_alive:
                    del running[number]
                    self._over(trial)
        self.finished_s = self._hall.clock.now
        self._hall.records.events.append(self.finished_s, "finish", self.name, f"{len(self.trials)} trials")

    def _next(self) -> Trial | None:
        """Ask for settings and make them a job; settings that cannot be one are told as failed."""
        number, now_s = len(self.trials), self._hall.clock.now
        settings = self._proposer.ask()
        if settings is None:
            return None
        trial = Trial(number, settings, now_s)
        self.trials.append(trial)
        try:
            plan, learner = self._make(f"{self.name}/{number}", now_s, settings)
        except InputError as error:
            trial.state, trial.reason = "refused", str(error)
            self._proposer.tell(number, "failed", None)
            return trial
        trial.job = TrainingJob(plan, self._hall, number, learner)
        if trial.job.learning is not None:
            trial.job.learning.watch(lambda step, found: self._looked(trial, step, found))
        return trial

    def _looked(self, trial: Trial, step: int, found: Evaluation) -> bool:
        """A trial has looked at held-out samples: return whether it is to be pruned."""
        job = self.plan.parts.job
        every = job.execute.validate_.steps if job.execute and job.execute.validate_ else 1
        trial.score = found.accuracy if self._search.maximize else found.loss
        if trial.score is None or (trial.job is not None and step >= trial.job.plan.parts.job.steps):
            return False
        if self._proposer.report(trial.number, -(-step // every), trial.score):
            trial.state = "pruned"
        return trial.state == "pruned"

    def _over(self, trial: Trial) -> None:
        learning = trial.job.learning if trial.job is not None else None
        if learning is not None and learning.diverged:
            trial.state, trial.score, trial.reason = "diverged", None, learning.diverged
        elif trial.state == "running":
            trial.state = "complete" if trial.score is not None else "failed"
        self._proposer.tell(trial.number, "failed" if trial.state == "diverged" else trial.state, trial.score)
