"""The U-Net for segmentation: a path down and a path up with the streams of the way down joined in, a class a pixel.

Ronneberger, Fischer and Brox, "U-Net" (MICCAI 2015), Figure 1, with two later habits: batch norm, and convolutions that
keep the size of the image.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]

from dcsim.workload.models import objectives
from dcsim.workload.models.abstract import array
from dcsim.workload.models.convolution import (
    Moments,
    Step,
    convolution,
    convolve,
    doubled,
    kernel,
    moments,
    norm,
    normalize,
    pool,
)
from dcsim.workload.models.layers import Weights

if TYPE_CHECKING:
    from dcsim.scenario.models import UnetModel
    from dcsim.workload.models import Layers

_BORDER = Step(1, 1)
Statistics = dict[str, Moments]
JOINT = True
"""The images of a batch are normalized together."""


def batch(spec: UnetModel, size: int) -> dict[str, Any]:
    """Return the abstract arrays of ``size`` images, shape (size, image, image, channels), and their pixels' labels."""
    plane = (size, spec.image, spec.image)
    return {"inputs": array((*plane, spec.channels), jnp.float32), "labels": array(plane, jnp.int32)}


def init(key: jax.Array, spec: UnetModel) -> Weights:
    """Return the parameters."""
    keys = iter(jax.random.split(key, 5 * spec.depth + 4))
    parameters: Weights = {"down0": _pair(keys, spec.channels, spec.width)}
    for level in range(1, spec.depth + 1):
        width = spec.width * 2**level
        parameters[f"down{level}"] = _pair(keys, width // 2, width)
        parameters[f"rise{level}"] = convolution(next(keys), (2, 2, width, width // 2))
        parameters[f"up{level}"] = _pair(keys, width, width // 2)
    parameters["classes"] = convolution(next(keys), (1, 1, spec.width, spec.classes))
    return parameters


def loss(parameters: Weights, batch: dict[str, jax.Array], spec: UnetModel, layers: Layers = "loop") -> jax.Array:
    """Return the mean cross entropy of the pixels [nat], with the moments of the batch in every norm."""
    return noted(parameters, batch, spec, layers)[0]


def noted(
    parameters: Weights, batch: dict[str, jax.Array], spec: UnetModel, layers: Layers = "loop"
) -> tuple[jax.Array, Statistics]:
    """Return the loss, and the moments that the norms had."""
    del layers  # they differ in size, so there is no loop
    found, used = logits(parameters, batch["inputs"], spec)
    with jax.named_scope("head"):
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(found, batch["labels"])), used


def judge(parameters: Weights, batch: dict[str, jax.Array], spec: UnetModel, known: Statistics) -> objectives.Verdict:
    """Return how the network does on the pixels of every image, with moments ``known`` from training."""
    return objectives.classified(logits(parameters, batch["inputs"], spec, known)[0], batch["labels"])


def frozen(parameters: Weights, batch: dict[str, jax.Array], spec: UnetModel) -> Weights:
    """Return what a trained network serves with: its parameters, and the moments of all norms, here of ``batch``."""
    _, used = logits(parameters, batch["inputs"], spec)
    return {**parameters, "moments": used}


def score(weights: Weights, batch: dict[str, jax.Array], spec: UnetModel, layers: Layers = "loop") -> jax.Array:
    """Return the class of every pixel, shape (rows, image, image); ``weights`` are those of :func:`frozen`."""
    del layers
    found, _ = logits(weights, batch["inputs"], spec, weights["moments"])
    with jax.named_scope("head"):
        return jnp.argmax(found, axis=-1)


def logits(
    parameters: Weights, images: jax.Array, spec: UnetModel, known: Statistics | None = None
) -> tuple[jax.Array, Statistics]:
    """Return the logits in float32, shape (rows, image, image, classes), and the moments of all norms.

    ``known`` are moments kept from training, to be used in place of the batch's.
    """
    used: Statistics = {}
    last = parameters["classes"]

    def twice(stream: jax.Array, name: str) -> jax.Array:
        for part, own in parameters[name].items():
            stream = convolve(stream, own["weight"], _BORDER)
            place = f"{name}/{part}"
            used[place] = moments(stream) if known is None else known[place]
            stream = jax.nn.relu(normalize(stream, own["norm"], used[place]))
        return stream

    streams = [twice(images.astype(last["weight"].dtype), "down0")]
    for level in range(1, spec.depth + 1):
        streams.append(twice(pool(streams[-1], 2, 2), f"down{level}"))
    stream = streams.pop()
    for level in range(spec.depth, 0, -1):
        risen = doubled(stream, parameters[f"rise{level}"])
        stream = twice(jnp.concatenate([streams.pop(), risen], axis=-1), f"up{level}")
    with jax.named_scope("head"):
        return (convolve(stream, last["weight"]) + last["bias"]).astype(jnp.float32), used


def _pair(keys: Iterator[jax.Array], inputs: int, width: int) -> Weights:
    return {
        name: {"weight": kernel(next(keys), (3, 3, before, width)), "norm": norm(width)}
        for name, before in (("first", inputs), ("second", width))
    }
