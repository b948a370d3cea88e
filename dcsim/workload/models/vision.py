"""The vision transformer: an image cut into patches, a class token before them, an encoder, a classifier.

Dosovitskiy et al., "An Image is Worth 16x16 Words" (ICLR 2021).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]

from dcsim.workload.models import blocks, objectives, transformer
from dcsim.workload.models.abstract import array
from dcsim.workload.models.layers import Weights, apply, dense, norm, normal, normalize

if TYPE_CHECKING:
    from dcsim.scenario.models import VisionModel
    from dcsim.workload.models import Layers

_KEYS = 16


def batch(spec: VisionModel, size: int) -> dict[str, Any]:
    """Return the abstract arrays of ``size`` images, shape (size, image, image, channels), and their labels."""
    images = array((size, spec.image, spec.image, spec.channels), jnp.float32)
    return {"inputs": images, "labels": array((size,), jnp.int32), **transformer.seeds(spec, size)}


def init(key: jax.Array, spec: VisionModel) -> Weights:
    """Return the parameters; those of the blocks are stacked, shape (layers, ...)."""
    keys = iter(jax.random.split(key, _KEYS))
    width = spec.hidden
    cut = normal(next(keys), (spec.patch, spec.patch, spec.channels, width))
    parameters: Weights = {
        "patches": {"weight": cut, "bias": jnp.zeros((width,), jnp.float32)},
        "class": jnp.zeros((1, width), jnp.float32),
        "blocks": blocks.init(keys, spec, spec.layers),
        "norm": norm((width,), spec.norm),
        "head": dense(normal(next(keys), (width, spec.classes))),
    }
    if spec.positions == "learned":
        parameters["positions"] = normal(next(keys), (spec.context, width))
    return parameters


def loss(parameters: Weights, batch: dict[str, jax.Array], spec: VisionModel, layers: Layers = "loop") -> jax.Array:
    """Return the mean cross entropy of the classes [nat]."""
    given = blocks.setting(spec, jnp.arange(spec.context), batch)
    found = logits(parameters, batch["inputs"], given, layers)
    with jax.named_scope("head"):
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(found, batch["labels"]))


def score(parameters: Weights, batch: dict[str, jax.Array], spec: VisionModel, layers: Layers = "loop") -> jax.Array:
    """Return the shares of the classes in float32, shape (rows, classes)."""
    given = blocks.setting(spec, jnp.arange(spec.context), {})
    return objectives.scores("cross-entropy", logits(parameters, batch["inputs"], given, layers))


def judge(parameters: Weights, batch: dict[str, jax.Array], spec: VisionModel) -> objectives.Verdict:
    """Return how the model does on every image."""
    given = blocks.setting(spec, jnp.arange(spec.context), batch)
    return objectives.classified(logits(parameters, batch["inputs"], given), batch["labels"])


def logits(parameters: Weights, images: jax.Array, given: blocks.Setting, layers: Layers = "loop") -> jax.Array:
    """Return the logits of the classes in float32, shape (rows, classes)."""
    with jax.named_scope("embedding"):
        stream = _patches(parameters, images)
    step = partial(blocks.block, given)
    stream = blocks.run(stream, blocks.numbered(parameters["blocks"], given), step, layers)
    with jax.named_scope("head"):
        return apply(normalize(stream[:, 0], parameters["norm"]), parameters["head"]).astype(jnp.float32)


def _patches(parameters: Weights, images: jax.Array) -> jax.Array:
    """Return the first stream, shape (rows, patches + 1, hidden)."""
    weight = parameters["patches"]["weight"]
    cut = jax.lax.conv_general_dilated(
        images.astype(weight.dtype), weight, weight.shape[:2], "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    rows, _, _, width = cut.shape
    patches = cut.reshape(rows, -1, width) + parameters["patches"]["bias"]
    first = jnp.broadcast_to(parameters["class"].astype(weight.dtype), (rows, 1, width))
    stream = jnp.concatenate([first, patches], axis=1)
    return stream + parameters["positions"] if "positions" in parameters else stream
