"""How many pairs of output position and tap of a convolution meet a real element of its input."""

from __future__ import annotations

import numpy as np


def taps_along(sizes: tuple[int, int, int], stride: int, padding: int, dilations: tuple[int, int]) -> int:
    """Return the pairs along one axis, without those on padding or on the zeros of dilation.

    ``sizes`` are those of input, kernel and output; ``dilations`` those of input and kernel.
    """
    (size, window, out), (spread, step) = sizes, dilations
    position = np.arange(out)[:, None] * stride - padding + np.arange(window)[None, :] * step
    inside = (position >= 0) & (position < (size - 1) * spread + 1) & (position % spread == 0)
    return int(inside.sum())
