"""One training step as two pure functions, gradient and update; between them data parallelism reduces the gradients.

Mixed precision after Micikevicius et al., "Mixed Precision Training" (ICLR 2018): weights, activations and gradients
in the compute precision, a float32 master copy of the weights and float32 moments with the optimizer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]

from dcsim.workload.models import Family, Layers, family
from dcsim.workload.optimizers import make_optimizer

if TYPE_CHECKING:
    from dcsim.scenario.models import ModelSpec
    from dcsim.scenario.optimizers import Rule

FORMATS = {"fp32": jnp.float32, "bf16": jnp.bfloat16, "fp16": jnp.float16}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is trained."""

    model: ModelSpec
    precision: str = "fp32"
    optimizer: Rule | str = "adamw"
    learning_rate: float = 3e-4
    layers: Layers = "loop"


class Step:
    """The functions of a training step, for tracing and for execution alike."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._family: Family = family(recipe.model)
        self._optimizer = make_optimizer(recipe.optimizer, recipe.learning_rate)
        self.mixed = recipe.precision != "fp32"

    def init(self, key: Any) -> tuple[Any, Any]:
        """Return (master weights in float32, optimizer state)."""
        master = self._family.init(key, self.recipe.model)
        return master, self._optimizer.init(master)

    def weights(self, master: Any) -> Any:
        """Return the weights in the compute precision."""
        return jax.tree.map(lambda array: array.astype(FORMATS[self.recipe.precision]), master)

    def gradient(self, weights: Any, batch: Any) -> tuple[Any, Any]:
        """Return (mean loss of the batch, gradients in the compute precision)."""
        return jax.value_and_grad(self._family.loss)(weights, batch, self.recipe.model, self.recipe.layers)

    def update(self, master: Any, state: Any, gradients: Any) -> tuple[Any, Any, Any]:
        """Return (weights in the compute precision, master weights, optimizer state) after one optimizer step."""
        wide = jax.tree.map(lambda array: array.astype(jnp.float32), gradients)
        changes, state = self._optimizer.update(wide, state, master)
        master = optax.apply_updates(master, changes)
        return self.weights(master), master, state

    def batch(self, size: int) -> Any:
        """Return the abstract arrays of a batch of ``size`` samples."""
        return self._family.batch(self.recipe.model, size)
