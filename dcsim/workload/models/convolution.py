"""What convolutional networks share: convolutions with their first weights, batch norm, pooling; images are NHWC."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import prod, sqrt
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from dcsim.workload.models.layers import Weights

_EPSILON = 1e-5  # of the norm: an assumption that the usual frameworks share
_LAYOUT = ("NHWC", "HWIO", "NHWC")


class Moments(NamedTuple):
    """Mean and variance of every channel, shape (channels,), in float32."""

    mean: jax.Array
    variance: jax.Array


class Step(NamedTuple):
    """How a convolution moves: its stride, the border of zeros on each side, the distance of its taps."""

    stride: int = 1
    border: int = 0
    dilation: int = 1


def kernel(key: jax.Array, shape: tuple[int, ...], stack: tuple[int, ...] = ()) -> jax.Array:
    """Return float32 weights, shape (*stack, height, width, inputs, outputs): He et al. (ICCV 2015), equation 10."""
    return sqrt(2 / prod(shape[:-1])) * jax.random.normal(key, (*stack, *shape), jnp.float32)


def convolution(key: jax.Array, shape: tuple[int, ...]) -> Weights:
    """Return the parameters of a convolution with biases."""
    return {"weight": kernel(key, shape), "bias": jnp.zeros(shape[-1:], jnp.float32)}


def drawn_convolutions(key: jax.Array, shapes: Sequence[tuple[int, ...]]) -> list[Weights]:
    """Return the parameters of many convolutions with biases, of one draw: each draw takes a second to compile."""
    stops = list(accumulate(map(prod, shapes)))
    parts = jnp.split(jax.random.normal(key, (stops[-1],), jnp.float32), stops[:-1])
    return [
        {"weight": sqrt(2 / prod(shape[:-1])) * part.reshape(shape), "bias": jnp.zeros(shape[-1:], jnp.float32)}
        for part, shape in zip(parts, shapes, strict=True)
    ]


def norm(channels: int, stack: tuple[int, ...] = ()) -> Weights:
    """Return the parameters of batch norms, shape (*stack, channels)."""
    shape = (*stack, channels)
    return {"scale": jnp.ones(shape, jnp.float32), "shift": jnp.zeros(shape, jnp.float32)}


def convolve(stream: jax.Array, weight: jax.Array, step: Step = Step()) -> jax.Array:  # noqa: B008
    """Return the convolution of ``stream``, shape (rows, height, width, inputs)."""
    border = (step.border, step.border)
    return jax.lax.conv_general_dilated(
        stream,
        weight,
        (step.stride, step.stride),
        (border, border),
        rhs_dilation=(step.dilation, step.dilation),
        dimension_numbers=_LAYOUT,
    )


def doubled(stream: jax.Array, weights: Weights) -> jax.Array:
    """Return the transposed 2x2 convolution of stride 2 with biases: twice the height and width."""
    weight, bias = weights["weight"], weights["bias"]
    out: jax.Array = jax.lax.conv_transpose(stream, weight, (2, 2), "VALID", dimension_numbers=_LAYOUT) + bias
    return out


def moments(stream: jax.Array) -> Moments:
    """Return mean and variance of every channel over the rows and places of a batch."""
    mean = stream.astype(jnp.float32).mean(axis=(0, 1, 2))
    return Moments(mean, _spread(stream, mean))


def normalize(stream: jax.Array, weights: Weights, given: Moments) -> jax.Array:
    """Batch norm with the moments of the batch in training, or with those kept from training.

    Ioffe and Szegedy, "Batch Normalization" (ICML 2015), algorithm 1. Its input and the moments are kept for the
    backward pass, not the values in between.
    """
    out: jax.Array = _normalized(stream, weights, given)
    return out


def pool(stream: jax.Array, window: int, stride: int, borders: tuple[int, int] = (0, 0)) -> jax.Array:
    """Return the maxima of windows, with ``borders`` (before, after) that never win."""
    sizes, strides = (1, window, window, 1), (1, stride, stride, 1)
    padding = ((0, 0), borders, borders, (0, 0))
    found: jax.Array = jax.lax.reduce_window(stream, -jnp.inf, jax.lax.max, sizes, strides, padding)
    return found


def _spread_of(stream: jax.Array, mean: jax.Array) -> jax.Array:
    return jnp.square(stream.astype(jnp.float32) - mean).mean(axis=(0, 1, 2))


def _normalized_by(stream: jax.Array, weights: Weights, given: Moments) -> jax.Array:
    normal = (stream.astype(jnp.float32) - given.mean) * jax.lax.rsqrt(given.variance + _EPSILON)
    out: jax.Array = normal * weights["scale"] + weights["shift"]
    return out.astype(stream.dtype)


_spread: Any = jax.checkpoint(_spread_of, prevent_cse=False)
_normalized: Any = jax.checkpoint(_normalized_by, prevent_cse=False)
