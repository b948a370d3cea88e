"""What a receiver gets of an array that was made smaller to travel.

Error feedback (F. Seide et al., "1-bit stochastic gradient descent and its application to data-parallel distributed
training of speech DNNs", Interspeech 2014; S. P. Karimireddy et al., "Error feedback fixes SignSGD and other gradient
compression schemes", ICML 2019): a sender keeps what its message left out and adds it to its next message.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dcsim.scenario.compression import Int8, Sign, TopK

if TYPE_CHECKING:
    from dcsim.scenario.compression import CompressionSpec

Floats = NDArray[np.float32]
Codec = Callable[[Floats], Floats]
_LARGEST = 127  # of one byte, symmetric


def codec(compression: CompressionSpec | None, precision: str) -> Codec | None:
    """Return what becomes of a float32 array on its way, None where it arrives as it is.

    Gradients travel in ``precision``, so without compression those of a float32 job arrive untouched. The values that
    top-k sends are rounded to ``precision``, too; codes of one byte or bit come with float32 scales whatever it is.
    """
    match compression:
        case TopK(keep=keep):
            return partial(_rounded_top_k, keep=keep, precision=precision)
        case Int8(block=block):
            return partial(int8, block=block)
        case Sign(block=block):
            return partial(sign, block=block)
    return None if precision == "fp32" else partial(rounded, precision=precision)


def rounded(values: Floats, precision: str) -> Floats:
    """Return ``values`` rounded to ``precision``."""
    if precision == "fp32":
        return values
    import ml_dtypes

    format_ = np.float16 if precision == "fp16" else ml_dtypes.bfloat16
    return values.astype(format_).astype(np.float32)


def top_k(values: Floats, keep: float) -> Floats:
    """Return ``values`` with all but the ``keep`` share of largest magnitude at zero, at least one; of equal ones the
    first are kept (S. Stich, J. Cordonnier, M. Jaggi, "Sparsified SGD with memory", NeurIPS 2018).
    """
    count = min(values.size, max(1, ceil(keep * values.size)))
    if count == values.size:
        return values
    magnitudes = np.abs(values)
    threshold = np.partition(magnitudes, values.size - count)[values.size - count]
    kept = magnitudes > threshold
    # The threshold is a value, not a place, so that what is kept does not depend on how a processor partitions.
    kept[np.flatnonzero(magnitudes == threshold)[: count - int(kept.sum())]] = True
    return np.where(kept, values, np.float32(0.0))


def int8(values: Floats, block: int) -> Floats:
    """Return ``values`` rounded to 255 levels between plus and minus the largest magnitude of their block
    (T. Dettmers, "8-bit approximations for parallelism in deep learning", ICLR 2016, in its linear form).
    """
    blocks = _blocks(values, block)
    scales = np.abs(blocks).max(axis=1, keepdims=True) / np.float32(_LARGEST)
    codes = np.rint(np.divide(blocks, scales, out=np.zeros_like(blocks), where=scales > 0.0))
    return np.asarray((codes * scales).ravel()[: values.size])


def sign(values: Floats, block: int) -> Floats:
    """Return the signs of ``values`` (plus for zero) times the mean magnitude of their block (Karimireddy et al.)."""
    blocks = _blocks(values, block)
    sizes = np.full((len(blocks), 1), block, np.float32)
    sizes[-1] = max(1, block - (blocks.size - values.size))
    scales = np.abs(blocks).sum(axis=1, keepdims=True, dtype=np.float32) / sizes
    return np.asarray(np.where(blocks < 0.0, -scales, scales).ravel()[: values.size])


def _rounded_top_k(values: Floats, keep: float, precision: str) -> Floats:
    return rounded(top_k(values, keep), precision)


def _blocks(values: Floats, block: int) -> Floats:
    """Cut into rows of ``block`` elements, the last filled up with zeros."""
    rows = max(1, -(-values.size // block))
    padded = np.zeros(rows * block, np.float32)
    padded[: values.size] = values
    return padded.reshape(rows, block)
