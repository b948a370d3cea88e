"""What of a forward pass waits in memory for the backward pass, and what is computed again instead.

V. Korthikanti et al., "Reducing activation recomputation in large transformer models", MLSys 2023, sections 4 and 5,
extended to grouped and latent attention, gates and experts; norms, up-projections and outputs of activation functions
again, and operands in 8 bits: DeepSeek-AI, DeepSeek-V3 Technical Report (2024), sections 3.2.3 and 3.3.3.

Of a product Y = X W, the gradient of X reads W and that of W reads X: where W is frozen, no X waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dcsim.parallel.layer import TRAFFIC, tokens
from dcsim.parallel.parallelism import Parallelism
from dcsim.parallel.shape import Shape

Floats = NDArray[np.float64]

NARROW_BYTES = 1.0 + 4.0 / 128.0
"""A number in 8 bits and its part of a scale: 32 bits for 128 numbers (DeepSeek-V3), or 8 for 32 (MXFP8) [B]."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Ways to keep activations, every field of shape (cases,).

    Attributes
    ----------
    narrow
        1 where what products and activation functions read waits in 8 bits, 0 where it does as it was computed. The
        stream, and what attention reads and writes, always do.
    norms, functions, ups
        1 where outputs of norms, outputs of activation functions, and queries, keys and values that latent attention
        widens from its compressed ones are computed again.
    group
        Layers of which one input is kept where whole layers run again.
    attention_inputs, feed_inputs
        1 where gradients of the matrices of attention, or of feed-forward layers, ask for what they read; 0 where the
        matrices are frozen and have no adapters, which read the same.
    """

    narrow: Floats = field(default_factory=lambda: np.zeros(1))
    norms: Floats = field(default_factory=lambda: np.zeros(1))
    functions: Floats = field(default_factory=lambda: np.zeros(1))
    ups: Floats = field(default_factory=lambda: np.zeros(1))
    group: Floats = field(default_factory=lambda: np.ones(1))
    attention_inputs: Floats = field(default_factory=lambda: np.ones(1))
    feed_inputs: Floats = field(default_factory=lambda: np.ones(1))


def stream_bytes_kept(kept: Kept, width: Floats) -> Floats:
    """Return what a token's stream keeps in a layer, over its elements: inputs and outputs of two norms [B].

    Backward passes of norms read their inputs; gradients of the matrices behind them, and only they, the outputs.
    """
    read = kept.attention_inputs + kept.feed_inputs
    return np.asarray(2.0 * width + read * _operand(kept, width) * (1.0 - kept.norms))


def attention_bytes(shape: Shape, kept: Kept, width: Floats, fused: float | Floats = 1.0) -> Floats:
    """Return what an attention layer keeps of a token but its stream and scores, before tensor ranks share it [B].

    Queries, keys and values, what the output product reads, and compressed ones where attention is latent. The
    backward pass of a ``fused`` kernel reads the output too (T. Dao et al., FlashAttention, NeurIPS 2022, algorithm 4).
    """
    latent = shape.key_rank > 0
    groups = np.where(latent, shape.heads, shape.groups)
    wide = (shape.heads + groups) * shape.width + groups * shape.value_width
    compressed = shape.query_rank + shape.key_rank + shape.rotary_width
    narrow = np.where(kept.norms > 0, width, _operand(kept, width))  # compressed ones pass a norm too
    wide = wide * (1.0 - np.where(latent, kept.ups, 0.0))
    output = np.maximum(fused, kept.attention_inputs) * shape.heads * shape.value_width
    return np.asarray(width * (wide + output) + narrow * compressed)


def feed_bytes(shape: Shape, kept: Kept, width: Floats, load: Floats) -> Floats:
    """Return what the mean feed-forward layer keeps of a token, before tensor ranks share it [B].

    What activation functions read and write, and the tokens sent to experts, of which those have ``load`` times the
    mean's.
    """
    operand = _operand(kept, width)
    dense = np.where(shape.mixture, shape.dense_layers / shape.layers, 1.0)
    each = (1.0 + shape.gated + (1.0 - kept.functions) * kept.feed_inputs) * operand
    mixed = each * shape.shared_ffn + load * shape.chosen * (operand * shape.hidden + each * shape.expert_ffn)
    return np.asarray(dense * each * shape.ffn + (1.0 - dense) * mixed)


def elements_again(shape: Shape, plan: Parallelism, kept: Kept, inner: Floats) -> Floats:
    """Return what kernels read and write for norms and activation functions that run again, in elements of a layer.

    ``inner`` is the width of what activation functions read for a token, a gate included.
    """
    split = np.where(plan.sequence > 0, plan.tensor, 1.0)
    norms = kept.norms * TRAFFIC.norms * shape.hidden / split
    return np.asarray(tokens(shape, plan) * (norms + kept.functions * TRAFFIC.inner * inner / plan.tensor))


def _operand(kept: Kept, width: Floats) -> Floats:
    return np.where(kept.narrow > 0, NARROW_BYTES, width)
