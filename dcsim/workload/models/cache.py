"""The cache of a decoder: keys and values of the tokens so far, or the narrow vector of latent attention.

Every layer has room for so many tokens; where it looks back at a window only, for those of the window, and a new token
takes the place of the oldest one. The token at place p lies in slot p modulo the room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from dcsim.workload.models.abstract import array

if TYPE_CHECKING:
    from dcsim.scenario.models import Decoder

Cache = dict[str, Any]


class Size(NamedTuple):
    """Sequences, and the tokens that there is room for in each."""

    rows: int
    room: int


class Entry(NamedTuple):
    """The newest token of every row and its place in the sequence, both of shape (rows,)."""

    tokens: jax.Array
    places: jax.Array


def layout(spec: Decoder, size: Size, dtype: Any) -> Cache:
    """Return the abstract arrays of a cache, stacked as the layers are, in the number format ``dtype``."""
    dense = getattr(spec, "dense_layers", 0)
    if spec.window is None:
        found: Cache = {"blocks": _stack(spec, spec.layers - dense, size, dtype)}
    else:
        half, near = spec.layers // 2, Size(size.rows, min(size.room, spec.window))
        found = {"blocks": {"near": _stack(spec, half, near, dtype), "far": _stack(spec, half, size, dtype)}}
    return found | ({"dense_blocks": _stack(spec, dense, size, dtype)} if dense else {})


def _stack(spec: Decoder, layers: int, size: Size, dtype: Any) -> Cache:
    """Keys, of latent attention with what values are made of, and values, shape (layers, rows, room, groups, width)."""
    if spec.latent is not None:
        return {"keys": array((layers, *size, spec.latent.cached + spec.latent.rotary), dtype)}
    each = array((layers, *size, spec.groups_of_keys, spec.width_of_head), dtype)
    return {"keys": each, "values": each}


def filled(tokens: jax.Array, room: int) -> jax.Array:
    """Return a cache of ``room`` slots, shape (rows, room, ...), with the first tokens, shape (rows, length, ...)."""
    length = tokens.shape[1]
    if length <= room:
        return jnp.pad(tokens, ((0, 0), (0, room - length), *((0, 0) for _ in tokens.shape[2:])))
    return jnp.roll(tokens[:, length - room :], length % room, axis=1)


def slots(places: jax.Array, window: int | None) -> jax.Array:
    """Return (row, slot) of every row's newest token, shape (rows, 2)."""
    into = places if window is None else places % window
    return jnp.stack([jnp.arange(places.shape[0], dtype=into.dtype), into], axis=-1)


def added(cached: jax.Array, token: jax.Array, into: jax.Array) -> jax.Array:
    """Return the cache with one more token a row, shape (rows, 1, ...), in the ``slots`` of that name."""
    numbers = jax.lax.ScatterDimensionNumbers(tuple(range(1, cached.ndim - 1)), (0, 1), (0, 1))
    return jax.lax.scatter(
        cached, into, token[:, 0], numbers, indices_are_sorted=True, unique_indices=True, mode="promise_in_bounds"
    )


def before(places: jax.Array, room: int, window: int | None) -> jax.Array:
    """Return how far the token in every slot lies before the newest, shape (rows, room); below 0 where there is none.

    ``window`` is that of the layer, whose slots are used again and again.
    """
    back = places[:, None] - jnp.arange(room)[None, :]
    if window is None:
        return back
    around = back % window
    return jnp.where(around <= places[:, None], around, -1)
