"""The dense network: fully connected layers with an activation between them, judged by an objective at the end.

Weights from a normal distribution of variance 2 / inputs: He et al., "Delving Deep into Rectifiers" (ICCV 2015),
equation 10.
"""

from __future__ import annotations

from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from dcsim.workload.models import objectives
from dcsim.workload.models.abstract import array
from dcsim.workload.models.layers import Weights, activation, dropped

if TYPE_CHECKING:
    from dcsim.scenario.models import MlpModel
    from dcsim.workload.models import Layers


def batch(spec: MlpModel, size: int) -> dict[str, Any]:
    """Return the abstract arrays of ``size`` samples: inputs, shape (size, inputs), and labels, shape (size,)."""
    arrays = {
        "inputs": array((size, spec.inputs), jnp.float32),
        "labels": objectives.labels(spec.objective, size, spec.classes),
    }
    return arrays | ({"seeds": array((size,), jnp.uint32)} if spec.dropout else {})


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
    """Return the mean loss of the objective; the layers differ in width, so there is no loop."""
    del layers
    outputs = forward(parameters, batch, spec)
    with jax.named_scope("head"):
        return objectives.mean(spec.objective, outputs, batch["labels"])


def score(parameters: Weights, batch: dict[str, jax.Array], spec: MlpModel, layers: Layers = "loop") -> jax.Array:
    """Return the scores of the classes in float32, shape (rows, classes)."""
    del layers
    return objectives.scores(spec.objective, forward(parameters, {"inputs": batch["inputs"]}, spec))


def judge(parameters: dict[str, Any], batch: dict[str, jax.Array], spec: MlpModel) -> objectives.Verdict:
    """Return how the network does on every sample."""
    return objectives.judged(spec.objective, forward(parameters, batch, spec), batch["labels"])


def forward(parameters: dict[str, Any], batch: dict[str, jax.Array], spec: MlpModel) -> jax.Array:
    """Return the outputs, shape (rows, classes); there is dropout where the batch brings seeds."""
    stream: jax.Array = batch["inputs"].astype(parameters["layer0"]["weight"].dtype)
    for index in range(len(spec.hidden)):
        layer = parameters[f"layer{index}"]
        stream = activation(spec.activation)(stream @ layer["weight"] + layer["bias"])
        if "seeds" in batch:
            stream = dropped(stream, batch["seeds"], index, spec.dropout)
    layer = parameters[f"layer{len(spec.hidden)}"]
    outputs: jax.Array = stream @ layer["weight"] + layer["bias"]
    return outputs
