"""The model families: pure JAX functions over parameter pytrees, one file a family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from dcsim.scenario.workload import ModelSpec


Layers = Literal["loop", "unrolled", "recomputed"]
"""Equal layers in a loop, one after the other, or in a loop that keeps only its carried array for the backward pass."""


@dataclass(frozen=True, slots=True)
class Family:
    """A family of models.

    ``init(key, spec)`` returns float32 parameters; ``loss(parameters, batch, spec, layers)`` the mean loss of a
    batch, with equal layers laid out as :data:`Layers` says; ``batch(spec, size)`` the abstract arrays of a batch.
    """

    init: Callable[[Any, Any], Any]
    loss: Callable[[Any, Any, Any, Layers], Any]
    batch: Callable[[Any, int], Any]


def family(spec: ModelSpec) -> Family:
    """Return the functions of the family of ``spec``."""
    module = import_module(f"dcsim.workload.models.{spec.family}")
    return Family(module.init, module.loss, module.batch)
