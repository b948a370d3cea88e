"""Operations a number of the parts that models are made of, forward and backward, in mixed precision of 16 bits.

The convention is that of the trace: an addition, multiplication, comparison, selection or change of format is one
operation, a sum of n numbers n - 1, and exp, tanh, rsqrt and their like none. What the backward pass computes a second
time (norms and activations keep their input alone) counts again. Each constant is counted from the part's formulas and
their derivatives as the models have them, and a test holds it against the trace of that part by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Flops:
    """FLOPs of matrix products and convolutions, and of all else."""

    products: float
    rest: float = 0.0

    @property
    def total(self) -> float:
        """Both."""
        return self.products + self.rest

    def __add__(self, other: Flops) -> Flops:
        return Flops(self.products + other.products, self.rest + other.rest)

    def __mul__(self, times: float) -> Flops:
        return Flops(self.products * times, self.rest * times)


TRAINED: Final = 3  # a product and, backward, one for each of its operands
BIAS: Final = 2  # add; sum up the gradient
RESIDUAL: Final = 2  # add; add the gradients of both branches
SLICE: Final = 2  # widen the gradient of a slice, add it to those of its neighbours
SCATTER: Final = 1  # add the gradient of a row that was looked up
NORM: Final[Mapping[str, int]] = MappingProxyType({"layer": 34, "rms": 21})
BATCH_NORM: Final = 36
ACTIVATION: Final[Mapping[str, int]] = MappingProxyType(
    {
        "gelu": 29,
        "gelu-exact": 141,  # erfc by the polynomials of XLA: 62
        "relu": 3,
        "squared-relu": 7,
        "leaky-relu": 8,
        "silu": 13,
        "sigmoid": 9,
        "tanh": 4,
        "swiglu": 17,
    }
)
SOFTMAX: Final = 16  # of scores: scale, largest, difference, sum, quotient and their gradients
MASK: Final = 2  # of scores: select, forward and backward
LINEAR: Final = 2  # of scores: slope times distance, subtracted
ROTARY: Final = 11.5
DROPOUT: Final = 124  # a random word: 113
ENTROPY: Final = 7  # of a logit, from 16 bits
LSTM: Final = 50  # of a hidden number: four gates with their bias, the cell
ROUTED: Final = 11  # of a number of a token that goes to an expert: there, back, its share, their sum
POOL: Final[Mapping[tuple[int, int], float]] = MappingProxyType({(2, 2): 1.75, (3, 2): 4.25, (3, 1): 17.0})
MEAN: Final = 3  # over an image
LENGTH: Final = 20  # normalize to unit length over channels, and scale
UPDATE: Final = 18  # AdamW: format 1, moments 3 + 4, their corrections 2, quotient 3, decay 2, rate 1, add 1, format 1
