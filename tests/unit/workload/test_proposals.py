"""What Optuna proposes and prunes: a grid whole and in order, the same again for a seed, the poor ended early."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dcsim.scenario.search import Search
from dcsim.workload.search import Proposals

RATE = {"rate": {"from": 1e-4, "to": 1.0, "log": True}}


def proposals(seed: int = 1, looks: int = 9, **keys: Any) -> Proposals:
    return Proposals(Search.model_validate(keys), looks, seed, "tune")


def run(found: Proposals, score: Any) -> list[tuple[dict[str, Any], float]]:
    """Ask for all trials one after the other and tell each its score."""
    seen = []
    while (settings := found.ask()) is not None:
        value = score(settings)
        found.report(len(seen), 1, value)
        found.tell(len(seen), "complete", value)
        seen.append((settings, value))
    return seen


def test_a_grid_is_taken_whole_the_last_path_fastest() -> None:
    space = {"rate": [0.1, 0.2], "hidden": [[8], [8, 8]], "low": {"from": 1, "to": 3, "points": 3, "whole": True}}
    seen = [tuple(settings.values()) for settings, _ in run(proposals(method="grid", space=space), lambda _: 1.0)]
    assert seen == [(rate, hidden, low) for rate in (0.1, 0.2) for hidden in ([8], [8, 8]) for low in (1, 2, 3)]


@pytest.mark.parametrize("method", ["random", "bayesian"])
def test_a_seed_gives_the_same_trials_again(method: str) -> None:
    def trials(seed: int) -> list[float]:
        found = proposals(seed, method=method, space=RATE, trials=15)
        return [settings["rate"] for settings, _ in run(found, lambda s: float(np.log10(s["rate"]) ** 2))]

    assert trials(1) == trials(1) != trials(2)
    assert all(1e-4 <= rate <= 1.0 for rate in trials(1))


def test_bayesian_trials_gather_where_scores_are_good() -> None:
    """The best rate is 10^-2: of the second half of 40 trials more lie within half a decade of it than by chance."""
    near = {}
    for method in ("random", "bayesian"):
        seen = run(proposals(method=method, space=RATE, trials=40), lambda s: float((np.log10(s["rate"]) + 2) ** 2))
        near[method] = np.mean([abs(np.log10(settings["rate"]) + 2) < 0.5 for settings, _ in seen[20:]])
    assert near["bayesian"] > 0.5 > near["random"]


@pytest.mark.parametrize("prune", ["median", "successive-halving", "hyperband"])
def test_a_trial_that_is_worse_than_those_before_is_pruned(prune: str) -> None:
    found = proposals(method="random", space=RATE, trials=40, prune=prune)
    ended = []
    for number in range(40):
        found.ask()
        poor = number % 2 == 1
        for look in range(1, 10):
            if found.report(number, look, 2.0 if poor else 1.0 / look):
                break
        ended.append(look)
        found.tell(number, "pruned" if look < 9 else "complete", 1.0)
    assert np.mean(ended[11::2]) < 5 < np.mean(ended[10::2])


def test_nothing_is_pruned_unasked_and_a_look_may_be_told_again() -> None:
    found = proposals(method="random", space=RATE, trials=5)
    for number in range(5):
        found.ask()
        assert not found.report(number, 1, 10.0**number)
        assert not found.report(number, 1, 10.0**number)
        found.tell(number, "complete", 10.0**number)
    assert found.ask() is None


def test_accuracy_is_the_higher_the_better() -> None:
    found = proposals(method="random", space=RATE, trials=8, score="accuracy", prune="median")
    pruned = []
    for number in range(8):
        found.ask()
        accuracy = 0.9 if number < 6 else 0.95 if number == 6 else 0.5
        pruned.append(any(found.report(number, look, accuracy) for look in (1, 2, 3)))
        found.tell(number, "pruned" if pruned[-1] else "complete", accuracy)
    assert pruned == [False] * 7 + [True]
