"""Early stopping and learning rates that change."""

from __future__ import annotations

from math import cos, pi
from typing import Any

import pytest

from dcsim.scenario.learning import Stop
from dcsim.scenario.workload import Optimizer
from dcsim.workload.schedules import learning_rate
from dcsim.workload.stopping import Patience


def looks(stop: Stop | None, losses: list[float]) -> list[bool]:
    patience = Patience(stop)
    return [patience.look(loss) for loss in losses]


def test_patience_counts_looks_without_a_lower_loss() -> None:
    losses = [3.0, 2.0, 2.1, 1.9, 1.9, 2.0, 1.0]
    assert looks(Stop(patience=2), losses) == [False, False, False, False, False, True, False]


def test_a_little_lower_may_not_count() -> None:
    # 10 % of 2.0 is 0.2: 1.9 is not lower enough, 1.7 is
    assert looks(Stop(patience=1, improvement=0.1), [2.0, 1.9, 1.7]) == [False, True, False]


def test_without_patience_nothing_stops() -> None:
    assert looks(None, [1.0, 2.0, 3.0]) == looks(Stop(at_target=True), [1.0, 2.0, 3.0]) == [False] * 3


def test_patience_goes_on_from_its_state() -> None:
    first = Patience(Stop(patience=2))
    first.look(1.0)
    first.look(2.0)
    second = Patience(Stop(patience=2))
    second.restore(first.state)
    assert second.look(1.5)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (None, [0.5, 0.5, 0.5]),
        ({"kind": "constant", "warmup": "10 steps"}, [0.0, 0.25, 0.5]),
        ({"kind": "linear", "final": 0.2}, [0.5, 0.5 - 0.4 * 0.05, 0.5 - 0.4 * 0.1]),
        ({"kind": "cosine", "final": 0.0}, [0.5 * (1 + cos(pi * step / 100)) / 2 for step in (0, 5, 10)]),
        ({"kind": "exponential", "final": 0.01}, [0.5 * 0.01 ** (step / 100) for step in (0, 5, 10)]),
    ],
)
def test_rates_at_steps_0_5_and_10_of_100(schedule: Any, expected: list[float]) -> None:
    optimizer = Optimizer.model_validate({"learning_rate": 0.5, "schedule": schedule})
    rate = learning_rate(optimizer, 100)
    found = [float(rate(step)) if callable(rate) else rate for step in (0, 5, 10)]
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_a_decay_ends_at_the_last_step() -> None:
    optimizer = Optimizer.model_validate({"learning_rate": 0.5, "schedule": {"warmup": "20 steps", "final": 0.1}})
    rate = learning_rate(optimizer, 100)
    assert callable(rate)
    assert [float(rate(step)) for step in (20, 60, 100, 200)] == pytest.approx([0.5, 0.275, 0.05, 0.05], rel=1e-5)
