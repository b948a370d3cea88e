"""Decoder-only transformers, with the defaults of GPT-2: learned positions, layer norm first, GELU by tanh.

Radford et al., "Language Models are Unsupervised Multitask Learners" (2019), and its released hyperparameters:
weights from a normal distribution of deviation 0.02, that of residual projections divided by sqrt(2 layers). What later
decoders changed is an option each: see `scenario/models.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]

from dcsim.workload.models import blocks, feed, objectives
from dcsim.workload.models.abstract import array
from dcsim.workload.models.layers import Weights, norm, normal, normalize

if TYPE_CHECKING:
    from dcsim.scenario.models import Attending, Decoder
    from dcsim.workload.models import Layers

_KEYS = 32
D = TypeVar("D", bound="Decoder")


def batch(spec: Decoder, size: int) -> dict[str, Any]:
    """Return the abstract arrays of ``size`` sequences: tokens and those that follow, shape (size, context)."""
    tokens = array((size, spec.context), jnp.int32)
    return {"inputs": tokens, "labels": tokens} | seeds(spec, size)


def seeds(spec: Attending, size: int) -> dict[str, Any]:
    """Return the abstract seeds of dropout, one number a sample, where there is dropout."""
    return {"seeds": array((size,), jnp.uint32)} if spec.dropout else {}


def init(key: jax.Array, spec: Decoder) -> Weights:
    """Return the parameters; those of the blocks are stacked, shape (layers, ...).

    Where every other layer has a window, "blocks" has a stack for the layers with one and a stack for those without.
    """
    return assembled(iter(jax.random.split(key, _KEYS)), spec, blocks.init)


def assembled(keys: feed.Keys, spec: D, stack: Callable[[feed.Keys, D, int], Weights]) -> Weights:
    """Return the parameters of a decoder whose equal layers are made by ``stack``."""
    parameters: Weights = {"tokens": normal(next(keys), (spec.vocabulary, spec.hidden))}
    if spec.positions == "learned":
        parameters["positions"] = normal(next(keys), (spec.position_rows or spec.context, spec.hidden))
    if spec.embedding_norm:
        parameters["embedding_norm"] = norm((spec.hidden,), spec.norm)
    if spec.window is None:
        parameters["blocks"] = stack(keys, spec, spec.layers)
    else:
        half = spec.layers // 2
        parameters["blocks"] = {"near": stack(keys, spec, half), "far": stack(keys, spec, half)}
    parameters["norm"] = norm((spec.hidden,), spec.norm)
    if not spec.tied_head:
        parameters["head"] = normal(next(keys), (spec.vocabulary, spec.hidden))
    return parameters


def loss(parameters: Weights, batch: dict[str, jax.Array], spec: Decoder, layers: Layers = "loop") -> jax.Array:
    """Return the mean cross entropy of the next token [nat]."""
    stream = _last_stream(parameters, batch, spec, layers)
    with jax.named_scope("head"):
        entropy = optax.softmax_cross_entropy_with_integer_labels(logits(stream, parameters, spec), batch["labels"])
        return jnp.mean(entropy)


def score(parameters: Weights, batch: dict[str, jax.Array], spec: Decoder, layers: Layers = "loop") -> jax.Array:
    """Return the log-likelihood of every token that follows [nat], shape (rows, length)."""
    stream = _served_stream(parameters, batch, spec, layers)
    with jax.named_scope("head"):
        return objectives.likelihood(logits(stream, parameters, spec), batch["labels"])


def judge(parameters: Weights, batch: dict[str, jax.Array], spec: Decoder) -> objectives.Verdict:
    """Return how well every sequence's next tokens are told; no token skips an expert."""
    stream = _served_stream(parameters, batch, spec, "loop")
    return objectives.classified(logits(stream, parameters, spec), batch["labels"])


def _last_stream(parameters: Weights, batch: dict[str, jax.Array], spec: Decoder, layers: Layers) -> jax.Array:
    given = blocks.setting(spec, jnp.arange(batch["inputs"].shape[1]), batch)
    return through(parameters, embedded(parameters, batch["inputs"], spec), given, layers)


def _served_stream(parameters: Weights, batch: dict[str, jax.Array], spec: Decoder, layers: Layers) -> jax.Array:
    given = blocks.setting(spec, jnp.arange(batch["inputs"].shape[1]), {})._replace(trained=False)
    return through(parameters, embedded(parameters, batch["inputs"], spec), given, layers)


def through(parameters: Weights, stream: jax.Array, given: blocks.Setting, layers: Layers = "loop") -> jax.Array:
    """Take ``stream`` through all layers."""
    if "dense_blocks" in parameters:
        first = blocks.numbered(parameters["dense_blocks"], given, first=cast("Decoder", given.spec).layers)
        stream = blocks.run(stream, first, partial(blocks.block, given), layers)
    return blocks.run(stream, blocks.numbered(parameters["blocks"], given), partial(_step, given), layers)


def embedded(parameters: Weights, tokens: jax.Array, spec: Decoder) -> jax.Array:
    """Return the first residual stream of ``tokens``, shape (rows, length), from place 0 on."""
    with jax.named_scope("embedding"):
        stream: jax.Array = parameters["tokens"][tokens]
        if spec.positions == "learned":
            stream = stream + _rows(parameters["positions"], tokens.shape[1], spec)
        return normalize(stream, parameters["embedding_norm"]) if spec.embedding_norm else stream


def _rows(table: jax.Array, length: int, spec: Decoder) -> jax.Array:
    """Return the positions of ``length`` tokens; a table that is too long has unused rows in front, as in OPT."""
    first = table.shape[0] - spec.context
    return table if (first, length) == (0, spec.context) else table[first : first + length]


def logits(stream: jax.Array, parameters: Weights, spec: Decoder) -> jax.Array:
    """Return the logits of the next token in float32, shape (rows, length, vocabulary)."""
    table = parameters["tokens"] if spec.tied_head else parameters["head"]
    found: jax.Array = normalize(stream, parameters["norm"]) @ table.T
    return found.astype(jnp.float32)


def _step(given: blocks.Setting, stream: jax.Array, weights: Weights) -> jax.Array:
    """Return what one layer makes of ``stream``, or two layers where every other one has a window."""
    if "near" not in weights:
        return blocks.block(given, stream, weights)
    near = blocks.block(given, stream, weights["near"], cast("Decoder", given.spec).window)
    return blocks.block(given, near, weights["far"])
