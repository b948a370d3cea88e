"""Low-rank adapters: E. Hu et al., "LoRA: Low-rank adaptation of large language models", ICLR 2022, section 4.

A matrix W of k x n stays as it is; A of k x r and B of r x n are trained, and the layer computes x W + x A B.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dcsim.parallel.layer import Product, tokens
from dcsim.parallel.parallelism import Parallelism
from dcsim.parallel.shape import Shape

Floats = NDArray[np.float64]

_READS, _WRITES = 3.0, 4.0


@dataclass(frozen=True, slots=True)
class Adapters:
    """Adapters of dense decoders with plain attention, every field of shape (cases,).

    ``rank`` is the width between the two matrices; ``attention`` and ``feed`` are 1 where queries, keys, values and the
    output, or all matrices of feed-forward layers, have adapters. Without any, all of the model's own weights are
    trained, or what is trained beside them is left out.
    """

    rank: Floats = field(default_factory=lambda: np.ones(1))
    attention: Floats = field(default_factory=lambda: np.zeros(1))
    feed: Floats = field(default_factory=lambda: np.zeros(1))


def adapter_parameters(shape: Shape, adapters: Adapters) -> Floats:
    """Return the parameters of all adapters of a model: r (k + n) for every matrix of k x n."""
    sizes = sum(there * (inputs + outputs) for there, inputs, outputs in _matrices(shape, adapters))
    return np.asarray(shape.layers * adapters.rank * sizes)


def narrow_elements(shape: Shape, adapters: Adapters) -> Floats:
    """Return what the adapters of a layer keep of a token beside what they read: x A, for the gradient of B.

    Every tensor rank keeps all of it, since r columns are too few to be shared.
    """
    return np.asarray(adapters.rank * sum(there for there, _, _ in _matrices(shape, adapters)))


def adapter_products(shape: Shape, plan: Parallelism, adapters: Adapters) -> tuple[Product, ...]:
    """Return the products of the adapters of a layer, of one rank and micro batch; tensor ranks share them evenly."""
    one, rows, rank = np.ones_like(shape.hidden), tokens(shape, plan), adapters.rank
    found: list[Product] = []
    for there, inputs, outputs in _matrices(shape, adapters):
        found.append(Product("adapter down", one, rows, rank, inputs / plan.tensor, there * one))
        found.append(Product("adapter up", one, rows, outputs / plan.tensor, rank, there * one))
    return tuple(found)


def adapter_traffic(shape: Shape, plan: Parallelism, adapters: Adapters) -> Floats:
    """Return the elements that kernels of a layer's adapters move in the forward pass, of one rank and micro batch.

    Of what matrices read, dropout reads and writes it, and A reads it; of what they write, B writes as much, and adding
    it reads two and writes one. Matrices that read the same have one adapter: queries, keys and values; gate and up.
    """
    heads = shape.heads * shape.width + shape.groups * (shape.width + shape.value_width)
    values = shape.heads * shape.value_width
    attention = _READS * (shape.hidden + values) + _WRITES * (heads + shape.hidden)
    feed = _READS * (shape.hidden + shape.ffn) + _WRITES * ((1.0 + shape.gated) * shape.ffn + shape.hidden)
    each = adapters.attention * attention + adapters.feed * feed
    return np.asarray(tokens(shape, plan) / plan.tensor * each)


def _matrices(shape: Shape, adapters: Adapters) -> list[tuple[Floats, Floats, Floats]]:
    """Return the matrices of a layer: whether they have adapters or how many alike do, what they read and write."""
    hidden, heads = shape.hidden, shape.heads
    return [
        (adapters.attention, hidden, heads * shape.width),
        (adapters.attention, hidden, shape.groups * shape.width),
        (adapters.attention, hidden, shape.groups * shape.value_width),
        (adapters.attention, heads * shape.value_width, hidden),
        (adapters.feed * (1.0 + shape.gated), hidden, shape.ffn),
        (adapters.feed, shape.ffn, hidden),
    ]
