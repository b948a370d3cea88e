"""Which settings to try next, and which trials to end early: Optuna asks and is told, in simulated time.

T. Akiba et al., "Optuna" (KDD 2019). "bayesian" is the tree-structured Parzen estimator (J. Bergstra et al., NeurIPS
2011); pruning by the median of the trials before, by successive halving (L. Li et al., MLSys 2020), or by Hyperband (L.
Li et al., JMLR 18 (2018) 185).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dcsim.engine.streams import Streams
from dcsim.scenario.search import Range

if TYPE_CHECKING:
    import optuna

    from dcsim.scenario.search import Search


class Proposals:
    """The trials of a search: asked for one after the other, told how they do, in the order of simulated time.

    Parameters
    ----------
    search
        What is searched.
    looks
        Looks at held-out samples that a whole trial takes, which Hyperband plans by.
    seed, name
        What random choices follow from.
    """

    def __init__(self, search: Search, looks: int, seed: int, name: str) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._search, self._optuna = search, optuna
        first = int(Streams(seed).generator("search", name).integers(2**31))
        direction = optuna.study.StudyDirection.MAXIMIZE if search.maximize else optuna.study.StudyDirection.MINIMIZE
        sampler, pruner = _sampler(search, first), _pruner(search, looks)
        # Hyperband tells its brackets apart by the name of the study, which is random unless given.
        self._study = optuna.create_study(sampler=sampler, pruner=pruner, direction=direction, study_name=name)
        if search.method == "grid":
            for point in _points(search):
                self._study.enqueue_trial(point)
        self._trials: dict[int, optuna.Trial] = {}
        self._told: set[tuple[int, int]] = set()

    def ask(self) -> dict[str, Any] | None:
        """Return the settings of the next trial by dotted path, None when there are no more."""
        number = len(self._trials)
        if number >= self._search.count:
            return None
        trial = self._study.ask()
        self._trials[number] = trial
        return {path: _suggested(trial, path, values) for path, values in self._search.space.items()}

    def report(self, number: int, look: int, score: float) -> bool:
        """Tell the ``score`` of a trial at its look number ``look``, from 1 on; return whether it is to end."""
        if (number, look) not in self._told:  # a look that a failure undid is taken again, with the same score
            self._told.add((number, look))
            self._trials[number].report(score, look)
        return self._search.prune is not None and bool(self._trials[number].should_prune())

    def tell(self, number: int, state: str, score: float | None) -> None:
        """Tell how a trial ended: "complete" with its score, "pruned", or "failed"."""
        states = self._optuna.trial.TrialState
        ended = {"complete": states.COMPLETE, "pruned": states.PRUNED}.get(state, states.FAIL)
        self._study.tell(self._trials[number], score if state == "complete" else None, state=ended)


def _suggested(trial: optuna.Trial, path: str, values: Range | tuple[Any, ...]) -> Any:
    if isinstance(values, Range):
        low, high = values.limits
        if values.whole:
            return trial.suggest_int(path, int(low), int(high), log=values.log)
        return trial.suggest_float(path, low, high, log=values.log)
    # Choices may be lists or blocks, which Optuna does not take: it chooses among their places.
    return values[trial.suggest_categorical(path, tuple(range(len(values))))]


def _points(search: Search) -> list[dict[str, Any]]:
    """Return the points of a grid, the last path changing fastest, as Optuna names them."""
    points: list[dict[str, Any]] = [{}]
    for path, values in search.space.items():
        own = values.grid if isinstance(values, Range) else range(len(values))
        points = [point | {path: value} for point in points for value in own]
    return points


def _sampler(search: Search, seed: int) -> optuna.samplers.BaseSampler:
    from optuna import samplers

    # A grid is enqueued whole, so its sampler is never asked.
    return samplers.TPESampler(seed=seed) if search.method == "bayesian" else samplers.RandomSampler(seed=seed)


def _pruner(search: Search, looks: int) -> optuna.pruners.BasePruner:
    from optuna import pruners

    if search.prune == "median":
        return pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=search.after)
    if search.prune == "successive-halving":
        return pruners.SuccessiveHalvingPruner(min_resource=search.after)
    if search.prune == "hyperband":
        return pruners.HyperbandPruner(min_resource=search.after, max_resource=max(looks, search.after))
    return pruners.NopPruner()
