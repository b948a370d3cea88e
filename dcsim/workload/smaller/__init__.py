"""Smaller forms of a trained model, each really made and judged on the held-out samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcsim.errors import InputError
from dcsim.scenario.smaller import WITH_UNITS, Cast, Distil, Prune, described, has_units, name_of

if TYPE_CHECKING:
    from dcsim.scenario.models import ModelSpec
    from dcsim.scenario.workload import Job
    from dcsim.workload.trainer import Trainer


_CONVOLUTIONAL = ("cnn", "resnet", "unet", "detector")


@dataclass(frozen=True, slots=True)
class Form:
    """A form of a trained model.

    ``model`` is its shape, ``precision`` that of its products ("int8" beside those of jobs), ``weight_bytes`` its size
    as stored [B], ``kept`` the share of the weights of matrices that products still read where they may leave some out;
    ``loss`` and ``accuracy`` are those on the held-out samples.
    """

    name: str
    model: ModelSpec
    precision: str
    weight_bytes: float
    kept: float
    loss: float
    accuracy: float | None


def forms(trainer: Trainer, spec: ModelSpec, job: Job) -> list[Form]:
    """Return the trained model as it is, in float32, and the smaller forms that its job asks for."""
    loss, accuracy = trainer.kernels.evaluate(trainer.weights, trainer.moments, trainer.source.held_out())
    found = [Form("as trained", spec, "fp32", 4.0 * trainer.elements, 1.0, loss, accuracy)]
    for asked in job.execute.smaller if job.execute else ():
        made = described(asked)
        match made:
            case Cast():
                found.append(_cast(trainer, spec, made))
            case Prune():
                found.append(_pruned(trainer, spec, (job, made)))
            case Distil():
                found.append(_distilled(trainer, spec, (job, made)))
    return found


def _cast(trainer: Trainer, spec: ModelSpec, made: Cast) -> Form:
    from dcsim.workload.smaller import int8

    if made.kind == "int8":
        weights, size = int8.weights(trainer.kernels.leaves_of(trainer.weights), spec.family in _CONVOLUTIONAL)
        loss, accuracy = trainer.kernels.evaluate_as(int8.products, weights, trainer.moments, trainer.source.held_out())
        return Form(name_of(made), spec, "int8", size, 1.0, loss, accuracy)
    from dcsim.workload.compression import rounded

    weights = rounded(trainer.weights, "bf16")
    loss, accuracy = trainer.kernels.evaluate_as(int8.halved, weights, trainer.moments, trainer.source.held_out())
    return Form(name_of(made), spec, "bf16", 2.0 * trainer.elements, 1.0, loss, accuracy)


def _pruned(trainer: Trainer, spec: ModelSpec, given: tuple[Job, Prune]) -> Form:
    from dcsim.workload.smaller import pruning

    _, made = given
    if made.pattern == "units":
        return _narrowed(trainer, spec, given)
    leaves = trainer.kernels.leaves_of(trainer.weights)
    weights, size = pruning.in_fours(leaves) if made.pattern == "2:4" else pruning.smallest(leaves, made.share or 0.0)
    loss, accuracy = trainer.kernels.evaluate(weights, trainer.moments, trainer.source.held_out())
    kept = 0.5 if made.pattern == "2:4" else 1.0
    return Form(name_of(made), spec, "fp32", size, kept, loss, accuracy)


def _narrowed(trainer: Trainer, spec: ModelSpec, given: tuple[Job, Prune]) -> Form:
    """Return the model without units: another model, with kernels of its own.

    Raises
    ------
    InputError
        If the model has no units that can be taken out.
    """
    if not has_units(spec):
        raise InputError(f"found a model of the family {spec.family}, expected {WITH_UNITS}")
    import jax
    import numpy as np

    from dcsim.workload.kernels import Kernels
    from dcsim.workload.smaller import units

    job, made = given
    tree = jax.tree.map(np.asarray, trainer.kernels.tree_of(trainer.weights))
    tree, narrower = units.without(tree, spec, made.share or 0.0)
    weights = np.concatenate([leaf.ravel() for leaf in jax.tree.leaves(tree)])
    kernels = Kernels(narrower, job.optimizer, 1)
    loss, accuracy = kernels.evaluate(weights, kernels.first_moments(), trainer.source.held_out())
    return Form(name_of(made), narrower, "fp32", 4.0 * weights.size, 1.0, loss, accuracy)


def _distilled(trainer: Trainer, spec: ModelSpec, given: tuple[Job, Distil]) -> Form:
    from dcsim.workload.smaller import distillation

    job, made = given
    student = distillation.distil(trainer, spec, job, made)
    return Form(name_of(made), made.model, "fp32", 4.0 * student.elements, 1.0, student.loss, student.accuracy)
