"""The shape of a transformer as numbers, or as arrays of numbers: one model, or the models of many plans at once."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of transformers, every field of shape (cases,).

    Attributes
    ----------
    layers, hidden, heads, groups, width, value_width
        Layers, width of the stream, heads of queries, heads of keys and values, width of a head of queries and keys,
        and of one of values.
    query_rank, key_rank, rotary_width
        Latent attention (DeepSeek-V2, 2024): widths of the compressed queries, of the compressed keys with values, and
        of the keys that carry positions; 0 where attention is plain.
    ffn, gated
        Width of a dense feed-forward layer; 1 where it has a gate, which is a second matrix of that width.
    experts, chosen, expert_ffn, shared_ffn
        Routed experts of a layer (0: a dense model), how many a token goes to, the width of one, and the width of all
        experts together that every token passes.
    dense_layers
        Layers of a mixture of experts that have a dense feed-forward layer instead.
    extra_layers
        Layers beside the stack that predict further tokens, each with a head of its own.
    vocabulary, sequence
        Rows of the embedding; tokens of a sequence.
    window, windowed
        Last tokens that a windowed layer sees, and the share of such layers [1].
    causal
        1 where a token sees those before it alone, 0 where it sees all.
    scored
        Share of the tokens that pass the head [1]: all but in models of masked tokens.
    sinks
        1 where a learned logit takes part in the softmax.
    tied
        1 where the head is the embedding, so that a rank with both holds it once.
    """

    layers: Floats
    hidden: Floats
    heads: Floats
    groups: Floats
    width: Floats
    value_width: Floats
    query_rank: Floats
    key_rank: Floats
    rotary_width: Floats
    ffn: Floats
    gated: Floats
    experts: Floats
    chosen: Floats
    expert_ffn: Floats
    shared_ffn: Floats
    dense_layers: Floats
    extra_layers: Floats
    vocabulary: Floats
    sequence: Floats
    window: Floats
    windowed: Floats
    causal: Floats
    scored: Floats
    sinks: Floats
    tied: Floats

    @property
    def mixture(self) -> NDArray[np.bool_]:
        """Where feed-forward layers are mixtures of experts."""
        return self.experts > 0

    @property
    def expert_layers(self) -> Floats:
        """Layers that are mixtures of experts."""
        return np.where(self.mixture, self.layers - self.dense_layers, 0.0)


def attention_parameters(shape: Shape) -> Floats:
    """Return the weights of one attention layer's matrices."""
    latent = shape.key_rank > 0
    keys = shape.width - shape.rotary_width
    plain = shape.hidden * (shape.heads + shape.groups) * shape.width
    plain = plain + shape.hidden * shape.groups * shape.value_width
    narrow = shape.hidden * shape.query_rank + shape.query_rank * shape.heads * shape.width
    direct = shape.hidden * shape.heads * shape.width
    queries = np.where(shape.query_rank > 0, narrow, direct)
    compressed = shape.hidden * (shape.key_rank + shape.rotary_width)
    widened = shape.key_rank * shape.heads * (keys + shape.value_width)
    into = np.where(latent, queries + compressed + widened, plain)
    return np.asarray(into + shape.heads * shape.value_width * shape.hidden)


def feed_parameters(shape: Shape) -> Floats:
    """Return the weights of one dense feed-forward layer's matrices."""
    return (2.0 + shape.gated) * shape.hidden * shape.ffn


def expert_parameters(shape: Shape) -> Floats:
    """Return the weights of one routed expert's matrices."""
    return (2.0 + shape.gated) * shape.hidden * shape.expert_ffn


def shared_parameters(shape: Shape) -> Floats:
    """Return the weights of the router and of the experts that every token passes, of one layer."""
    return shape.experts * shape.hidden + (2.0 + shape.gated) * shape.hidden * shape.shared_ffn


def head_parameters(shape: Shape) -> Floats:
    """Return the weights of the product that gives the logits."""
    return shape.hidden * shape.vocabulary


def matrix_parameters(shape: Shape) -> Floats:
    """Return the weights of all matrices of the model, without the embedding, norms and biases."""
    inside = shape.layers * attention_parameters(shape)
    dense = np.where(shape.mixture, shape.dense_layers, shape.layers) * feed_parameters(shape)
    mixed = shape.expert_layers * (shape.experts * expert_parameters(shape) + shared_parameters(shape))
    return np.asarray(inside + dense + mixed + head_parameters(shape))


def active_parameters(shape: Shape) -> Floats:
    """Return the weights of the matrices that a token passes, the head included, further tokens' layers not."""
    inside = shape.layers * attention_parameters(shape)
    dense = np.where(shape.mixture, shape.dense_layers, shape.layers) * feed_parameters(shape)
    mixed = shape.expert_layers * (shape.chosen * expert_parameters(shape) + shared_parameters(shape))
    return np.asarray(inside + dense + mixed + head_parameters(shape))


def seen_tokens(shape: Shape) -> Floats:
    """Return how many keys a query multiplies on average over the layers; half of them where attention is causal.

    A causal query at place i sees i + 1 of s keys, (s + 1) / 2 on average; the half is kept for the area that kernels
    execute.
    """
    whole = shape.sequence * np.where(shape.causal > 0, 0.5, 1.0)
    inside = np.minimum(shape.window, shape.sequence)
    narrow = np.where(shape.window < shape.sequence, inside * (1.0 - 0.5 * inside / shape.sequence), whole)
    return np.asarray(whole * (1.0 - shape.windowed) + narrow * shape.windowed)


def stack(shapes: list[Shape]) -> Shape:
    """Return shapes of one or more cases as one."""
    return Shape(*(np.concatenate([np.atleast_1d(getattr(one, f.name)) for one in shapes]) for f in fields(Shape)))
