"""Encoders with the two tasks of BERT's pre-training: hidden tokens, and whether the second segment follows the first.

Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers" (NAACL 2019), and the released code: norms after
the additions, a pooler, and a head of a dense layer with a norm before the table of tokens. Later encoders normalize
before: `norm_place`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]

from dcsim.workload.models import blocks, objectives, transformer
from dcsim.workload.models.abstract import array
from dcsim.workload.models.layers import Weights, activate, apply, dense, norm, normal, normalize

if TYPE_CHECKING:
    from dcsim.scenario.models import EncoderModel
    from dcsim.workload.models import Layers

_KEYS = 16
_FOLLOWS = 2  # classes of the second task: it does, it does not


def batch(spec: EncoderModel, size: int) -> dict[str, Any]:
    """Return the abstract arrays of ``size`` samples.

    ``inputs`` and ``segments`` have the shape (size, context), ``places`` and ``labels`` of the hidden tokens (size,
    masked), ``follows`` (size,).
    """
    whole, hidden = array((size, spec.context), jnp.int32), array((size, spec.masked), jnp.int32)
    arrays = {"inputs": whole, "segments": whole, "places": hidden, "labels": hidden}
    return {**arrays, "follows": array((size,), jnp.int32), **transformer.seeds(spec, size)}


def init(key: jax.Array, spec: EncoderModel) -> Weights:
    """Return the parameters; those of the blocks are stacked, shape (layers, ...)."""
    keys = iter(jax.random.split(key, _KEYS))
    width = spec.hidden
    parameters: Weights = {
        "tokens": normal(next(keys), (spec.vocabulary, width)),
        "segments": normal(next(keys), (spec.segments, width)),
        "embedding_norm": norm((width,), spec.norm),
        "blocks": blocks.init(keys, spec, spec.layers),
        "pooler": dense(normal(next(keys), (width, width))),
        "follows": dense(normal(next(keys), (width, _FOLLOWS))),
        "transform": {**dense(normal(next(keys), (width, width))), "norm": norm((width,), spec.norm)},
        "head_bias": jnp.zeros((spec.vocabulary,), jnp.float32),
    }
    if spec.positions == "learned":
        parameters["positions"] = normal(next(keys), (spec.context, width))
    if not spec.tied_head:
        parameters["head"] = normal(next(keys), (spec.vocabulary, width))
    return parameters


def loss(parameters: Weights, batch: dict[str, jax.Array], spec: EncoderModel, layers: Layers = "loop") -> jax.Array:
    """Return the mean cross entropy of the hidden tokens plus that of the second task [nat]."""
    stream = _last_stream(parameters, batch, spec, layers)
    with jax.named_scope("head"):
        tokens, follows = _both(parameters, stream, batch, spec)
        entropy = optax.softmax_cross_entropy_with_integer_labels(tokens, batch["labels"])
        second = optax.softmax_cross_entropy_with_integer_labels(follows, batch["follows"])
        return jnp.mean(entropy) + jnp.mean(second)


def score(parameters: Weights, batch: dict[str, jax.Array], spec: EncoderModel, layers: Layers = "loop") -> jax.Array:
    """Return the shares of the classes of the whole sample, shape (rows, classes), by the pooler and what is behind."""
    given = blocks.setting(spec, jnp.arange(spec.context), {})
    stream = encoded(parameters, batch, given, layers)
    with jax.named_scope("head"):
        return objectives.scores("cross-entropy", apply(pooled(stream, parameters), parameters["follows"]))


def judge(parameters: Weights, batch: dict[str, jax.Array], spec: EncoderModel) -> objectives.Verdict:
    """Return the loss of both tasks, and the share of the hidden tokens that were found."""
    tokens, follows = _both(parameters, _last_stream(parameters, batch, spec, "loop"), batch, spec)
    first = objectives.classified(tokens, batch["labels"])
    return first._replace(losses=first.losses + objectives.classified(follows, batch["follows"]).losses)


def _last_stream(parameters: Weights, batch: dict[str, jax.Array], spec: EncoderModel, layers: Layers) -> jax.Array:
    given = blocks.setting(spec, jnp.arange(spec.context), batch)
    return encoded(parameters, batch, given, layers)


def _both(
    parameters: Weights, stream: jax.Array, batch: dict[str, jax.Array], spec: EncoderModel
) -> tuple[jax.Array, jax.Array]:
    """Return the logits of the hidden tokens, and whether the second segment follows."""
    chosen = jnp.take_along_axis(stream, batch["places"][..., None], axis=1)
    tokens = _tokens(chosen, parameters, spec)
    return tokens, apply(pooled(stream, parameters), parameters["follows"]).astype(jnp.float32)


def encoded(
    parameters: Weights, batch: dict[str, jax.Array], given: blocks.Setting, layers: Layers = "loop"
) -> jax.Array:
    """Return the last stream of the batch, shape (rows, context, hidden)."""
    with jax.named_scope("embedding"):
        stream: jax.Array = parameters["tokens"][batch["inputs"]] + parameters["segments"][batch["segments"]]
        if "positions" in parameters:
            stream = stream + parameters["positions"]
        stream = normalize(stream, parameters["embedding_norm"])
    return blocks.run(stream, blocks.numbered(parameters["blocks"], given), partial(_block, given), layers)


def pooled(stream: jax.Array, parameters: Weights) -> jax.Array:
    """Return the summary of every sample, made of its first token, shape (rows, hidden)."""
    summary: jax.Array = jnp.tanh(apply(stream[:, 0], parameters["pooler"]))
    return summary


def _tokens(stream: jax.Array, parameters: Weights, spec: EncoderModel) -> jax.Array:
    """Return the logits of hidden tokens in float32, shape (rows, masked, vocabulary)."""
    wide = activate("gelu-exact", apply(stream, parameters["transform"]))
    table = parameters["tokens"] if spec.tied_head else parameters["head"]
    found: jax.Array = normalize(wide, parameters["transform"]["norm"]) @ table.T + parameters["head_bias"]
    return found.astype(jnp.float32)


def _block(given: blocks.Setting, stream: jax.Array, weights: Weights) -> jax.Array:
    """Return what one layer makes of ``stream``, with the norms after the additions or before the halves."""
    if cast("EncoderModel", given.spec).norm_place == "before":
        return blocks.block(given, stream, weights)
    stream = blocks.added(given, stream, blocks.attended(given, stream, weights), weights)
    stream = normalize(stream, weights["attention_norm"])
    with jax.named_scope("feed_forward"):
        stream = blocks.added(given, stream, blocks.fed(given, stream, weights), weights, 1)
        out: jax.Array = normalize(stream, weights["feed_norm"])
        return out
