"""Attention of decoders and encoders: heads that may share keys, rotary or linear positions, windows, sinks.

Vaswani et al., "Attention Is All You Need" (2017); grouped queries: Ainslie et al., "GQA" (EMNLP 2023). The core, which
a fused kernel replaces, is the scope "attention".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dcsim.workload.models.layers import Weights, apply
from dcsim.workload.models.positions import Angles, rotate, slopes

if TYPE_CHECKING:
    from dcsim.scenario.models import Attending


class Heads(NamedTuple):
    """Queries, shape (rows, length, heads, width), and keys and values, shape (rows, length, groups, width)."""

    query: jax.Array
    key: jax.Array
    value: jax.Array


@dataclass(frozen=True)
class Reach:
    """Which keys a query sees, and how its scores are shifted.

    ``first`` is the place of the first query: later than 0 where keys were cached before. ``window`` is how many last
    tokens are seen, itself included; ``linear`` shifts by distance (ALiBi); ``sinks``, shape (heads,), are logits
    beside the scores; ``there``, shape (rows, keys), says which keys exist. Where a single query a row meets cached
    keys, ``before``, shape (rows, keys), is how far each of them lies before it, negative where there is none; it
    takes the place of the rest.
    """

    causal: bool = True
    window: int | None = None
    linear: bool = False
    sinks: jax.Array | None = None
    first: jax.Array | int = 0
    there: jax.Array | None = None
    before: jax.Array | None = None


def projected(stream: jax.Array, weights: Weights, spec: Attending, angles: Angles | None) -> Heads:
    """Return the heads of ``stream``, shape (rows, length, hidden), turned where positions are rotary."""
    rows, length, _ = stream.shape
    groups, width = spec.groups_of_keys, spec.width_of_head
    joint = apply(stream, weights["query_key_value"])
    stops = (spec.heads * width, (spec.heads + groups) * width)
    parts = jnp.split(joint, stops, axis=-1)
    heads = Heads(*(part.reshape(rows, length, -1, width) for part in parts))
    if angles is None:
        return heads
    with jax.named_scope("rotary"):
        return Heads(rotate(heads.query, angles), rotate(heads.key, angles), heads.value)


def mixed(heads: Heads, reach: Reach) -> jax.Array:
    """Return the values mixed by attention, shape (rows, length, heads x width)."""
    rows, length, _, _ = heads.query.shape
    with jax.named_scope("attention"):
        if reach.before is None and reach.window is not None and reach.window < length and length % reach.window == 0:
            out = _blocked(heads, reach, reach.window)
        else:
            out = _core(heads, reach)
    return out.reshape(rows, length, -1)


def _core(heads: Heads, reach: Reach) -> jax.Array:
    """Every query against every key; where keys are shared, the queries of a group are one more axis."""
    length, width = heads.query.shape[1], heads.query.shape[3]
    groups = heads.key.shape[2]
    shared = heads.query.shape[2] // groups
    if shared == 1:
        scores = jnp.einsum("bqhd,bkhd->bhqk", heads.query, heads.key).astype(jnp.float32) / sqrt(width)
    else:
        query = heads.query.reshape(*heads.query.shape[:2], groups, shared, width)
        scores = jnp.einsum("bqgsd,bkgd->bgsqk", query, heads.key).astype(jnp.float32) / sqrt(width)
    shares = _shares(scores, reach, length).astype(heads.query.dtype)
    if shared == 1:
        return jnp.einsum("bhqk,bkhd->bqhd", shares, heads.value)
    return jnp.einsum("bgsqk,bkgd->bqgsd", shares, heads.value)


def _shares(scores: jax.Array, reach: Reach, length: int) -> jax.Array:
    """Return the softmax over the keys that a query sees; the axes but the first and the last two are heads."""
    places = scores.shape[-1]
    heads = scores.shape[1:-2]
    if reach.linear:
        distance = jnp.abs(_before(reach, length, scores.shape))
        scores = scores - jnp.asarray(slopes(int(np.prod(heads)))).reshape(*heads, 1, 1) * distance
    if reach.before is not None:
        scores = jnp.where(_before(reach, length, scores.shape) >= 0, scores, -jnp.inf)
    elif reach.causal:
        scores = jnp.where(_seen(length, places, reach), scores, -jnp.inf)
    if reach.there is not None:
        scores = jnp.where(reach.there.reshape(-1, *(1 for _ in heads), 1, places), scores, -jnp.inf)
    if reach.sinks is None:
        return jax.nn.softmax(scores, axis=-1)
    sinks = jnp.broadcast_to(reach.sinks.astype(jnp.float32).reshape(*heads, 1, 1), (*scores.shape[:-1], 1))
    return jax.nn.softmax(jnp.concatenate([scores, sinks], axis=-1), axis=-1)[..., :-1]


def _seen(length: int, places: int, reach: Reach) -> jax.Array:
    if reach.window is None and isinstance(reach.first, int) and length == places:
        return jnp.tril(jnp.ones((length, length), dtype=bool))
    distance = _distance(length, places, reach.first)
    seen = distance >= 0
    return seen if reach.window is None else seen & (distance < reach.window)


def _before(reach: Reach, length: int, shape: tuple[int, ...]) -> jax.Array:
    """Return how far a key lies before a query, negative after it, with the axes of scores of ``shape``."""
    if reach.before is None:
        return _distance(length, shape[-1], reach.first)
    return reach.before.reshape(shape[0], *(1 for _ in shape[1:-1]), shape[-1])


def _distance(length: int, places: int, first: jax.Array | int) -> jax.Array:
    """Return how far a key lies before a query, shape (length, places); negative after it."""
    return first + jnp.arange(length)[:, None] - jnp.arange(places)[None, :]


def _blocked(heads: Heads, reach: Reach, window: int) -> jax.Array:
    """Attention by blocks of the size of the window: a block of queries sees its own keys and those before."""
    rows, length, _, width = heads.query.shape
    blocks = length // window
    key, value = (_with_previous(array, blocks, window) for array in (heads.key, heads.value))
    query = heads.query.reshape(rows * blocks, window, -1, width)
    # Before the first block there are no keys, only zeros.
    there = (jnp.arange(rows * blocks)[:, None] % blocks > 0) | (jnp.arange(2 * window)[None, :] >= window)
    return _core(Heads(query, key, value), replace(reach, window=window, first=window, there=there))


def _with_previous(array: jax.Array, blocks: int, window: int) -> jax.Array:
    rows, _, groups, width = array.shape
    own = array.reshape(rows, blocks, window, groups, width)
    before = jnp.pad(own[:, :-1], ((0, 0), (1, 0), (0, 0), (0, 0), (0, 0)))
    return jnp.concatenate([before, own], axis=2).reshape(rows * blocks, 2 * window, groups, width)
