"""Residual networks for classification: a stem, four stages of equal blocks, the mean over the image, a classifier.

He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016), Table 1, with the stride of a bottleneck at its
3x3 convolution as in the usual implementations. The blocks of a stage after its first are a loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]

from dcsim.workload.models import objectives
from dcsim.workload.models.abstract import array
from dcsim.workload.models.convolution import Moments, Step, convolve, kernel, moments, norm, normalize, pool
from dcsim.workload.models.layers import Weights, apply, dense, normal

if TYPE_CHECKING:
    from dcsim.scenario.models import ResnetModel
    from dcsim.workload.models import Layers

_EXPANSION = 4  # of a bottleneck
_STEM = 7
_DEVIATION = 0.01  # of the classifier's first weights: an assumption
Statistics = dict[str, Any]
JOINT = True
"""The images of a batch are normalized together."""


def batch(spec: ResnetModel, size: int) -> dict[str, Any]:
    """Return the abstract arrays of ``size`` images, shape (size, image, image, channels), and their labels."""
    images = array((size, spec.image, spec.image, spec.channels), jnp.float32)
    return {"inputs": images, "labels": array((size,), jnp.int32)}


def init(key: jax.Array, spec: ResnetModel) -> Weights:
    """Return the parameters; the blocks of a stage after its first are stacked."""
    keys = _endless(key)
    parameters: Weights = {
        "stem": {"weight": kernel(next(keys), (_STEM, _STEM, spec.channels, spec.width)), "norm": norm(spec.width)}
    }
    inputs = spec.width
    for stage, blocks in enumerate(spec.blocks):
        width = spec.width * 2**stage
        outputs = width * (_EXPANSION if spec.bottleneck else 1)
        first = _block(keys, (inputs, width, outputs))
        if inputs != outputs or stage:
            first["shortcut"] = {"weight": kernel(next(keys), (1, 1, inputs, outputs)), "norm": norm(outputs)}
        parameters[f"stage{stage}"] = {"first": first}
        if blocks > 1:
            parameters[f"stage{stage}"]["rest"] = _block(keys, (outputs, width, outputs), (blocks - 1,))
        inputs = outputs
    parameters["dense"] = dense(normal(next(keys), (inputs, spec.classes), _DEVIATION))
    return parameters


def loss(parameters: Weights, batch: dict[str, jax.Array], spec: ResnetModel, layers: Layers = "loop") -> jax.Array:
    """Return the mean cross entropy of the classes [nat], with the moments of the batch in every norm."""
    return noted(parameters, batch, spec, layers)[0]


def noted(
    parameters: Weights, batch: dict[str, jax.Array], spec: ResnetModel, layers: Layers = "loop"
) -> tuple[jax.Array, Statistics]:
    """Return the loss, and the moments that the norms had."""
    found, used = logits(parameters, batch["inputs"], spec, layers=layers)
    with jax.named_scope("head"):
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(found, batch["labels"])), used


def judge(parameters: Weights, batch: dict[str, jax.Array], spec: ResnetModel, known: Statistics) -> objectives.Verdict:
    """Return how the network does on every image, with moments ``known`` from training."""
    return objectives.classified(logits(parameters, batch["inputs"], spec, known)[0], batch["labels"])


def frozen(parameters: Weights, batch: dict[str, jax.Array], spec: ResnetModel) -> Weights:
    """Return what a trained network serves with: its parameters, and the moments of all norms, here of ``batch``."""
    _, used = logits(parameters, batch["inputs"], spec)
    return {**parameters, "moments": used}


def score(weights: Weights, batch: dict[str, jax.Array], spec: ResnetModel, layers: Layers = "loop") -> jax.Array:
    """Return the shares of the classes in float32, shape (rows, classes); ``weights`` are those of :func:`frozen`."""
    found, _ = logits(weights, batch["inputs"], spec, weights["moments"], layers)
    return objectives.scores("cross-entropy", found)


def logits(
    parameters: Weights, images: jax.Array, spec: ResnetModel, known: Statistics | None = None, layers: Layers = "loop"
) -> tuple[jax.Array, Statistics]:
    """Return the logits in float32, shape (rows, classes), and the moments of all norms.

    ``known`` are moments kept from training, to be used in place of the batch's.
    """
    stem = parameters["stem"]
    used: Statistics = {}
    stream = convolve(images.astype(stem["weight"].dtype), stem["weight"], Step(2, _STEM // 2))
    stream, used["stem"] = _normal(stream, stem["norm"], _of(known, "stem"))
    stream = pool(jax.nn.relu(stream), 3, 2, (1, 1))
    for stage in range(len(spec.blocks)):
        name = f"stage{stage}"
        stream, used[name] = _stage(stream, parameters[name], _of(known, name), (2 if stage else 1, layers))
    with jax.named_scope("head"):
        return apply(stream.mean(axis=(1, 2)), parameters["dense"]).astype(jnp.float32), used


def _stage(
    stream: jax.Array, weights: Weights, known: Statistics | None, how: tuple[int, Layers]
) -> tuple[jax.Array, Statistics]:
    """Take ``stream`` through the blocks of a stage; ``how`` are the stride of its first block and the layout."""
    stride, layers = how
    used: Statistics = {}
    stream, used["first"] = _residual(stream, weights["first"], _of(known, "first"), stride)
    if "rest" not in weights:
        return stream, used

    plain = partial(_residual, stride=1)
    step = jax.checkpoint(plain, prevent_cse=False) if layers == "recomputed" else plain
    rest = weights["rest"]
    count = jax.tree.leaves(rest)[0].shape[0] if layers == "unrolled" else 1
    if known is None:
        stream, used["rest"] = jax.lax.scan(lambda old, own: step(old, own, None), stream, rest, unroll=count)
    else:
        given = (rest, known["rest"])
        stream, used["rest"] = jax.lax.scan(lambda old, own: step(old, *own), stream, given, unroll=count)
    return stream, used


def _residual(
    stream: jax.Array, weights: Weights, known: Statistics | None, stride: int
) -> tuple[jax.Array, Statistics]:
    """Return the block's convolutions added to its input, or to its shortcut, and the moments of its norms."""
    out, used = stream, {}
    names = sorted(name for name in weights if name.startswith("convolution"))
    strided = 1 if len(names) == 3 else 0  # a bottleneck moves at its middle convolution
    for index, name in enumerate(names):
        weight = weights[name]["weight"]
        step = Step(stride if index == strided else 1, weight.shape[0] // 2)
        out, used[name] = _normal(convolve(out, weight, step), weights[name]["norm"], _of(known, name))
        if index < len(names) - 1:
            out = jax.nn.relu(out)
    if "shortcut" in weights:
        own = weights["shortcut"]
        short = convolve(stream, own["weight"], Step(stride))
        stream, used["shortcut"] = _normal(short, own["norm"], _of(known, "shortcut"))
    return jax.nn.relu(out + stream), used


def _normal(stream: jax.Array, weights: Weights, known: Moments | None) -> tuple[jax.Array, Moments]:
    given = moments(stream) if known is None else known
    return normalize(stream, weights, given), given


def _of(known: Statistics | None, name: str) -> Any:
    return None if known is None else known[name]


def _block(keys: Iterator[jax.Array], sizes: tuple[int, int, int], stack: tuple[int, ...] = ()) -> Weights:
    """Return the convolutions of a block: two of 3x3, or a bottleneck of 1x1, 3x3 and 1x1 where it widens."""
    inputs, width, outputs = sizes
    if width == outputs:
        shapes = [(3, 3, inputs, width), (3, 3, width, outputs)]
    else:
        shapes = [(1, 1, inputs, width), (3, 3, width, width), (1, 1, width, outputs)]
    return {
        f"convolution{index}": {"weight": kernel(next(keys), shape, stack), "norm": norm(shape[-1], stack)}
        for index, shape in enumerate(shapes)
    }


def _endless(key: jax.Array) -> Iterator[jax.Array]:
    """Yield one key after the other."""
    index = 0
    while True:
        yield jax.random.fold_in(key, index)
        index += 1
