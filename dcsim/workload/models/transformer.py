"""The decoder-only transformer of GPT-2: learned positions, layer norm first, GELU by tanh, causal attention.

Radford et al., "Language Models are Unsupervised Multitask Learners" (2019), and its released hyperparameters:
weights from a normal distribution of deviation 0.02, that of residual projections divided by sqrt(2 layers).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import sqrt
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]

from dcsim.workload.models.abstract import array

if TYPE_CHECKING:
    from dcsim.scenario.workload import TransformerModel
    from dcsim.workload.models import Layers

_DEVIATION = 0.02
_EPSILON = 1e-5  # of the layer norm, as in the release


def batch(spec: TransformerModel, size: int) -> dict[str, Any]:
    """Return the abstract arrays of ``size`` sequences: tokens and those that follow, shape (size, context)."""
    tokens = array((size, spec.context), jnp.int32)
    return {"inputs": tokens, "labels": tokens}


def init(key: jax.Array, spec: TransformerModel) -> dict[str, Any]:
    """Return the parameters; those of the blocks are stacked, shape (layers, ...)."""
    layers, width, inner = spec.layers, spec.hidden, spec.feed_forward or 4 * spec.hidden
    keys = iter(jax.random.split(key, 7))
    small = _DEVIATION / sqrt(2 * layers)
    parameters = {
        "tokens": _normal(next(keys), (spec.vocabulary, width)),
        "positions": _normal(next(keys), (spec.context, width)),
        "blocks": {
            "attention_norm": _norm((layers, width)),
            "query_key_value": _dense(_normal(next(keys), (layers, width, 3 * width))),
            "projection": _dense(_normal(next(keys), (layers, width, width), small)),
            "feed_norm": _norm((layers, width)),
            "expand": _dense(_normal(next(keys), (layers, width, inner))),
            "contract": _dense(_normal(next(keys), (layers, inner, width), small)),
        },
        "norm": _norm((width,)),
    }
    if not spec.tied_head:
        parameters["head"] = _normal(next(keys), (spec.vocabulary, width))
    return parameters


def loss(
    parameters: dict[str, Any], batch: dict[str, jax.Array], spec: TransformerModel, layers: Layers = "loop"
) -> jax.Array:
    """Return the mean cross entropy of the next token [nat]."""
    with jax.named_scope("embedding"):
        stream = parameters["tokens"][batch["inputs"]] + parameters["positions"]
    block: Callable[..., jax.Array] = partial(_block, heads=spec.heads)
    if layers == "recomputed":
        block = jax.checkpoint(block, prevent_cse=False)
    unroll = spec.layers if layers == "unrolled" else 1
    stream, _ = jax.lax.scan(lambda old, own: (block(old, own), None), stream, parameters["blocks"], unroll=unroll)
    with jax.named_scope("head"):
        table = parameters["tokens"] if spec.tied_head else parameters["head"]
        logits = _normalize(stream, parameters["norm"]) @ table.T
        entropy = optax.softmax_cross_entropy_with_integer_labels(logits.astype(jnp.float32), batch["labels"])
        return jnp.mean(entropy)


def _block(stream: jax.Array, weights: dict[str, Any], heads: int) -> jax.Array:
    mixed = _attention(_normalize(stream, weights["attention_norm"]), weights, heads)
    stream = stream + _apply(mixed, weights["projection"])
    with jax.named_scope("feed_forward"):
        wide = _gelu(_apply(_normalize(stream, weights["feed_norm"]), weights["expand"]))
        return stream + _apply(wide, weights["contract"])


def _attention(stream: jax.Array, weights: dict[str, Any], heads: int) -> jax.Array:
    """Causal attention; the core, which a fused kernel replaces, is the scope "attention"."""
    rows, length, width = stream.shape
    joint = _apply(stream, weights["query_key_value"]).reshape(rows, length, 3, heads, width // heads)
    query, key, value = joint[:, :, 0], joint[:, :, 1], joint[:, :, 2]
    with jax.named_scope("attention"):
        scores = jnp.einsum("bqhd,bkhd->bhqk", query, key).astype(jnp.float32) / sqrt(width // heads)
        causal = jnp.tril(jnp.ones((length, length), dtype=bool))
        shares = jax.nn.softmax(jnp.where(causal, scores, -jnp.inf), axis=-1).astype(stream.dtype)
        mixed = jnp.einsum("bhqk,bkhd->bqhd", shares, value)
    return mixed.reshape(rows, length, width)


@partial(jax.checkpoint, prevent_cse=False)
def _gelu(stream: jax.Array) -> jax.Array:
    """Keep the input for the backward pass, not the intermediate values, as the usual kernels do."""
    return jax.nn.gelu(stream)


@partial(jax.checkpoint, prevent_cse=False)
def _normalize(stream: jax.Array, weights: dict[str, jax.Array]) -> jax.Array:
    """Layer norm, its statistics in float32 as mixed precision has it; only its input is kept for the backward pass."""
    wide = stream.astype(jnp.float32)
    mean = wide.mean(axis=-1, keepdims=True)
    variance = jnp.square(wide - mean).mean(axis=-1, keepdims=True)
    normal = (wide - mean) * jax.lax.rsqrt(variance + _EPSILON)
    return (normal * weights["scale"] + weights["shift"]).astype(stream.dtype)


def _apply(stream: jax.Array, weights: dict[str, jax.Array]) -> jax.Array:
    return stream @ weights["weight"] + weights["bias"]


def _normal(key: jax.Array, shape: tuple[int, ...], deviation: float = _DEVIATION) -> jax.Array:
    return deviation * jax.random.normal(key, shape, jnp.float32)


def _dense(weight: jax.Array) -> dict[str, jax.Array]:
    return {"weight": weight, "bias": jnp.zeros((*weight.shape[:-2], weight.shape[-1]), jnp.float32)}


def _norm(shape: tuple[int, ...]) -> dict[str, jax.Array]:
    return {"scale": jnp.ones(shape, jnp.float32), "shift": jnp.zeros(shape, jnp.float32)}
