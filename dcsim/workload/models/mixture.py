"""Decoders with mixtures of experts: those of `transformer.py` with the layers of `experts.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax

from dcsim.workload.models import blocks, experts, feed, transformer
from dcsim.workload.models.layers import Weights

if TYPE_CHECKING:
    from dcsim.scenario.models import MixtureModel

_KEYS = 32

batch = transformer.batch
loss = transformer.loss
score = transformer.score
judge = transformer.judge
JOINT = True
"""The capacity of an expert is shared by the tokens of a batch."""


def init(key: jax.Array, spec: MixtureModel) -> Weights:
    """Return the parameters; those of the first layers, which have no experts, are in a stack of their own."""
    keys = iter(jax.random.split(key, _KEYS))
    parameters = transformer.assembled(keys, spec, _blocks)
    if spec.dense_layers:
        parameters["dense_blocks"] = blocks.init(keys, spec, spec.dense_layers)
    return parameters


def _blocks(keys: feed.Keys, spec: MixtureModel, layers: int) -> Weights:
    mixed = layers - spec.dense_layers
    return {**blocks.attention_weights(keys, spec, mixed), **experts.weights(keys, spec, mixed)}
