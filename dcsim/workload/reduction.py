"""The all-reduce of real arrays by the schedule that is simulated."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dcsim.errors import RunError

Floats = NDArray[np.float32]
Move = tuple[int, int, int, str]  # source, target, chunk, "reduce" or "copy"


def reduce(rows: Floats, schedule: Sequence[Sequence[Move]]) -> Floats:
    """Return the sum of ``rows``, one a rank, shape (ranks, elements), as ``schedule`` makes it in float32.

    The moves of a round happen at once. The rows are worked on in place and hold the sum afterward, all of them alike.

    Raises
    ------
    RunError
        If the schedule leaves two ranks with different sums.
    """
    chunks = 1 + max((chunk for moves in schedule for _, _, chunk, _ in moves), default=0)
    bounds = _bounds(rows.shape[1], chunks)
    for moves in schedule:
        parts = [bounds[chunk] for _, _, chunk, _ in moves]
        sent = [rows[move[0], part].copy() for move, part in zip(moves, parts, strict=True)]
        for (_, target, _, action), part, data in zip(moves, parts, sent, strict=True):
            if action == "reduce":
                rows[target, part] += data
            else:
                rows[target, part] = data
    if not np.array_equal(rows, np.broadcast_to(rows[0], rows.shape), equal_nan=True):
        raise RunError("the schedule of the all-reduce left ranks with different sums")
    total: Floats = rows[0]
    return total


def _bounds(elements: int, chunks: int) -> list[slice]:
    """Cut into nearly equal parts, the longer ones first."""
    size, longer = divmod(elements, chunks)
    stops = [size * i + min(i, longer) for i in range(chunks + 1)]
    return [slice(start, stop) for start, stop in pairwise(stops)]
