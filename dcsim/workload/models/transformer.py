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

from dcsim.workload.models import attention, experts, feed, latent
from dcsim.workload.models.abstract import array
from dcsim.workload.models.layers import Weights, apply, dense, norm, normal, normalize
from dcsim.workload.models.positions import Angles, angles

if TYPE_CHECKING:
    from dcsim.scenario.models import Decoder, MixtureModel
    from dcsim.workload.models import Layers

_KEYS = 32
D = TypeVar("D", bound="Decoder")


def batch(spec: Decoder, size: int) -> dict[str, Any]:
    """Return the abstract arrays of ``size`` sequences: tokens and those that follow, shape (size, context)."""
    tokens = array((size, spec.context), jnp.int32)
    return {"inputs": tokens, "labels": tokens}


def init(key: jax.Array, spec: Decoder) -> Weights:
    """Return the parameters; those of the blocks are stacked, shape (layers, ...).

    Where every other layer has a window, "blocks" has a stack for the layers with one and a stack for those without.
    """
    return assembled(iter(jax.random.split(key, _KEYS)), spec, blocks)


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


def blocks(keys: feed.Keys, spec: Decoder, layers: int) -> Weights:
    """Return the parameters of ``layers`` equal layers, shape (layers, ...)."""
    return {**attention_weights(keys, spec, layers), **feed.weights(keys, spec, (layers,), spec.inner)}


def attention_weights(keys: feed.Keys, spec: Decoder, layers: int) -> Weights:
    """Return the parameters of the attention of ``layers`` layers, and of both norms."""
    width, own = spec.hidden, spec.heads * spec.width_of_head
    norms = {name: norm((layers, width), spec.norm) for name in ("attention_norm", "feed_norm")}
    if spec.latent is not None:
        return {**norms, **latent.weights(keys, spec, spec.latent, layers)}
    joint = own + 2 * spec.groups_of_keys * spec.width_of_head
    weights: Weights = {
        "query_key_value": dense(normal(next(keys), (layers, width, joint)), spec.bias),
        "projection": dense(normal(next(keys), (layers, own, width), feed.small(spec)), spec.bias),
    }
    if spec.sinks:
        weights["sinks"] = jnp.zeros((layers, spec.heads), jnp.float32)
    return {**norms, **weights}


def loss(parameters: Weights, batch: dict[str, jax.Array], spec: Decoder, layers: Layers = "loop") -> jax.Array:
    """Return the mean cross entropy of the next token [nat]."""
    turns = turned(spec, jnp.arange(batch["inputs"].shape[1]))
    stream = embedded(parameters, batch["inputs"], spec)
    if "dense_blocks" in parameters:
        stream = run(stream, parameters["dense_blocks"], partial(block, spec, turns), layers)
    stream = run(stream, parameters["blocks"], partial(step, spec, turns), layers)
    with jax.named_scope("head"):
        entropy = optax.softmax_cross_entropy_with_integer_labels(logits(stream, parameters, spec), batch["labels"])
        return jnp.mean(entropy)


def turned(spec: Decoder, places: jax.Array) -> Angles | None:
    """Return the angles of rotary positions, None where positions are of another kind."""
    if spec.positions != "rotary":
        return None
    width = 2 * int(spec.rotary_share * spec.width_of_head / 2) if spec.latent is None else spec.latent.rotary
    return angles(places, width, spec.rotary_base)


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


def run(stream: jax.Array, stack: Weights, step: Callable[..., Any], layers: Layers) -> jax.Array:
    """Take ``stream`` through the layers of ``stack``, of which ``step`` is one, laid out as ``layers`` says."""
    if layers == "recomputed":
        step = jax.checkpoint(step, prevent_cse=False)
    length = jax.tree.leaves(stack)[0].shape[0]
    unroll = length if layers == "unrolled" else 1
    stream, _ = jax.lax.scan(lambda old, own: (step(old, own), None), stream, stack, unroll=unroll)
    return stream


def logits(stream: jax.Array, parameters: Weights, spec: Decoder) -> jax.Array:
    """Return the logits of the next token in float32, shape (rows, length, vocabulary)."""
    table = parameters["tokens"] if spec.tied_head else parameters["head"]
    found: jax.Array = normalize(stream, parameters["norm"]) @ table.T
    return found.astype(jnp.float32)


def step(spec: Decoder, turns: Angles | None, stream: jax.Array, weights: Weights) -> jax.Array:
    """Return what one layer makes of ``stream``, or two layers where every other one has a window."""
    if spec.window is None:
        return block(spec, turns, stream, weights)
    near = block(spec, turns, stream, weights["near"], spec.window)
    return block(spec, turns, near, weights["far"])


def block(
    spec: Decoder, turns: Angles | None, stream: jax.Array, weights: Weights, window: int | None = None
) -> jax.Array:
    """Return what one layer makes of ``stream``: attention, then the feed-forward layer, each beside the residual."""
    return fed(attended(spec, turns, stream, weights, window), weights, spec)


def attended(
    spec: Decoder, turns: Angles | None, stream: jax.Array, weights: Weights, window: int | None = None
) -> jax.Array:
    """Return ``stream`` with what attention adds to it."""
    heads = heads_of(spec, turns, normalize(stream, weights["attention_norm"]), weights)
    reach = attention.Reach(True, window, spec.positions == "alibi", weights.get("sinks"))
    return stream + apply(attention.mixed(heads, reach), weights["projection"])


def heads_of(spec: Decoder, turns: Angles | None, stream: jax.Array, weights: Weights) -> attention.Heads:
    """Return queries, keys and values of ``stream``, which is normalized."""
    if spec.latent is not None and turns is not None:
        return latent.projected(stream, weights, spec.latent, turns)
    return attention.projected(stream, weights, spec, turns)


def fed(stream: jax.Array, weights: Weights, spec: Decoder) -> jax.Array:
    """Return ``stream`` with what the feed-forward layer, or its experts, add to it."""
    with jax.named_scope("feed_forward"):
        normal_ = normalize(stream, weights["feed_norm"])
        if "experts" in weights:
            return stream + experts.routed(normal_, weights, cast("MixtureModel", spec))
        return stream + feed.widened(normal_, weights, spec)
