"""Every optimizer's first steps against its definition, on a gradient of (3, 4) and the weights (1, 2)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dcsim.scenario.optimizers import Optimizer, Rule
from dcsim.workload.optimizers import make_optimizer
from dcsim.workload.step import Recipe
from dcsim.workload.trace import trace

WEIGHTS, GRADIENT, RATE = np.array([1.0, 2.0]), np.array([3.0, 4.0]), 0.1


def changes(given: dict[str, Any], steps: int = 1) -> np.ndarray:
    """The last of ``steps`` changes under the same gradient."""
    import jax.numpy as jnp

    made = make_optimizer(Rule.model_validate(given), RATE)
    state = made.init(jnp.array(WEIGHTS))
    for _ in range(steps):
        change, state = made.update(jnp.array(GRADIENT), state, jnp.array(WEIGHTS))
    return np.asarray(change)


@pytest.mark.parametrize(
    ("given", "steps", "expected"),
    [
        ({"name": "gradient-descent"}, 1, -RATE * GRADIENT),
        ({"name": "sgd"}, 2, -RATE * GRADIENT),
        ({"name": "momentum"}, 2, -RATE * 1.9 * GRADIENT),  # g + 0.9 g
        ({"name": "momentum", "momentum": 0.5}, 3, -RATE * 1.75 * GRADIENT),  # g (1 + 0.5 + 0.25)
        ({"name": "nesterov"}, 1, -RATE * 1.9 * GRADIENT),  # looks one step ahead
        ({"name": "adagrad"}, 1, -RATE * GRADIENT / np.sqrt(0.1 + GRADIENT**2)),  # the sum begins at 0.1
        ({"name": "rmsprop"}, 1, -RATE * GRADIENT / np.sqrt(0.1 * GRADIENT**2)),  # one tenth of the square
        ({"name": "adam"}, 1, [-RATE, -RATE]),  # both moments corrected: g / |g|
        ({"name": "adamw"}, 1, -RATE * (1 + 1e-4 * WEIGHTS)),
        ({"name": "adamw", "weight_decay": 0.1}, 1, -RATE * (1 + 0.1 * WEIGHTS)),
        ({"name": "sgd", "clip": 1.0}, 1, -RATE * GRADIENT / 5),  # the norm of (3, 4) is 5
        ({"name": "sgd", "clip": 10.0}, 1, -RATE * GRADIENT),
        ({"name": "sgd", "l2": 0.5}, 1, -RATE * (GRADIENT + 0.5 * WEIGHTS)),
        ({"name": "sgd", "clip": 1.0, "l2": 0.5}, 1, -RATE * (GRADIENT / 5 + 0.5 * WEIGHTS)),
    ],
)
def test_the_change_is_that_of_the_definition(given: dict[str, Any], steps: int, expected: Any) -> None:
    np.testing.assert_allclose(changes(given, steps), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("gradient-descent", 0),
        ("sgd", 0),
        ("momentum", 1),
        ("nesterov", 1),
        ("adagrad", 1),
        ("rmsprop", 1),
        ("adam", 2),
    ],
)
def test_the_state_is_traced(name: str, numbers: int) -> None:
    """Numbers of four bytes a parameter, and Adam's count of steps."""
    from dcsim.scenario.models import MlpModel

    model = MlpModel(family="mlp", inputs=8, hidden=(4,), classes=2)
    found = trace(Recipe(model, "fp32", Rule.model_validate({"name": name})), 1)
    assert found.optimizer_bytes == 4 * numbers * found.parameters + (4 if name == "adam" else 0)


def test_clipping_reads_every_gradient_once_more() -> None:
    """The norm of all gradients: a square and an addition an element, before anything is updated."""
    from dcsim.scenario.models import MlpModel

    model = MlpModel(family="mlp", inputs=64, hidden=(32,), classes=2)
    flops = [
        sum(o.flops * o.count for o in trace(Recipe(model, "fp32", rule), 1).operations if o.phase == "optimizer")
        for rule in (Rule(name="sgd"), Rule(name="sgd", clip=1.0))
    ]
    parameters = 64 * 32 + 32 + 32 * 2 + 2
    assert flops[1] - flops[0] >= 2 * parameters


def test_the_rate_is_no_part_of_the_rule() -> None:
    assert Optimizer(learning_rate=0.1, clip=1.0).rule == Optimizer(learning_rate=0.2, clip=1.0).rule == Rule(clip=1.0)


def test_weight_decay_of_another_optimizer_is_refused() -> None:
    with pytest.raises(ValueError, match="the optimizer adamw"):
        Rule(name="sgd", weight_decay=0.1)
