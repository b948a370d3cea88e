"""The time of the kernels of a training step, for many cases at once: products, attention, memory-bound kernels.

What a device attains is a share of its data sheet's peaks, lowered by how a product's tiles fill the device's cores and
by how deep the product is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SUM_BYTES = 8.0
"""What a product moves for an element of a sum in 32 bits that it reads and writes [B]."""

TILE = 128.0
"""Rows and columns of a result that one core computes at a time: CUTLASS's usual tile of 128 x 128."""


@dataclass(frozen=True, slots=True)
class Chip:
    """What products and kernels can use of a device, every field of shape (cases,).

    ``rate`` is the peak of the format that products run in and ``rate16`` that of 16 bits [FLOP/s], ``bandwidth`` that
    of memory [B/s]; ``cores`` is how many tiles run at once. ``product``, ``attention`` and ``memory`` are the shares
    attained of them [1], and ``depth`` is the depth of a product at which filling and draining the pipeline of a tile
    take as long as its work.
    """

    rate: Floats
    rate16: Floats
    bandwidth: Floats
    cores: Floats
    product: Floats
    product16: Floats
    attention: Floats
    memory: Floats
    depth: Floats


def filled(m: Floats, n: Floats, batch: Floats, cores: Floats) -> Floats:
    """Return the share of the cores' work that is asked for: quantization into tiles, and of tiles into waves [1].

    NVIDIA, "Matrix multiplication background user's guide" (2023), sections 4.2 and 4.3. A product of less than a wave
    is cut along its depth too, so that at least half of the cores work.
    """
    along_m, along_n = np.ceil(m / TILE), np.ceil(n / TILE)
    tiles = batch * along_m * along_n
    inside = np.where(tiles > 0, batch * m * n / np.maximum(tiles * TILE * TILE, 1.0), 1.0)
    waves = tiles / cores
    full = waves / np.ceil(np.maximum(waves, 1e-9))
    return np.asarray(np.maximum(inside, 0.05) * np.maximum(full, 0.5))


def product_seconds(sizes: tuple[Floats, Floats, Floats, Floats], chip: Chip, narrow: bool = True) -> Floats:
    """Return the time of ``batch`` products (m, k) x (k, n), ``sizes`` being (batch, m, n, k) [s].

    The longer of arithmetic and of moving both operands and the result once. ``narrow`` products run in the format of
    ``chip.rate``, others in 16 bits.
    """
    batch, m, n, k = sizes
    moved = 2.0 * batch * (m * k + k * n + m * n)
    return np.asarray(np.maximum(_arithmetic(sizes, chip, narrow), traffic_seconds(moved, chip)))


def adding_seconds(sizes: tuple[Floats, Floats, Floats, Floats], chip: Chip, narrow: bool = True) -> Floats:
    """Return the time of products as :func:`product_seconds` that add their results to sums in 32 bits [s].

    Tiles read and write their part of the sum when they are done, which the arithmetic of others covers in part:
    the norm of order 2 of both times. An assumption, by the errors of runs that the fit did not see: orders 1, 3
    and the maximum are worse.
    """
    batch, m, n, k = sizes
    moved = batch * (2.0 * (m * k + k * n) + SUM_BYTES * m * n)
    return np.asarray(np.hypot(_arithmetic(sizes, chip, narrow), traffic_seconds(moved, chip)))


def _arithmetic(sizes: tuple[Floats, Floats, Floats, Floats], chip: Chip, narrow: bool) -> Floats:
    batch, m, n, k = sizes
    rate = chip.rate * chip.product if narrow else chip.rate16 * chip.product16
    attained = rate * filled(m, n, batch, chip.cores) * k / (k + chip.depth)
    return np.asarray(2.0 * batch * m * n * k / np.maximum(attained, 1.0))


def traffic_seconds(moved_bytes: Floats, chip: Chip) -> Floats:
    """Return the time of memory-bound kernels that move ``moved_bytes`` [s]."""
    return moved_bytes / (chip.bandwidth * chip.memory)


def attention_seconds(flops: Floats, chip: Chip) -> Floats:
    """Return the time of fused attention that executes ``flops`` in 16 bits [s].

    T. Dao, "FlashAttention-2" (2023).
    """
    return flops / (chip.rate16 * chip.attention)


def at_least(gpu_s: Floats, cpu_s: Floats, sharpness: float | Floats = 8.0) -> Floats:
    """Return the time of kernels that take ``gpu_s`` and whose launches take ``cpu_s`` on the host [s].

    The host runs ahead, so that the longer one counts; where both are alike, each waits for the other now and then: the
    norm of the order ``sharpness``, an assumption that is at most 9 % above the maximum.
    """
    longest = np.maximum(np.maximum(gpu_s, cpu_s), 1e-30)
    return np.asarray(longest * ((gpu_s / longest) ** sharpness + (cpu_s / longest) ** sharpness) ** (1 / sharpness))
