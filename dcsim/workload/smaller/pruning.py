"""Weights set to zero: the least of all wherever they are, or two of every four.

S. Han et al., "Learning both weights and connections for efficient neural networks" (NeurIPS 2015), without its
training afterward; A. Mishra et al., "Accelerating sparse deep neural networks" (2021) for two of four.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_WORD_BYTES = 4.0
_PLACE_BYTES = 1.0 / 8.0  # a bit that says whether an element is there
_FOURTH_BYTES = 2.0 / 8.0  # two bits that say which of four a kept one is
_GROUP, _KEPT = 4, 2


def smallest(leaves: Sequence[Floats], share: float) -> tuple[Floats, float]:
    """Return all weights flat, the ``share`` of those of matrices that is smallest at zero, and their size [B]:
    those that are left, and a bit an element.
    """
    matrices = [leaf for leaf in leaves if leaf.ndim > 1]
    magnitudes = np.abs(np.concatenate([leaf.ravel() for leaf in matrices])) if matrices else np.zeros(0, np.float32)
    gone = round(share * magnitudes.size)
    limit = np.partition(magnitudes, gone)[gone] if gone < magnitudes.size else np.float32(np.inf)
    made, size = [], 0.0
    for leaf in leaves:
        kept = np.where(np.abs(leaf) >= limit, leaf, np.float32(0.0)) if leaf.ndim > 1 else leaf
        made.append(kept.ravel())
        if leaf.ndim > 1:
            size += _WORD_BYTES * np.count_nonzero(kept) + _PLACE_BYTES * leaf.size
        else:
            size += leaf.nbytes
    return np.concatenate(made), size


def in_fours(leaves: Sequence[Floats]) -> tuple[Floats, float]:
    """Return all weights flat, of every four along the inputs of a matrix the two largest, and their size [B].

    Matrices whose inputs are no multiple of four stay whole, as the hardware that has the pattern needs them.
    """
    made, size = [], 0.0
    for leaf in leaves:
        if leaf.ndim < 2 or leaf.shape[-2] % _GROUP:
            made.append(leaf.ravel())
            size += leaf.nbytes
            continue
        fours = np.moveaxis(leaf, -2, -1).reshape(*leaf.shape[:-2], leaf.shape[-1], -1, _GROUP)
        order = np.argsort(-np.abs(fours), axis=-1, kind="stable")
        kept = np.zeros_like(fours)
        chosen = order[..., :_KEPT]
        np.put_along_axis(kept, chosen, np.take_along_axis(fours, chosen, axis=-1), axis=-1)
        back = np.moveaxis(kept.reshape(*leaf.shape[:-2], leaf.shape[-1], leaf.shape[-2]), -1, -2)
        made.append(back.ravel())
        size += leaf.size * _KEPT / _GROUP * (_WORD_BYTES + _FOURTH_BYTES)
    return np.concatenate(made), size
