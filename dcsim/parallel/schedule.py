"""Collectives as data: who sends which chunk to whom in which round, and what the receiver does with it."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, NamedTuple


class Move(NamedTuple):
    """Rank ``source`` sends ``chunk`` to ``target``, which adds it to its own ("reduce") or takes it ("copy")."""

    source: int
    target: int
    chunk: int
    action: Literal["reduce", "copy"]


Round = tuple[Move, ...]
Schedule = tuple[Round, ...]


def ring_all_reduce(ranks: int) -> Schedule:
    """Return the ring all-reduce of ``ranks`` ranks over as many chunks: n - 1 rounds of reduce, n - 1 of copy.

    The moves of a round happen at once: each sends what its source held before the round. In round r of the first half
    rank i sends chunk i - r, so that rank i ends it with the sum of chunk i + 1; in round r of the second half it
    sends chunk i + 1 - r (all modulo n). One rank has nothing to do.

    The order in which a chunk is summed depends on logical ranks alone, never on where they run.
    """
    reduce = tuple(
        tuple(Move(i, (i + 1) % ranks, (i - r) % ranks, "reduce") for i in range(ranks)) for r in range(ranks - 1)
    )
    copy = tuple(
        tuple(Move(i, (i + 1) % ranks, (i + 1 - r) % ranks, "copy") for i in range(ranks)) for r in range(ranks - 1)
    )
    return reduce + copy


def chunk_bounds(elements: int, chunks: int) -> tuple[tuple[int, int], ...]:
    """Return (start, stop) of each of ``chunks`` nearly equal parts of ``elements`` elements, the longer ones first."""
    size, longer = divmod(elements, chunks)
    stops = [size * i + min(i, longer) for i in range(chunks + 1)]
    return tuple(pairwise(stops))
