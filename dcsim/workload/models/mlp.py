"""The dense network: fully connected layers with ReLU between them and a softmax classifier at the end.

Weights from a normal distribution of variance 2 / inputs: He et al., "Delving Deep into Rectifiers" (ICCV 2015),
equation 10.
"""

from __future__ import annotations

from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]

from dcsim.workload.models.abstract import array

if TYPE_CHECKING:
    from dcsim.scenario.workload import MlpModel
    from dcsim.workload.models import Layers


def batch(spec: MlpModel, size: int) -> dict[str, Any]:
    """Return the abstract arrays of ``size`` samples: inputs, shape (size, inputs), and labels, shape (size,)."""
    return {
        "inputs": array((size, spec.inputs), jnp.float32),
        "labels": array((size,), jnp.int32),
    }


def init(key: jax.Array, spec: MlpModel) -> dict[str, Any]:
    """Return the parameters of every layer, input side first."""
    widths = (spec.inputs, *spec.hidden, spec.classes)
    keys = jax.random.split(key, len(widths) - 1)
    return {
        f"layer{index}": {
            "weight": sqrt(2 / rows) * jax.random.normal(keys[index], (rows, columns), jnp.float32),
            "bias": jnp.zeros((columns,), jnp.float32),
        }
        for index, (rows, columns) in enumerate(pairwise(widths))
    }


def loss(parameters: dict[str, Any], batch: dict[str, jax.Array], spec: MlpModel, layers: Layers = "loop") -> jax.Array:
    """Return the mean cross entropy [nat]; the layers differ in width, so there is no loop."""
    del layers
    last = len(spec.hidden)
    stream = batch["inputs"].astype(parameters["layer0"]["weight"].dtype)
    for index in range(last + 1):
        layer = parameters[f"layer{index}"]
        stream = stream @ layer["weight"] + layer["bias"]
        if index < last:
            stream = jax.nn.relu(stream)
    with jax.named_scope("head"):
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(stream.astype(jnp.float32), batch["labels"]))
