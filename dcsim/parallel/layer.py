"""What a rank executes for one micro batch in a layer of each kind, and what it sends: products, traffic, messages."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dcsim.parallel.parallelism import Parallelism, Precision
from dcsim.parallel.shape import Shape, seen_tokens

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Product:
    """``batch`` matrix products (m, k) x (k, n) of the forward pass, in every field one number a case.

    ``count`` is how many of them run, 0 where there are none.
    """

    name: str
    batch: Floats
    m: Floats
    n: Floats
    k: Floats
    count: Floats

    @property
    def flops(self) -> Floats:
        """Multiplications and additions of all [FLOP]."""
        return self.count * 2.0 * self.batch * self.m * self.n * self.k


EXPERTS_DOWN = "experts down"
"""Name of the product that reads what the activation function of experts gives."""

_WIDENING = ("query up", "key, value up")


def _count(there: NDArray[np.bool_]) -> Floats:
    return there.astype(np.float64)


def tokens(shape: Shape, plan: Parallelism) -> Floats:
    """Return the tokens of a micro batch that a rank holds, before sequence parallelism."""
    return plan.micro * shape.sequence / plan.context


def attention_products(shape: Shape, plan: Parallelism) -> tuple[Product, ...]:
    """Return the products of an attention layer but its core, of one rank and micro batch."""
    one, rows = np.ones_like(shape.hidden), tokens(shape, plan)
    latent = shape.key_rank > 0
    narrow = latent & (shape.query_rank > 0)
    heads, keys = shape.heads / plan.tensor, shape.width - shape.rotary_width
    groups = np.maximum(shape.groups / plan.tensor, 1.0)
    joint = (heads + groups) * shape.width + groups * shape.value_width
    return (
        Product("query, key, value", one, rows, joint, shape.hidden, _count(~latent)),
        Product("query", one, rows, heads * shape.width, shape.hidden, _count(latent & ~narrow)),
        Product("query down", one, rows, shape.query_rank, shape.hidden, _count(narrow)),
        Product("query up", one, rows, heads * shape.width, shape.query_rank, _count(narrow)),
        Product("key, value down", one, rows, shape.key_rank + shape.rotary_width, shape.hidden, _count(latent)),
        Product("key, value up", one, rows, heads * (keys + shape.value_width), shape.key_rank, _count(latent)),
        Product("out", one, rows, shape.hidden, heads * shape.value_width, one),
    )


def widening_products(shape: Shape, plan: Parallelism) -> tuple[Product, ...]:
    """Return the products by which latent attention widens its compressed queries, keys and values."""
    return tuple(one for one in attention_products(shape, plan) if one.name in _WIDENING)


def feed_products(shape: Shape, plan: Parallelism, width: Floats) -> tuple[Product, ...]:
    """Return the products of a dense feed-forward layer that is ``width`` wide."""
    one, rows = np.ones_like(shape.hidden), tokens(shape, plan)
    there = _count(width > 0)
    inner = width / plan.tensor
    return (
        Product("feed up", one, rows, (1.0 + shape.gated) * inner, shape.hidden, there),
        Product("feed down", one, rows, shape.hidden, inner, there),
    )


def last_products(shape: Shape, plan: Parallelism) -> tuple[Product, ...]:
    """Return the product whose result leaves the mean layer, of layers without experts, counted by their share."""
    dense = np.where(shape.mixture, shape.dense_layers / shape.layers, 1.0)
    _, down = feed_products(shape, plan, shape.ffn)
    return (replace(down, count=down.count * dense),)


def expert_products(shape: Shape, plan: Parallelism, load: float | Floats = 1.0) -> tuple[Product, ...]:
    """Return the router and the routed experts of a rank; experts are whole, each has ``load`` times the mean's tokens.

    Of the choices of a tensor group every rank takes its part; a rank holds ``experts / expert`` of the experts.
    """
    one, rows = np.ones_like(shape.hidden), tokens(shape, plan) / plan.tensor
    experts = np.maximum(shape.experts, 1.0)
    held = experts / plan.expert
    each = load * rows * shape.chosen / held
    there = _count(shape.mixture)
    return (
        Product("router", one, rows, experts, shape.hidden, there),
        Product("experts up", held, each, (1.0 + shape.gated) * shape.expert_ffn, shape.hidden, there),
        Product(EXPERTS_DOWN, held, each, shape.hidden, shape.expert_ffn, there),
    )


def head_products(shape: Shape, plan: Parallelism) -> tuple[Product, ...]:
    """Return the product that gives the logits."""
    one = np.ones_like(shape.hidden)
    return (
        Product("head", one, tokens(shape, plan) * shape.scored, shape.vocabulary / plan.tensor, shape.hidden, one),
    )


def core_flops(shape: Shape, plan: Parallelism) -> Floats:
    """Return what the attention core executes of one layer: scores and their product with the values [FLOP].

    Half of the square where attention is causal: kernels skip blocks above the diagonal. Context-parallel ranks hold
    early and late parts of the sequence, so that all have the same share.
    """
    each = 2.0 * seen_tokens(shape) * (shape.width + shape.value_width)
    return np.asarray(tokens(shape, plan) * shape.heads / plan.tensor * each)


def score_elements(shape: Shape, plan: Parallelism) -> Floats:
    """Return the scores of one layer that attention of several kernels writes: the whole square, masked or not."""
    return np.asarray(tokens(shape, plan) * shape.sequence * shape.heads / plan.tensor)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Elements a token that memory-bound kernels of a forward pass read or write, by what they hold.

    ``stream`` counts reads and writes of the hidden stream (norms, dropout, residuals), which tensor ranks repeat
    unless it is split along the sequence, ``norms`` of them for norms; ``inner`` those of the feed-forward layer's
    width, ``heads`` those of queries, keys and values.
    """

    stream: float = 12.0
    inner: float = 3.0
    heads: float = 4.0
    norms: float = 4.0


TRAFFIC = Traffic()
"""Textbook counts, from the kernels of a layer.

Two norms (read, write: 4), two residual additions with bias and dropout (read two, write one, and the mask: 8); the
activation of the feed-forward layer (read, write, bias); queries, keys and values once more for the layout of heads and
rotary positions (read, write, twice).
"""


def layer_traffic(shape: Shape, plan: Parallelism, inner: Floats) -> Floats:
    """Return the elements that memory-bound kernels of a layer move in the forward pass.

    ``inner`` is the width of what the activation reads and writes for a token, a gate included.
    """
    rows = tokens(shape, plan)
    split = np.where(plan.sequence > 0, plan.tensor, 1.0)
    heads = (shape.heads * shape.width + 2.0 * shape.groups * shape.width) / plan.tensor
    return np.asarray(
        rows * (TRAFFIC.stream * shape.hidden / split + TRAFFIC.inner * inner / plan.tensor + TRAFFIC.heads * heads)
    )


def stream_bytes(shape: Shape, plan: Parallelism, precision: Precision) -> Floats:
    """Return the hidden stream of a micro batch: what tensor ranks reduce and pipeline stages hand on [B]."""
    return np.asarray(tokens(shape, plan) * shape.hidden * precision.activation_bytes)


def routed_elements(shape: Shape, plan: Parallelism) -> Floats:
    """Return the elements of the tokens that a rank sends to experts, once for each choice."""
    return np.asarray(tokens(shape, plan) / plan.tensor * shape.chosen * shape.hidden * shape.mixture)
