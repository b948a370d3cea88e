"""The parameters that a rank of a plan holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.parallel.adapters import Adapters, adapter_parameters
from dcsim.parallel.parallelism import Parallelism
from dcsim.parallel.shape import (
    Shape,
    attention_parameters,
    expert_parameters,
    feed_parameters,
    head_parameters,
    shared_parameters,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Held:
    """Parameters of a rank: those that all data-parallel ranks hold alike, and those of its experts."""

    plain: Floats
    expert: Floats


def held(shape: Shape, plan: Parallelism) -> Held:
    """Return the parameters of a rank of the mean stage, before data-parallel ranks share any out."""
    inside = plain_parameters(shape) + tables(shape, plan) * head_parameters(shape)
    experts = shape.expert_layers * shape.experts * expert_parameters(shape)
    return Held(inside / (plan.tensor * plan.pipeline), experts / (plan.expert * plan.pipeline))


def trained(shape: Shape, plan: Parallelism, adapters: Adapters) -> Held:
    """Return those of them that have gradients and optimizer states: all, or the adapters where only they do."""
    own, few = held(shape, plan), adapter_parameters(shape, adapters) / (plan.tensor * plan.pipeline)
    frozen = plan.adapters > 0
    return Held(np.where(frozen, few, own.plain), np.where(frozen, 0.0, own.expert))


def plain_parameters(shape: Shape) -> Floats:
    """Return the parameters of all layers but their routed experts."""
    dense = np.where(shape.mixture, shape.dense_layers, shape.layers)
    inside = (shape.layers + shape.extra_layers) * attention_parameters(shape) + dense * feed_parameters(shape)
    return np.asarray(inside + shape.expert_layers * shared_parameters(shape))


def tables(shape: Shape, plan: Parallelism) -> Floats:
    """Return how many tables of the vocabulary there are: one where embedding and head are the same and together."""
    return np.where((shape.tied > 0) & (plan.pipeline == 1), 1.0, 2.0)
