"""The model families: pure JAX functions over parameter pytrees, one file a family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dcsim.scenario.workload import ModelSpec


@dataclass(frozen=True, slots=True)
class Family:
    """A family of models.

    ``init(key, spec)`` returns float32 parameters; ``loss(parameters, batch, spec, unroll)`` the mean loss of a batch, its layers
    in a loop or, with ``unroll``, one after the other; ``batch(spec, size)`` the abstract arrays of a batch.
    """

    init: Callable[[Any, Any], Any]
    loss: Callable[[Any, Any, Any, bool], Any]
    batch: Callable[[Any, int], Any]


def family(spec: ModelSpec) -> Family:
    """Return the functions of the family of ``spec``."""
    from dcsim.workload.models import cnn, mlp, transformer

    module = {"transformer": transformer, "mlp": mlp, "cnn": cnn}[spec.family]
    return Family(module.init, module.loss, module.batch)
