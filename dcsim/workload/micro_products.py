"""The matrix products and convolutions that calibration times: what layers and their gradients do, over sizes.

Sizes are drawn at random, always the same ones: a grid would hold powers of two only, whose rows fall on each other in
caches, and would miss what kernels do with the rest of a vector.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, product
from math import log2, prod
from random import Random
from typing import Any

import jax
import jax.numpy as jnp

from dcsim.workload.models.abstract import array
from dcsim.workload.timing import Program

_SEED = 20260701
_WIDTHS = (10, 16, 24, 32, 48, 64, 96, 128, 160, 192, 256, 300, 384, 512, 640, 768, 1000, 1024, 1536, 2048, 3072)
_WIDE = (96, 128, 160, 192, 256, 300, 384, 512, 640, 768, 1000, 1024, 1536)
_ODD = (11, 21, 45, 77, 135, 209, 415)
_CHANNELS = (8, 16, 20, 24, 32, 48, 50, 64, 96, 128, 160, 192, 256, 384, 512)
_MANY = (16, 32, 48, 64, 96, 160, 192, 320, 384, 512, 512)
_FEW = (1, 2, 3, 4)  # input features of a first layer, for which kernels have cliffs
_LENGTHS = (16, 32, 50, 64, 96, 128, 160, 200, 256, 320, 512)
_SIDES = (2, 3, 4, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 48, 56, 64, 96)
_MOST, _LEAST = 8e8, 1e5  # FLOPs of a sample
_SLOW = 4e7  # FLOPs of a convolution whose window is larger than its image, at most: such are slow
_FIRST, _SMALL, _WINDOWS = (1, 3, 3), (3, 4, 8, 8, 12, 16, 16), (1, 3, 3, 3, 5)
_LARGE_SIDES = (32, 40, 56, 64, 96, 112, 150, 200, 256)
_MIDDLE, _MIDDLE_SIDES = (8, 16, 20, 24, 32, 48, 64, 96, 128), (12, 16, 24, 32, 40, 48, 64, 96)  # of most layers
_TRIPS = 2
_EVEN = 0.8  # share of layers whose inputs are no odd number
_DENSE, _LAYERS, _JOINT, _ATTENTION, _BATCHED = 32, 24, 36, 12, 8
_LARGEST = 1.5e9  # FLOPs of a layer
_PAIRS, _VECTOR, _NARROW, _IMAGES, _OVER, _RISING, _LOOPED, _USUAL = 8, 6, 8, 40, 14, 8, 32, 16


def products() -> Iterator[Program]:
    """Return programs of one matrix product each: dense layers, their gradients, attention, experts."""
    random = Random(_SEED)
    for _ in range(_DENSE):
        rows = random.choice((_whole(random, 1, 16), _whole(random, 8, 256), _whole(random, 128, 4096)))
        yield from _dense((rows,), *_widths(random, rows), "float32")
    for _ in range(_LAYERS):
        yield from _layer(random)
    for _ in range(_JOINT):
        rows, length = _whole(random, 2, 32), random.choice(_LENGTHS)
        *_, by_weight = _dense((rows, length), *_widths(random, rows * length), "float32")
        yield by_weight
    for _ in range(_NARROW):
        rows = _whole(random, 8, 1024)
        yield from _dense((rows,), *_widths(random, rows), "bfloat16")
    for _ in range(_VECTOR):
        yield from _dense((_whole(random, 256, 4096),), random.choice(_WIDTHS[6:]), 1, "float32")
    for _ in range(_ATTENTION):
        yield from _attention(random)
    for _ in range(_BATCHED):
        yield from _batched(random)
    for _ in range(_PAIRS):
        yield from _pairs(random)


def convolutions() -> Iterator[Program]:
    """Return programs of one convolution each, many of images: forward, by input and by kernel.

    Those kinds for which kernels differ have programs of their own: few features in large images, windows larger than
    the image, transposed convolutions, and gradients in the body of a loop.
    """
    random = Random(_SEED)
    for inputs, outputs in product(_FEW, _CHANNELS[::2]):
        yield next(_convolution((8, 20, 20, inputs), (3, 3, inputs, outputs), 1))
    for number in range(_IMAGES):
        first = number % 3 == 0
        yield from _drawn(random, _Draw(_FIRST if first else _CHANNELS, _CHANNELS, (3, 3, 5, 7) if first else _WINDOWS))
    for _ in range(_NARROW):
        yield from _drawn(random, _Draw(_SMALL, _SMALL, (3,), _LARGE_SIDES))
    for _ in range(_OVER):
        yield from _drawn(random, _Draw(_MANY, _MANY, (3, 3, 3, 5), (1, 2, 2, 2, 3), _SLOW))
    for _ in range(_RISING):
        yield from _rising(random)
    for _ in range(_LOOPED):
        images, kernel = _sizes(random, _Draw(_CHANNELS, _CHANNELS, _WINDOWS, limit=_SLOW))[:2]
        yield from _looped(images, kernel)
    for _ in range(_USUAL):
        yield from _drawn(random, _Draw(_MIDDLE, _MIDDLE, (3,), _MIDDLE_SIDES))


@dataclass(frozen=True, slots=True)
class _Draw:
    """What a convolution is drawn from: features of input and output, windows, sides, and the FLOPs at most."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    windows: tuple[int, ...]
    sides: tuple[int, ...] = _SIDES
    limit: float = _MOST


def _drawn(random: Random, draw: _Draw) -> Iterator[Program]:
    images, kernel, stride = _sizes(random, draw)
    yield from _convolution(images, kernel, stride)


def _sizes(random: Random, draw: _Draw) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    while True:
        count, side, stride = _whole(random, 1, 64), random.choice(draw.sides), random.choice((1, 1, 1, 2))
        inputs, outputs, window = (random.choice(each) for each in (draw.inputs, draw.outputs, draw.windows))
        flops = 2.0 * count * (max(side, stride) * window / stride) ** 2 * inputs * outputs
        if _LEAST < flops < (_SLOW if window > side // stride else draw.limit):
            return (count, side, side, inputs), (window, window, inputs, outputs), stride


def _rising(random: Random) -> Iterator[Program]:
    """Return a transposed convolution of stride 2, as on the way up of a U-Net, with its gradients."""
    while True:
        count, side = _whole(random, 1, 32), random.choice(_SIDES)
        inputs, outputs = random.choice(_CHANNELS), random.choice(_CHANNELS)
        if _LEAST < 8.0 * count * side**2 * inputs * outputs < _MOST / 8:
            break

    def rise(x: jax.Array, w: jax.Array) -> jax.Array:
        return jax.lax.conv_transpose(x, w, (2, 2), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    x, w = array((count, side, side, inputs), jnp.float32), array((2, 2, inputs, outputs), jnp.float32)
    yield from _linear(f"rise {x.shape} {outputs}", rise, x, w)


def _looped(images: tuple[int, ...], kernel: tuple[int, ...]) -> Iterator[Program]:
    """Return the gradients of a convolution in a loop over kernels, as of equal layers."""

    def convolve(x: jax.Array, w: jax.Array) -> jax.Array:
        numbers = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=numbers)

    x, stacked = array(images, jnp.float32), array((_TRIPS, *kernel), jnp.float32)
    y = jax.eval_shape(convolve, x, array(kernel, jnp.float32))
    gradients = array((_TRIPS, *y.shape), jnp.float32)

    def by_input(stacked: jax.Array, y: jax.Array) -> jax.Array:
        def trip(old: jax.Array, w: jax.Array) -> tuple[jax.Array, jax.Array]:
            return old, jax.linear_transpose(lambda x: convolve(x, w), x)(old)[0]

        return jax.lax.scan(trip, y, stacked)[1]

    def by_weight(x: jax.Array, gradients: jax.Array) -> jax.Array:
        w = array(kernel, jnp.float32)

        def trip(old: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
            return old, jax.linear_transpose(lambda w: convolve(old, w), w)(y)[0]

        return jax.lax.scan(trip, x, gradients)[1]

    yield Program(f"looped {images} {kernel} by input", by_input, (stacked, y))
    yield Program(f"looped {images} {kernel} by weight", by_weight, (x, gradients))


def _convolution(images: tuple[int, ...], kernel: tuple[int, ...], stride: int) -> Iterator[Program]:
    def convolve(x: jax.Array, w: jax.Array) -> jax.Array:
        numbers = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(x, w, (stride, stride), "SAME", dimension_numbers=numbers)

    x, w = array(images, jnp.float32), array(kernel, jnp.float32)
    yield from _linear(f"convolution {images} {kernel} {stride}", convolve, x, w)


def _widths(random: Random, rows: int) -> tuple[int, int]:
    """Return widths of the inputs and outputs of a layer that has ``rows`` rows."""
    while True:
        widths = random.choice(_WIDTHS if random.random() < _EVEN else _ODD), random.choice(_WIDTHS)
        if _LEAST < 2.0 * rows * prod(widths) < _MOST:
            return widths


def _dense(rows: tuple[int, ...], inputs: int, outputs: int, dtype: str) -> Iterator[Program]:
    x, w = array((*rows, inputs), jnp.dtype(dtype)), array((inputs, outputs), jnp.dtype(dtype))
    yield from _linear(f"dense {dtype} {rows} {inputs} {outputs}", lambda x, w: x @ w, x, w)


def _layer(random: Random) -> Iterator[Program]:
    """Return a layer of many rows and many features, as most layers are: the faster kernels, the larger they are."""
    while True:
        rows, inputs, outputs = _whole(random, 128, 2048), random.choice(_WIDE), random.choice(_WIDE)
        if 2.0 * rows * inputs * outputs < _LARGEST:
            break
    yield from _dense((rows,), inputs, outputs, "float32")


def _attention(random: Random) -> Iterator[Program]:
    """Return the scores and the mixing of values of one attention, with their gradients."""
    while True:
        rows, length = _whole(random, 1, 16), random.choice(_LENGTHS)
        heads, width = random.choice((1, 2, 4, 6, 8, 12)), random.choice((16, 24, 32, 48, 64, 80))
        if _LEAST < 2.0 * rows * length**2 * heads * width < _MOST / 4:
            break
    one, many = array((rows, length, heads, width), jnp.float32), array((rows, heads, length, length), jnp.float32)
    name = f"{rows} {length} {heads} {width}"
    yield from _linear(f"scores {name}", lambda q, k: jnp.einsum("bqhd,bkhd->bhqk", q, k), one, one)
    yield from _linear(f"mix {name}", lambda s, v: jnp.einsum("bhqk,bkhd->bqhd", s, v), many, one)


def _batched(random: Random) -> Iterator[Program]:
    while True:
        batch, rows = _whole(random, 4, 128), _whole(random, 4, 512)
        inputs, outputs = random.choice(_WIDTHS), random.choice(_WIDTHS)
        if _LEAST < 2.0 * batch * rows * inputs * outputs < _MOST / 2:
            break
    x, w = array((batch, rows, inputs), jnp.float32), array((batch, inputs, outputs), jnp.float32)
    yield from _linear(f"batched {x.shape} {outputs}", lambda x, w: jnp.einsum("bmk,bkn->bmn", x, w), x, w)


def _pairs(random: Random) -> Iterator[Program]:
    """Return the products of all pairs of a few vectors a sample, with a gradient."""
    batch, vectors, width = _whole(random, 32, 1024), _whole(random, 4, 48), random.choice((8, 16, 24, 48, 96, 128))
    x = array((batch, vectors, width), jnp.float32)
    yield from islice(_linear(f"pairs {x.shape}", lambda x, y: jnp.einsum("bid,bjd->bij", x, y), x, x), 2)


def _linear(name: str, function: Callable[..., Any], x: Any, w: Any) -> Iterator[Program]:
    """Return the bilinear ``function`` and its gradients, each alone."""
    y = jax.eval_shape(function, x, w)
    yield Program(name, function, (x, w))
    yield Program(f"{name} by input", lambda w, g: jax.linear_transpose(lambda x: function(x, w), x)(g)[0], (w, y))
    yield Program(f"{name} by weight", lambda x, g: jax.linear_transpose(lambda w: function(x, w), w)(g)[0], (x, y))


def _whole(random: Random, low: int, high: int) -> int:
    """Return a whole number between ``low`` and ``high``, even in its logarithm; half of them powers of two."""
    drawn: int = round(2.0 ** random.uniform(log2(low), log2(high)))
    return drawn if random.random() < 0.5 else 1 << (drawn.bit_length() - 1)
