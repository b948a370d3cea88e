"""Search for the best points of a study: Optuna chooses candidates batch by batch, executors simulate them.

Candidates depend on the seed and the batch size alone, not on the number of processes. A search that was interrupted
is begun again from its seed; the points it had finished are read instead of simulated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dcsim.errors import InputError
from dcsim.results.rows import Row
from dcsim.results.search import Candidate, Found
from dcsim.results.standing import pareto
from dcsim.scenario.study import Axis, Constraint, LoadedStudy, Search, quantity
from dcsim.studies.axes import Changes, factors, span, values
from dcsim.studies.evaluation import Evaluation, value, violation

if TYPE_CHECKING:
    from optuna import Study as Optuna
    from optuna import Trial


def optimize(loaded: LoadedStudy, evaluation: Evaluation) -> Found:
    """Look at the candidates of a study.

    Raises
    ------
    InputError
        If the study has no objective, prunes by several, a metric of it is not kept, or Optuna is not installed.
    """
    study, search = loaded.study, loaded.study.search
    objectives = tuple(study.objectives.items())
    if not objectives:
        raise InputError(f"{loaded.path}: found no objectives, expected such as objectives: {{site.cost: minimize}}")
    if search.prune is not None and len(objectives) > 1:
        raise InputError(f"{loaded.path}: search.prune: found several objectives, expected one where it prunes")
    hunt = _Hunt(loaded, evaluation)
    while hunt.asked < search.trials:
        hunt.batch(min(search.batch, search.trials - hunt.asked))
    kept = [candidate for candidate in hunt.candidates if candidate.feasible]
    best = _undominated(kept, [direction for _, direction in objectives])
    return Found(objectives, tuple(hunt.candidates), tuple(best), hunt.pruned, hunt.failed)


class _Hunt:
    """A search under way."""

    def __init__(self, loaded: LoadedStudy, evaluation: Evaluation) -> None:
        self._study, self._evaluation, self._factors = loaded.study, evaluation, factors(loaded)
        bounds = loaded.study.bounds
        self._on_axes = [bound for bound in bounds if bound.name in loaded.study.axes]
        self._on_metrics = [bound for bound in bounds if bound.name not in loaded.study.axes]
        self._optuna = _optuna(loaded.study.search, list(loaded.study.objectives.values()))
        self.candidates: list[Candidate] = []
        self.asked = self.pruned = self.failed = 0

    def batch(self, size: int) -> None:
        """Ask for candidates, simulate them, and tell what they are worth."""
        trials = [self._optuna.ask() for _ in range(size)]
        self.asked += size
        asked = {trial.number: self._candidate(trial) for trial in trials}
        live = [trial for trial in trials if self._allowed(trial, asked[trial.number])]
        for horizon in self._study.search.prune.values if self._study.search.prune else ():
            live = self._shortened(live, asked, horizon)
        for trial, row in zip(live, self._evaluation.rows([asked[trial.number] for trial in live]), strict=True):
            self._tell(trial, asked[trial.number], row)

    def _candidate(self, trial: Trial) -> Changes:
        """Let the search choose every value; axes that are zipped move together."""
        chosen: Changes = {}
        for group, joint in self._factors.items():
            if joint:
                chosen |= joint[trial.suggest_categorical(" + ".join(group), range(len(joint)))]
            else:
                chosen[group[0]] = _suggest(trial, group[0], self._study.axes[group[0]])
        return {path: chosen[path] for path in self._study.axes}

    def _allowed(self, trial: Trial, changes: Changes) -> bool:
        """Fail a candidate that misses a constraint on an axis, unsimulated."""
        if all(bound.met(quantity(str(changes[bound.name]))) for bound in self._on_axes):
            return True
        return self._fail(trial)

    def _shortened(self, live: list[Trial], asked: dict[int, Changes], horizon: Any) -> list[Trial]:
        """Simulate a shorter horizon, and return the candidates that are worth a longer one."""
        prune = self._study.search.prune
        path, step = (prune.path, prune.values.index(horizon)) if prune else ("", 0)
        rows = self._evaluation.rows([{**asked[trial.number], path: horizon} for trial in live])
        metric, left = next(iter(self._study.objectives)), []
        for trial, row in zip(live, rows, strict=True):
            if row.reason:
                self._fail(trial)
                continue
            trial.report(value(row, metric), step)
            if trial.should_prune():
                self._end(trial, "PRUNED")
                self.pruned += 1
            else:
                left.append(trial)
        return left

    def _tell(self, trial: Trial, changes: Changes, row: Row) -> None:
        values = () if row.reason else tuple(value(row, metric) for metric in self._study.objectives)
        if not values or not all(map(math.isfinite, values)):
            self._fail(trial)
            return
        for bound in self._on_metrics:
            trial.set_constraint(bound.text, violation(row, bound))
        self._optuna.tell(trial, list(values))
        feasible = all(_kept(row, bound) for bound in self._on_metrics)
        self.candidates.append(Candidate(changes, values, feasible, row))

    def _fail(self, trial: Trial) -> bool:
        self._end(trial, "FAIL")
        self.failed += 1
        return False

    def _end(self, trial: Trial, state: str) -> None:
        from optuna.trial import TrialState

        self._optuna.tell(trial, state=TrialState[state])


def _kept(row: Row, bound: Constraint) -> bool:
    return bound.met(value(row, bound.name))


def _optuna(search: Search, directions: list[Any]) -> Optuna:
    try:
        import optuna
    except ImportError:
        raise InputError('dcsim optimize: Optuna is not installed; write: pip install "dcsim[explore]"') from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler: Any = optuna.samplers.RandomSampler(seed=search.seed)
    if search.sampler == "tpe":
        sampler = optuna.samplers.TPESampler(seed=search.seed)
    elif search.sampler == "nsga2":
        sampler = optuna.samplers.NSGAIISampler(seed=search.seed)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=search.batch)
    return optuna.create_study(directions=directions, sampler=sampler, pruner=pruner)


def _suggest(trial: Trial, path: str, axis: Axis) -> Any:
    """Let the search choose a value: between the bounds, or the place in a list, ordered where it holds numbers."""
    bounds = span(axis)
    if bounds is None or axis.log2 is not None or axis.step is not None or axis.points is not None:
        listed = values(axis)
        if all(isinstance(each, int | float) for each in listed):
            return listed[trial.suggest_int(path, 0, len(listed) - 1)]
        return listed[trial.suggest_categorical(path, range(len(listed)))]
    if bounds.whole:
        return bounds.write(trial.suggest_int(path, int(bounds.low), int(bounds.high), log=bounds.logarithmic))
    return bounds.write(trial.suggest_float(path, bounds.low, bounds.high, log=bounds.logarithmic))


def _undominated(candidates: Sequence[Candidate], directions: Sequence[str]) -> list[Candidate]:
    """Return the candidates that no other one beats in all objectives at once, each point once, the best first."""
    signs = [1.0 if direction == "minimize" else -1.0 for direction in directions]
    unique = list({candidate.row.key: candidate for candidate in candidates}.values())
    costs = [tuple(s * v for s, v in zip(signs, each.values, strict=True)) for each in unique]
    best = [unique[place] for place in sorted(pareto(costs), key=costs.__getitem__)]
    return best[:1] if len(signs) == 1 else best
