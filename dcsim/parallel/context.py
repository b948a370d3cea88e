"""How the ranks of a context group share a sequence: who holds which tokens, and how keys and values reach all of them.

Two ways are in use. A ring hands keys and values on from rank to rank while each attends to those that it has (H. Liu,
M. Zaharia, P. Abbeel, "Ring attention with blockwise transformers for near-infinite context", ICLR 2024); an all-gather
brings all of them to every rank first, and attention waits for it (Llama Team, "The Llama 3 herd of models" (2024),
section 3.3.2). Both move the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dcsim.parallel.layer import tokens
from dcsim.parallel.parallelism import Parallelism, Precision
from dcsim.parallel.shape import Shape, seen_tokens

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Context:
    """Ways to share sequences, every field of shape (cases,).

    Attributes
    ----------
    gathered
        1 where keys and values are gathered before attention, 0 where a ring brings them beside it.
    in_order
        1 where a rank holds neighboring tokens, 0 where it holds an early and a late part, so that all work as much.
    """

    gathered: Floats = field(default_factory=lambda: np.zeros(1))
    in_order: Floats = field(default_factory=lambda: np.zeros(1))


def key_bytes(shape: Shape, plan: Parallelism, precision: Precision) -> Floats:
    """Return the keys and values of a micro batch's whole sequences in a layer, of the heads of a tensor rank [B]."""
    groups = np.maximum(shape.groups / plan.tensor, 1.0)
    elements = tokens(shape, plan) * plan.context * groups * (shape.width + shape.value_width)
    return np.asarray(elements * precision.activation_bytes)


def busiest_share(shape: Shape, plan: Parallelism, context: Context) -> Floats:
    """Return the keys that a query of the busiest rank multiplies over those of the mean one [1].

    Where tokens are in order, that is the last rank: with causal attention, (2 n - 1) / n for n ranks.
    """
    first = shape.sequence * (1.0 - 1.0 / plan.context)  # where its tokens begin
    whole = np.where(shape.causal > 0, 0.5 * (shape.sequence + first), shape.sequence)
    window = np.minimum(shape.window, shape.sequence)
    full = np.maximum(window, first)  # from here on a query sees a whole window
    sums = 0.5 * (full**2 - first**2) + window * (shape.sequence - full)
    narrow = np.where(shape.window < shape.sequence, sums / (shape.sequence - first), whole)
    last = whole * (1.0 - shape.windowed) + narrow * shape.windowed
    return np.where((context.in_order > 0) & (plan.context > 1), last / seen_tokens(shape), 1.0)
