"""A student that learns what a trained model says of each sample, and the sample's label.

G. Hinton, O. Vinyals and J. Dean, "Distilling the knowledge in a neural network" (2015): the loss is
``w T^2 KL(teacher / T, student / T) + (1 - w) cross entropy``, with both softmaxes at the temperature T.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dcsim.errors import InputError
from dcsim.scenario.datasets import mismatch

if TYPE_CHECKING:
    from dcsim.scenario.models import ModelSpec
    from dcsim.scenario.smaller import Distil
    from dcsim.scenario.workload import Job
    from dcsim.workload.trainer import Trainer


@dataclass(frozen=True, slots=True)
class Student:
    """A student's parameters, and its loss and accuracy on the held-out samples."""

    elements: int
    loss: float
    accuracy: float | None


def distil(trainer: Trainer, teacher: ModelSpec, job: Job, made: Distil) -> Student:
    """Train a student with the optimizer and the data of ``job``, whose trained model is the teacher.

    Raises
    ------
    InputError
        If the student cannot learn from the data.
    """
    wanting = mismatch(job.execute.data, made.model) if job.execute else None
    if wanting is not None:
        raise InputError(f"found a student with {wanting.at} {wanting.found}, expected {wanting.expected}")
    from dcsim.workload import data
    from dcsim.workload.kernels import Kernels

    kernels = Kernels(made.model, job.optimizer, made.count)
    name = f"{job.name} student"
    weights, state = kernels.start(int(trainer.streams.generator("weights", name).integers(2**31)))
    step = _step(trainer, (teacher, made), kernels)
    # Dropout is left out: the teacher has learned to do without what it zeroes.
    shards = data.Shards(trainer.source, trainer.streams, name)
    for number in range(made.count):
        gradient = step(weights, shards.batch(number, 0, made.batch))
        weights, state = kernels.update(weights, state, gradient)
    loss, accuracy = kernels.evaluate(weights, kernels.first_moments(), trainer.source.held_out())
    return Student(weights.size, loss, accuracy)


def _step(trainer: Trainer, given: tuple[ModelSpec, Distil], kernels: Any) -> Any:
    """Return the function from (student's weights, batch) to the gradient of the student's loss."""
    import jax
    import jax.numpy as jnp
    import optax  # type: ignore[import-untyped]

    teacher, made = given
    known = trainer.kernels.tree_of(trainer.weights)

    def loss(weights: Any, batch: Any) -> Any:
        own = logits(kernels.tree_of(weights), batch, made.model)
        said = jax.nn.softmax(logits(known, batch, teacher) / made.temperature)
        apart = optax.kl_divergence(jax.nn.log_softmax(own / made.temperature), said)
        entropy = optax.softmax_cross_entropy_with_integer_labels(own, batch["labels"])
        return jnp.mean(made.weight * made.temperature**2 * apart + (1.0 - made.weight) * entropy)

    gradient = jax.jit(jax.grad(loss))
    return lambda weights, batch: np.asarray(gradient(weights, batch))


def logits(weights: Any, batch: Any, spec: Any) -> Any:
    """Return the logits of the classes in float32, shape (rows, classes), of the families that can be students."""
    import jax.numpy as jnp

    from dcsim.workload.models import blocks, cnn, mlp, vision

    if spec.family == "vision":
        return vision.logits(weights, batch["inputs"], blocks.setting(spec, jnp.arange(spec.context), batch))
    found = mlp.forward(weights, batch, spec) if spec.family == "mlp" else cnn.forward(weights, batch["inputs"], spec)
    return found.astype(jnp.float32)
