"""The steps of models as programs to be timed: training with its update in place, and scoring a batch."""

from __future__ import annotations

from typing import Any

import jax

from dcsim.workload.models import family
from dcsim.workload.step import Recipe, Step
from dcsim.workload.timing import Program


def training(name: str, recipe: Recipe, samples: int) -> Program:
    """Return the program of one training step on ``samples`` samples: loss, gradient and update."""
    step = Step(recipe)
    master, state = jax.eval_shape(step.init, jax.eval_shape(lambda: jax.random.key(0)))

    def train(master: Any, state: Any, batch: Any) -> tuple[Any, Any]:
        _, gradients = step.gradient(step.weights(master), batch)
        return step.update(master, state, gradients)[1:]

    return Program(name, train, (master, state, step.batch(samples)), kept=2, below=_below(recipe.model))


def scoring(name: str, recipe: Recipe, samples: int) -> Program:
    """Return the program that scores ``samples`` samples: the forward pass to the loss, nothing kept."""
    step, model = Step(recipe), recipe.model
    master, _ = jax.eval_shape(step.init, jax.eval_shape(lambda: jax.random.key(0)))
    loss = family(model).loss

    def score(weights: Any, batch: Any) -> Any:
        return loss(weights, batch, model, recipe.layers)

    return Program(name, score, (jax.eval_shape(step.weights, master), step.batch(samples)), below=_below(model))


def _below(model: Any) -> int:
    """Return a limit for whole numbers in a batch: tokens and labels that exist."""
    limits = (getattr(model, name, None) for name in ("vocabulary", "classes"))
    return int(next((limit for limit in limits if limit), 2))
