"""The small convolutional classifier: 3x3 convolutions, an activation and 2x2 max-pooling, then one dense layer.

After LeCun et al., "Gradient-Based Learning Applied to Document Recognition" (1998), with same-size
convolutions and max-pooling; weights by He et al., "Delving Deep into Rectifiers" (ICCV 2015), equation 10.
"""

from __future__ import annotations

from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]

from dcsim.errors import InputError
from dcsim.workload.models import objectives
from dcsim.workload.models.abstract import array
from dcsim.workload.models.layers import Weights, activation

if TYPE_CHECKING:
    from dcsim.scenario.workload import CnnModel
    from dcsim.workload.models import Layers

_KERNEL = 3
_POOL = 2


def batch(spec: CnnModel, size: int) -> dict[str, Any]:
    """Return the abstract arrays of ``size`` images, shape (size, image, image, channels), and their labels."""
    return {
        "inputs": array((size, spec.image, spec.image, spec.channels[0]), jnp.float32),
        "labels": array((size,), jnp.int32),
    }


def init(key: jax.Array, spec: CnnModel) -> dict[str, Any]:
    """Return the parameters.

    Raises
    ------
    InputError
        If the image is pooled away before the last convolution.
    """
    pools = len(spec.channels) - 1
    side = spec.image // _POOL**pools
    if side < 1:
        least = _POOL**pools
        raise InputError(f"found an image of {spec.image} pixels, expected at least {least} for {pools} poolings")
    keys = jax.random.split(key, pools + 1)
    convolutions = {
        f"convolution{index}": {
            "weight": _normal(keys[index], (_KERNEL, _KERNEL, before, after), _KERNEL * _KERNEL * before),
            "bias": jnp.zeros((after,), jnp.float32),
        }
        for index, (before, after) in enumerate(pairwise(spec.channels))
    }
    inputs = side * side * spec.channels[-1]
    weight = _normal(keys[-1], (inputs, spec.classes), inputs)
    return {**convolutions, "dense": {"weight": weight, "bias": jnp.zeros((spec.classes,), jnp.float32)}}


def loss(parameters: dict[str, Any], batch: dict[str, jax.Array], spec: CnnModel, layers: Layers = "loop") -> jax.Array:
    """Return the mean cross entropy [nat]; the layers differ in size, so there is no loop."""
    del layers
    logits = forward(parameters, batch["inputs"], spec)
    with jax.named_scope("head"):
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits.astype(jnp.float32), batch["labels"]))


def score(parameters: Weights, batch: dict[str, jax.Array], spec: CnnModel, layers: Layers = "loop") -> jax.Array:
    """Return the shares of the classes in float32, shape (rows, classes)."""
    del layers
    return objectives.scores("cross-entropy", forward(parameters, batch["inputs"], spec))


def judge(parameters: dict[str, Any], batch: dict[str, jax.Array], spec: CnnModel) -> objectives.Verdict:
    """Return how the network does on every image."""
    return objectives.classified(forward(parameters, batch["inputs"], spec), batch["labels"])


def forward(parameters: dict[str, Any], images: jax.Array, spec: CnnModel) -> jax.Array:
    """Return the logits, shape (rows, classes)."""
    stream = images.astype(parameters["dense"]["weight"].dtype)
    for index in range(len(spec.channels) - 1):
        layer = parameters[f"convolution{index}"]
        stream = jax.lax.conv_general_dilated(
            stream, layer["weight"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        stream = _pool(activation(spec.activation)(stream + layer["bias"]))
    dense = parameters["dense"]
    logits: jax.Array = stream.reshape(stream.shape[0], -1) @ dense["weight"] + dense["bias"]
    return logits


def _pool(stream: jax.Array) -> jax.Array:
    window = (1, _POOL, _POOL, 1)
    pooled: jax.Array = jax.lax.reduce_window(stream, -jnp.inf, jax.lax.max, window, window, "VALID")
    return pooled


def _normal(key: jax.Array, shape: tuple[int, ...], inputs: int) -> jax.Array:
    return sqrt(2 / inputs) * jax.random.normal(key, shape, jnp.float32)
