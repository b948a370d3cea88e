"""The single-shot detector: VGG-16, coarser and coarser maps behind it, and on each a class and a box an anchor.

Liu et al., "SSD: Single Shot MultiBox Detector" (ECCV 2016); for images of 300 pixels the layers are those of
torchvision's `ssd300_vgg16`. Ground truth is matched to anchors when samples are prepared: a batch has a class and a
box an anchor.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]

from dcsim.scenario.networks import loses_border
from dcsim.workload.models import anchors as places
from dcsim.workload.models import objectives
from dcsim.workload.models.abstract import array
from dcsim.workload.models.convolution import Step, convolve, drawn_convolutions, pool
from dcsim.workload.models.layers import Weights

if TYPE_CHECKING:
    from dcsim.scenario.models import DetectorModel
    from dcsim.workload.models import Layers

JOINT = True
"""The loss of a batch is by the objects in it."""
_BOX = 4
_NEGATIVES = 3.0  # anchors of the background that count, for each that holds something
_HALF = 0.5  # intersection over union from which a box is an object's
_SCALE = 20.0  # first scale of the normalized fourth stage
# The stages of VGG in units of the first width; between two of them a pool halves sides and rounds up.
_STAGES = (1, 2, 4, 8, 8)
_WIDE = 16  # of the two layers that were VGG's dense ones
# The maps behind, the first and all others: a narrow 1x1 convolution, then a 3x3 one that makes them coarser.
_EXTRAS = ((4, 8), (2, 4))


def batch(spec: DetectorModel, size: int) -> dict[str, Any]:
    """Return the abstract arrays of ``size`` images and the class (0: background) and box of each of their anchors."""
    return {
        "inputs": array((size, spec.image, spec.image, spec.channels), jnp.float32),
        "labels": array((size, spec.anchors), jnp.int32),
        "boxes": array((size, spec.anchors, _BOX), jnp.float32),
    }


def widths(spec: DetectorModel) -> tuple[int, ...]:
    """Return the channels of the maps."""
    behind = (_EXTRAS[index > 0][1] for index in range(len(spec.sides) - 2))
    return tuple(part * spec.width for part in (_STAGES[3], _WIDE, *behind))


def init(key: jax.Array, spec: DetectorModel) -> Weights:
    """Return the parameters."""
    count = sum(spec.convolutions)
    drawn = iter(drawn_convolutions(key, list(_shapes(spec))))
    maps = len(spec.sides)
    return {
        "backbone": list(islice(drawn, count)),
        "scale": jnp.full(widths(spec)[:1], _SCALE, jnp.float32),
        "wide": list(islice(drawn, 2)),
        "extras": [list(islice(drawn, 2)) for _ in range(maps - 2)],
        "classes": list(islice(drawn, maps)),
        "boxes": list(islice(drawn, maps)),
    }


def _shapes(spec: DetectorModel) -> Iterator[tuple[int, ...]]:
    """Yield height, width, inputs and outputs of every convolution."""
    unit, maps = spec.width, widths(spec)
    stages = [part * unit for part, count in zip(_STAGES, spec.convolutions, strict=True) for _ in range(count)]
    yield from ((3, 3, before, after) for before, after in pairwise([spec.channels, *stages]))
    yield from ((3, 3, stages[-1], maps[1]), (1, 1, maps[1], maps[1]))
    for index, (before, after) in enumerate(pairwise(maps[1:])):
        narrow = _EXTRAS[index > 0][0] * unit
        yield from ((1, 1, before, narrow), (3, 3, narrow, after))
    for outputs in (spec.classes, _BOX):
        yield from ((3, 3, width, count * outputs) for width, count in zip(maps, spec.anchors_a_place, strict=True))


def loss(parameters: Weights, batch: dict[str, jax.Array], spec: DetectorModel, layers: Layers = "loop") -> jax.Array:
    """Return the loss of Liu et al., equation 1 [nat an object]: cross entropy of the classes plus Huber of the boxes.

    The layers differ in size, so there is no loop.
    """
    del layers
    logits, boxes = predictions(parameters, batch["inputs"], spec)
    with jax.named_scope("head"):
        return multibox(logits, boxes, batch)


def score(
    parameters: Weights, batch: dict[str, jax.Array], spec: DetectorModel, layers: Layers = "loop"
) -> tuple[jax.Array, jax.Array]:
    """Return the shares of the classes and the boxes of all anchors; what overlaps is sorted out on the host."""
    del layers
    logits, boxes = predictions(parameters, batch["inputs"], spec)
    return objectives.scores("cross-entropy", logits), boxes


def judge(parameters: Weights, batch: dict[str, jax.Array], spec: DetectorModel) -> objectives.Verdict:
    """Return the loss of every image, and whether the surest detection is right: an object's class, and a box that
    overlaps that object's by half.
    """
    logits, offsets = predictions(parameters, batch["inputs"], spec)
    truth = {name: batch[name] for name in ("labels", "boxes")}
    losses = jax.vmap(lambda *one: multibox(*jax.tree.map(lambda part: part[None], one)))(logits, offsets, truth)
    return objectives.Verdict(losses, located(logits, offsets, truth, jnp.asarray(places.boxes(spec))))


def located(logits: jax.Array, offsets: jax.Array, batch: dict[str, jax.Array], anchors: jax.Array) -> jax.Array:
    """Return 1 for every image whose surest detection has the class and at least half the box of an object, else 0."""
    sure = jax.nn.softmax(logits)[:, :, 1:]
    place = sure.max(axis=2).argmax(axis=1)
    rows = jnp.arange(logits.shape[0])
    found = places.decode(offsets[rows, place], anchors[place])
    label = 1 + sure[rows, place].argmax(axis=1)
    near = places.overlap(found[:, None], places.decode(batch["boxes"], anchors)) >= _HALF
    right: jax.Array = (near & (batch["labels"] == label[:, None])).any(axis=1)
    return right.astype(jnp.float32)


def multibox(logits: jax.Array, boxes: jax.Array, batch: dict[str, jax.Array]) -> jax.Array:
    """Return the loss of predictions, by objects held.

    Of the anchors that hold nothing only those with the largest loss count, three for each that holds something.
    """
    entropy = optax.softmax_cross_entropy_with_integer_labels(logits, batch["labels"])
    held = batch["labels"] > 0
    place = jnp.argsort(jnp.argsort(jnp.where(held, 0.0, -entropy), axis=1), axis=1)
    hard = place < _NEGATIVES * held.sum(axis=1, keepdims=True)
    entropy = jnp.where(held | hard, entropy, 0.0)
    distance = jnp.where(held[..., None], optax.huber_loss(boxes, batch["boxes"]), 0.0)
    return (entropy.sum() + distance.sum()) / jnp.maximum(1, held.sum())


def predictions(parameters: Weights, images: jax.Array, spec: DetectorModel) -> tuple[jax.Array, jax.Array]:
    """Return logits, shape (rows, anchors, classes), and boxes, shape (rows, anchors, 4), in float32."""
    maps = _maps(parameters, images.astype(parameters["scale"].dtype), spec)
    with jax.named_scope("head"):
        classes = _heads(maps, parameters["classes"], spec.classes)
        return classes, _heads(maps, parameters["boxes"], _BOX)


def _heads(maps: list[jax.Array], heads: list[Weights], width: int) -> jax.Array:
    found = (convolve(each, own["weight"], Step(1, 1)) + own["bias"] for each, own in zip(maps, heads, strict=True))
    return jnp.concatenate([each.reshape(each.shape[0], -1, width) for each in found], axis=1).astype(jnp.float32)


def _maps(parameters: Weights, stream: jax.Array, spec: DetectorModel) -> list[jax.Array]:
    """Return the maps; the first is the fourth stage of VGG, normalized over its channels and scaled."""
    convolutions = iter(parameters["backbone"])
    maps = []
    for index, count in enumerate(spec.convolutions):
        if index:
            stream = pool(stream, 2, 2, (0, stream.shape[1] % 2))
        for _ in range(count):
            stream = _layer(stream, next(convolutions), Step(1, 1))
        if index == 3:
            wide = stream.astype(jnp.float32)
            length = jnp.sqrt(jnp.square(wide).sum(axis=-1, keepdims=True) + 1e-12)
            maps.append((wide / length * parameters["scale"]).astype(stream.dtype))
    stream = pool(stream, 3, 1, (1, 1))
    stream = _layer(stream, parameters["wide"][0], Step(1, 6, 6))
    maps.append(_layer(stream, parameters["wide"][1], Step()))
    for pair in parameters["extras"]:
        step = Step() if loses_border(maps[-1].shape[1]) else Step(2, 1)
        maps.append(_layer(_layer(maps[-1], pair[0], Step()), pair[1], step))
    return maps


def _layer(stream: jax.Array, weights: Weights, step: Step) -> jax.Array:
    return jax.nn.relu(convolve(stream, weights["weight"], step) + weights["bias"])
