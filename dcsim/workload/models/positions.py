"""Where a token stands: rotary angles for queries and keys, and the slopes of linear biases (ALiBi)."""

from __future__ import annotations

from math import log2
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray


class Angles(NamedTuple):
    """Cosines and sines of rotary positions, shape (length, turned width / 2), in float32."""

    cosine: jax.Array
    sine: jax.Array


def angles(places: jax.Array, width: int, base: float) -> Angles:
    """Return the angles at ``places``, shape (length,), of heads that turn ``width`` of their numbers.

    Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding" (2021), equation 15.
    """
    waves = base ** (-np.arange(0, width, 2, dtype=np.float32) / width)
    turned = places.astype(jnp.float32)[:, None] * waves
    return Angles(jnp.cos(turned), jnp.sin(turned))


def rotate(stream: jax.Array, by: Angles) -> jax.Array:
    """Turn the first numbers of every head, shape (rows, length, heads, width); pairs are a half apart as in Llama."""
    half = by.cosine.shape[-1]
    wide = stream[..., : 2 * half].astype(jnp.float32)
    first, second = wide[..., :half], wide[..., half:]
    cosine, sine = by.cosine[:, None, :], by.sine[:, None, :]
    turned = jnp.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)
    turned = turned.astype(stream.dtype)
    return turned if 2 * half == stream.shape[-1] else jnp.concatenate([turned, stream[..., 2 * half :]], axis=-1)


def slopes(heads: int) -> NDArray[np.float32]:
    """Return the slope of every head, shape (heads,).

    Press, Smith and Lewis, "Train Short, Test Long" (ICLR 2022), section 3: a geometric sequence; where the number of
    heads is no power of two, every other slope of the next longer sequence fills up, as in the authors' code.
    """
    whole = 2 ** int(log2(heads))
    longer = _geometric(2 * whole)[::2][: heads - whole]
    return np.concatenate([_geometric(whole), longer]).astype(np.float32)


def _geometric(heads: int) -> NDArray[np.float64]:
    found: NDArray[np.float64] = 2.0 ** (-8.0 * np.arange(1, heads + 1) / heads)
    return found
