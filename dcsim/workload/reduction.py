"""The all-reduce of real arrays by the schedule that is simulated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dcsim.errors import RunError
from dcsim.workload.compression import Codec

Floats = NDArray[np.float32]
Move = tuple[int, int, int, str]  # source, target, chunk, "reduce" or "copy"


@dataclass(frozen=True, slots=True)
class Coding:
    """What becomes of every message; ``residual`` keeps what it left out, shape (ranks, elements), None to forget it.

    A sum is coded once, by the rank that has it, which then holds what the others get; they pass it on as it is.
    """

    codec: Codec
    residual: Floats | None = None
    _final: set[tuple[int, int]] = field(default_factory=set)

    def begin(self) -> None:
        """A new sum begins."""
        self._final.clear()

    def message(self, rows: Floats, move: Move, part: slice) -> Floats:
        """Return what the target of ``move`` gets of the elements ``part`` of its source."""
        source, target, chunk, action = move
        held = rows[source, part]
        if action == "copy":
            self._final.add((target, chunk))
            if (source, chunk) in self._final:
                return held.copy()
            self._final.add((source, chunk))
        wanted = held if self.residual is None else held + self.residual[source, part]
        sent = self.codec(wanted)
        if self.residual is not None:
            self.residual[source, part] = wanted - sent
        if action == "copy":
            rows[source, part] = sent
        return sent.copy()


def reduce(rows: Floats, schedule: Sequence[Sequence[Move]], coding: Coding | None = None) -> Floats:
    """Return the sum of ``rows``, one a rank, shape (ranks, elements), as ``schedule`` makes it in float32.

    The moves of a round happen at once. The rows are worked on in place and hold the sum afterward, all of them alike.
    With a ``coding`` every move delivers what it makes of the message.

    Raises
    ------
    RunError
        If the schedule leaves two ranks with different sums.
    """
    chunks = 1 + max((chunk for moves in schedule for _, _, chunk, _ in moves), default=0)
    bounds = _bounds(rows.shape[1], chunks)
    if coding is not None:
        coding.begin()
    for moves in schedule:
        parts = [bounds[chunk] for _, _, chunk, _ in moves]
        sent = [_sent(rows, move, part, coding) for move, part in zip(moves, parts, strict=True)]
        for (_, target, _, action), part, data in zip(moves, parts, sent, strict=True):
            if action == "reduce":
                rows[target, part] += data
            else:
                rows[target, part] = data
    if not np.array_equal(rows, np.broadcast_to(rows[0], rows.shape), equal_nan=True):
        raise RunError("the schedule of the all-reduce left ranks with different sums")
    total: Floats = rows[0]
    return total


def _sent(rows: Floats, move: Move, part: slice, coding: Coding | None) -> Floats:
    if coding is None:
        return rows[move[0], part].copy()
    return coding.message(rows, move, part)


def _bounds(elements: int, chunks: int) -> list[slice]:
    """Cut into nearly equal parts, the longer ones first."""
    size, longer = divmod(elements, chunks)
    stops = [size * i + min(i, longer) for i in range(chunks + 1)]
    return [slice(start, stop) for start, stop in pairwise(stops)]
