"""Collectives as data: who sends which chunk to whom in which round, and what the receiver does with it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

Action = Literal["reduce", "copy"]


class Move(NamedTuple):
    """Rank ``source`` sends ``chunk`` to ``target``, which adds it to its own ("reduce") or takes it ("copy")."""

    source: int
    target: int
    chunk: int
    action: Action


Round = tuple[Move, ...]
Schedule = tuple[Round, ...]


def ring_all_reduce(ranks: int) -> Schedule:
    """Return the ring all-reduce of ``ranks`` ranks over as many chunks: n - 1 rounds of reduce, n - 1 of copy.

    The moves of a round happen at once: each sends what its source held before the round. In round r of the first half
    rank i sends chunk i - r, so that rank i ends it with the sum of chunk i + 1; in round r of the second half it
    sends chunk i + 1 - r (all modulo n). One rank has nothing to do.

    The order in which a chunk is summed depends on logical ranks alone, never on where they run.
    """
    chunks = [(chunk,) for chunk in range(ranks)]
    return _ring(range(ranks), chunks, 0, "reduce") + _ring(range(ranks), chunks, 1, "copy")


def tree_all_reduce(ranks: int) -> Schedule:
    """Return the binomial tree: the sum gathers at rank 0 and is sent back the same way, whole, in one chunk.

    In round k, of ceil(log2 n), every rank that is an odd multiple of 2^k sends to the one 2^k below it, so neighbors
    come first and the last round joins the two halves; then the rounds run backward. Latency grows with log n, and so
    do the bytes through rank 0: it is for small payloads (R. Thakur, R. Rabenseifner, W. Gropp, "Optimization of
    collective communication operations in MPICH", Int. J. High Perform. Comput. Appl. 19 (2005) 49, section 4.4).
    """
    up = tuple(tuple(Move(low + far, low, 0, "reduce") for low, far in level) for level in tree_levels(ranks))
    return up + tuple(tuple(Move(move.target, move.source, 0, "copy") for move in moves) for moves in reversed(up))


def tree_levels(ranks: int) -> list[list[tuple[int, int]]]:
    """Return for each level of the binomial tree, neighbors first, the pairs (rank, distance to the one it joins)."""
    distances = [1 << level for level in range((ranks - 1).bit_length())]
    return [[(low, far) for low in range(0, ranks - far, 2 * far)] for far in distances]


def hierarchical_all_reduce(ranks: int, group: int) -> Schedule:
    """Return the all-reduce in three stages over groups of ``group`` consecutive ranks, all at once in each stage.

    Ring reduce-scatter inside every group leaves its i-th rank with the group's sum of the i-th part; the i-th ranks of
    all groups ring all-reduce that part; ring all-gather inside every group. A rank then sends only 1 / group of the
    payload's ring traffic out of its group. ``group`` divides ``ranks``; there are ``ranks`` chunks, part i in chunks
    i x groups and on.
    """
    groups = ranks // group
    parts = [tuple(range(i * groups, (i + 1) * groups)) for i in range(group)]
    servers = [range(g * group, (g + 1) * group) for g in range(groups)]
    # Rank i of a group comes out of the reduce-scatter with part i + 1.
    rails = [(range(i, ranks, group), [(chunk,) for chunk in parts[(i + 1) % group]]) for i in range(group)]
    return (
        _together([_ring(server, parts, 0, "reduce") for server in servers])
        + _together([_ring(rail, own, 0, "reduce") + _ring(rail, own, 1, "copy") for rail, own in rails])
        + _together([_ring(server, parts, 1, "copy") for server in servers])
    )


def parameter_server(ranks: int, shards: int = 1) -> Schedule:
    """Return the two rounds by parameter servers: all push their gradients, all pull the sums.

    Chunk s belongs to the server beside rank :func:`owner` (s). A server adds what arrives in the order of ranks to
    what its own rank has. (M. Li et al., "Scaling distributed machine learning with the parameter server", OSDI 2014.)
    """
    pairs = [(rank, owner(shard, ranks, shards), shard) for shard in range(shards) for rank in range(ranks)]
    pairs = [pair for pair in pairs if pair[0] != pair[1]]
    if not pairs:
        return ()
    push = tuple(Move(rank, server, shard, "reduce") for rank, server, shard in pairs)
    return push, tuple(Move(server, rank, shard, "copy") for rank, server, shard in pairs)


def owner(shard: int, ranks: int, shards: int) -> int:
    """Return the rank beside which the server of ``shard`` runs: the shards are spread evenly over the ranks."""
    return shard * ranks // shards


def chunk_bounds(elements: int, chunks: int) -> tuple[tuple[int, int], ...]:
    """Return (start, stop) of each of ``chunks`` nearly equal parts of ``elements`` elements, the longer ones first."""
    size, longer = divmod(elements, chunks)
    stops = [size * i + min(i, longer) for i in range(chunks + 1)]
    return tuple(pairwise(stops))


def _ring(members: Sequence[int], parts: Sequence[Sequence[int]], first: int, action: Action) -> Schedule:
    """Half a ring all-reduce: in round r the member at place i sends the chunks of part i + first - r to the next."""
    size = len(members)
    return tuple(
        tuple(
            Move(members[i], members[(i + 1) % size], chunk, action)
            for i in range(size)
            for chunk in parts[(i + first - r) % size]
        )
        for r in range(size - 1)
    )


def _together(schedules: list[Schedule]) -> Schedule:
    """Run schedules of the same length side by side."""
    return tuple(tuple(move for moves in rounds for move in moves) for rounds in zip(*schedules, strict=True))
