"""Whole units taken out of a trained model: neurons, channels and heads, so that what is left is a smaller dense model.

H. Li et al., "Pruning filters for efficient ConvNets" (ICLR 2017): of every layer those units go whose incoming weights
have the least sum of magnitudes, without training again. Heads are units of their queries, keys and values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from dcsim.scenario.transformers import Attending

if TYPE_CHECKING:
    from dcsim.scenario.models import CnnModel, MlpModel, ModelSpec

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]
Tree = dict[str, Any]


def without(tree: Tree, spec: Any, share: float) -> tuple[Tree, ModelSpec]:
    """Return the parameters and the shape of a model without the ``share`` of the units of every hidden layer.

    At least one unit of a layer stays. ``tree`` are the parameters of a model that
    :func:`dcsim.scenario.smaller.has_units` says yes to.
    """
    if isinstance(spec, Attending):
        blocks, changes = _block(tree["blocks"], spec, share)
        return {**tree, "blocks": blocks}, cast("ModelSpec", spec.model_copy(update=changes))
    return _dense(tree, spec, share) if spec.family == "mlp" else _convolutional(tree, spec, share)


def strongest(weights: Floats, share: float) -> Indices:
    """Return which columns stay, in their order, shape (..., kept), of ``weights``, shape (..., inputs, columns)."""
    strength = np.abs(weights).sum(axis=-2)
    kept = max(1, strength.shape[-1] - round(share * strength.shape[-1]))
    return np.sort(np.argsort(-strength, axis=-1, kind="stable")[..., :kept], axis=-1)


def _dense(tree: Tree, spec: MlpModel, share: float) -> tuple[Tree, ModelSpec]:
    made, inputs, hidden = {}, np.arange(spec.inputs), []
    for index in range(len(spec.hidden)):
        layer = tree[f"layer{index}"]
        stay = strongest(layer["weight"], share)
        made[f"layer{index}"] = {"weight": layer["weight"][np.ix_(inputs, stay)], "bias": layer["bias"][stay]}
        inputs = stay
        hidden.append(len(stay))
    last = tree[f"layer{len(hidden)}"]
    made[f"layer{len(hidden)}"] = {**last, "weight": last["weight"][inputs]}
    return made, spec.model_copy(update={"hidden": tuple(hidden)})


def _convolutional(tree: Tree, spec: CnnModel, share: float) -> tuple[Tree, ModelSpec]:
    made, inputs, channels = {}, np.arange(spec.channels[0]), [spec.channels[0]]
    for index, width in enumerate(spec.channels[1:]):
        layer = tree[f"convolution{index}"]
        stay = strongest(layer["weight"].reshape(-1, width), share)
        made[f"convolution{index}"] = {
            "weight": layer["weight"][:, :, inputs][..., stay],
            "bias": layer["bias"][stay],
        }
        inputs = stay
        channels.append(len(stay))
    dense = tree["dense"]
    by_channel = dense["weight"].reshape(-1, spec.channels[-1], spec.classes)  # places first, as images are laid out
    made["dense"] = {**dense, "weight": by_channel[:, inputs].reshape(-1, spec.classes)}
    return made, spec.model_copy(update={"channels": tuple(channels)})


def _block(blocks: Tree, spec: Attending, share: float) -> tuple[Tree, dict[str, int]]:
    """Return the stacked layers with fewer heads and a narrower feed-forward layer, and the changes of the shape."""
    joint, width = blocks["query_key_value"], spec.width_of_head
    parts = joint["weight"].reshape(spec.layers, spec.hidden, 3, spec.heads, width)
    heads = strongest(parts.transpose(0, 1, 2, 4, 3).reshape(spec.layers, -1, spec.heads), share)
    places = (heads[..., None] * width + np.arange(width)).reshape(spec.layers, -1)
    thirds = np.concatenate([places + third * spec.heads * width for third in range(3)], axis=1)
    inner = strongest(blocks["expand"]["weight"], share)
    made = {
        **blocks,
        "query_key_value": _columns(joint, thirds),
        "projection": _rows(blocks["projection"], places),
        "expand": _columns(blocks["expand"], inner),
        "contract": _rows(blocks["contract"], inner),
    }
    if "gate" in blocks:
        made["gate"] = _columns(blocks["gate"], inner)
    kept = heads.shape[-1]
    given = {"heads": kept, "head_width": width, "feed_forward": inner.shape[-1]}
    return made, given | ({} if spec.key_value_heads is None else {"key_value_heads": kept})


def _columns(layers: Tree, stay: Indices) -> Tree:
    """Return stacked dense layers with the outputs ``stay``, shape (layers, kept), alone."""
    made = {**layers, "weight": np.take_along_axis(layers["weight"], stay[:, None, :], axis=2)}
    return made | ({"bias": np.take_along_axis(layers["bias"], stay, axis=1)} if "bias" in layers else {})


def _rows(layers: Tree, stay: Indices) -> Tree:
    """Return stacked dense layers with the inputs ``stay``, shape (layers, kept), alone."""
    return {**layers, "weight": np.take_along_axis(layers["weight"], stay[:, :, None], axis=1)}
