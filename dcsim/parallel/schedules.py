"""More collectives as data: every kind, by the algorithms of libraries and text books.

Chunks are numbered over the whole collective. In an all-gather chunk i is the part of rank i; in a reduce-scatter chunk
i ends up as the sum at rank i; in an all-to-all of n ranks chunk i n + j is what rank i has for rank j. Rank 0 is the
root.
Sources: R. Thakur, R. Rabenseifner, W. Gropp, "Optimization of collective communication operations in MPICH", Int. J.
High Perform. Comput. Appl. 19 (2005) 49, unless another is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from dcsim.parallel.schedule import (
    Action,
    Move,
    Round,
    Schedule,
    hierarchical_all_reduce,
    ring_all_reduce,
    tree_all_reduce,
)

Holding = list[dict[int, int]]


def outcome(schedule: Schedule, held: Sequence[dict[int, int]]) -> Holding:
    """Return what every rank holds in the end, by chunk, when it begins with ``held``; whole numbers add exactly.

    Raises
    ------
    ValueError
        If a rank sends a chunk that it does not have, or a chunk is taken twice in a round.
    """
    now = [dict(own) for own in held]
    for moves in schedule:
        sent = [(move, now[move.source].get(move.chunk)) for move in moves]
        taken: set[tuple[int, int]] = set()
        for move, value in sent:
            if value is None:
                raise ValueError(f"rank {move.source} sends chunk {move.chunk}, which it does not have")
            if move.action == "copy":
                if (move.target, move.chunk) in taken:
                    raise ValueError(f"rank {move.target} takes chunk {move.chunk} twice in a round")
                taken.add((move.target, move.chunk))
                now[move.target][move.chunk] = value
            else:
                now[move.target][move.chunk] = now[move.target].get(move.chunk, 0) + value
    return now


def ring_reduce_scatter(ranks: int) -> Schedule:
    """Return the first half of the ring: n - 1 rounds, after which rank i has the sum of chunk i."""
    return _renamed(ring_all_reduce(ranks)[: ranks - 1], ranks, -1)


def ring_all_gather(ranks: int) -> Schedule:
    """Return the second half of the ring: n - 1 rounds, each rank passing on what it got last."""
    return _renamed(ring_all_reduce(ranks)[ranks - 1 :], ranks, -1)


def chain_broadcast(ranks: int, chunks: int) -> Schedule:
    """Return the pipelined chain from rank 0: ``chunks`` + n - 2 rounds, each rank passing on a chunk a round."""
    rounds = range(chunks + ranks - 2)
    return tuple(
        tuple(Move(rank, rank + 1, r - rank, "copy") for rank in range(ranks - 1) if 0 <= r - rank < chunks)
        for r in rounds
    )


def chain_reduce(ranks: int, chunks: int) -> Schedule:
    """Return the pipelined chain to rank 0, the broadcast backward in ranks and rounds."""
    return _reversed(chain_broadcast(ranks, chunks))


def binomial_broadcast(ranks: int) -> Schedule:
    """Return the binomial tree from rank 0, the far half first: ceil(log2 n) rounds of the whole payload."""
    whole = tree_all_reduce(ranks)
    return whole[len(whole) // 2 :]


def binomial_reduce(ranks: int) -> Schedule:
    """Return the binomial tree to rank 0, neighbors first."""
    whole = tree_all_reduce(ranks)
    return whole[: len(whole) // 2]


def direct_gather(ranks: int) -> Schedule:
    """Return one round in which all ranks send their chunk to rank 0."""
    return (tuple(Move(rank, 0, rank, "copy") for rank in range(1, ranks)),) if ranks > 1 else ()


def direct_all_gather(ranks: int) -> Schedule:
    """Return one round in which every rank sends its chunk to all others."""
    pairs = [(i, j) for i in range(ranks) for j in range(ranks) if i != j]
    return (tuple(Move(i, j, i, "copy") for i, j in pairs),) if pairs else ()


def direct_reduce_scatter(ranks: int) -> Schedule:
    """Return one round in which every rank sends to each other the chunk that it sums."""
    pairs = [(i, j) for i in range(ranks) for j in range(ranks) if i != j]
    return (tuple(Move(i, j, j, "reduce") for i, j in pairs),) if pairs else ()


def direct_all_to_all(ranks: int) -> Schedule:
    """Return one round in which every rank sends every other the chunk that it has for it."""
    pairs = [(i, j) for i in range(ranks) for j in range(ranks) if i != j]
    return (tuple(Move(i, j, i * ranks + j, "copy") for i, j in pairs),) if pairs else ()


def bruck_all_to_all(ranks: int) -> Schedule:
    """Return the all-to-all in ceil(log2 n) rounds: in round k chunks travel 2^k if that bit is in their distance.

    (J. Bruck et al., "Efficient algorithms for all-to-all communications in multiport message-passing systems", IEEE
    Trans. Parallel Distrib. Syst. 8 (1997) 1143.)
    """
    found = []
    for step in _powers(ranks):
        moves = []
        for i in range(ranks):
            for distance in range(1, ranks):
                if distance & step:
                    at = (i + distance % step) % ranks
                    moves.append(Move(at, (at + step) % ranks, i * ranks + (i + distance) % ranks, "copy"))
        found.append(tuple(moves))
    return tuple(found)


def pat_all_gather(ranks: int) -> Schedule:
    """Return the all-gather by a binomial tree from every rank, all at once, the far half first.

    ceil(log2 n) rounds for any n (S. Jeaugey, "PAT: a new algorithm for all-gather and reduce-scatter operations at
    scale", arXiv 2506.20252, 2025).
    """
    return tuple(
        tuple(
            Move((chunk + far) % ranks, (chunk + far + step) % ranks, chunk, "copy")
            for chunk in range(ranks)
            for far in range(0, ranks, 2 * step)
            if far + step < ranks
        )
        for step in reversed(_powers(ranks))
    )


def pat_reduce_scatter(ranks: int) -> Schedule:
    """Return the same trees backward: the sum of every chunk gathers at its rank, neighbors first."""
    return _reversed(pat_all_gather(ranks))


def dissemination_barrier(ranks: int) -> Schedule:
    """Return ceil(log2 n) rounds after which every rank knows of all: in round k it tells the one 2^k on what it knows.

    Chunk i is that rank i has come. (D. Hensgen, R. Finkel, U. Manber, "Two algorithms for barrier synchronization",
    Int. J. Parallel Program. 17 (1988) 1.)
    """
    return tuple(
        tuple(
            Move(rank, (rank + step) % ranks, (rank - back) % ranks, "copy")
            for rank in range(ranks)
            for back in range(min(step, ranks - step))
        )
        for step in _powers(ranks)
    )


def halving_doubling_all_reduce(ranks: int) -> Schedule:
    """Return recursive halving and doubling: log2 n rounds of reduce with ever smaller halves, and back.

    In round k a rank gives the one that differs from it in bit k the half of its chunks that the other keeps
    (R. Rabenseifner, "Optimization of collective reduction operations", ICCS 2004).

    Raises
    ------
    ValueError
        If ``ranks`` is no power of two.
    """
    if ranks & (ranks - 1):
        raise ValueError(f"halving and doubling needs a power of two, not {ranks} ranks")
    down: list[Round] = []
    for bit in reversed(_powers(ranks)):
        moves = []
        for rank in range(ranks):
            other = rank ^ bit
            # What both still have agrees with them in the higher bits; the other keeps what has its own bit.
            kept = [c for c in range(ranks) if c // (2 * bit) == rank // (2 * bit) and (c & bit) == (other & bit)]
            moves += [Move(rank, other, chunk, "reduce") for chunk in kept]
        down.append(tuple(moves))
    return (*down, *_reversed(tuple(down), "copy"))


def double_tree_all_reduce(ranks: int, chunks: int) -> Schedule:
    """Return two pipelined binary trees, each of which sums and returns half of 2 ``chunks`` chunks.

    A rank with children in one tree is a leaf in the other, but for one or two, so that both use all links (P. Sanders,
    J. Speck, J. Traff, "Two-tree algorithms for full bandwidth broadcast, reduction and scan", Parallel Computing 35
    (2009) 581). One rank of each tree is the root above an in-order tree of the others.
    """
    if ranks == 1:
        return ()
    parents = dict(_in_order(1, ranks, 0))
    # The second tree has another parity everywhere: the first mirrored, or shifted by one where that would keep it.
    other = [ranks - 1 - rank if ranks % 2 == 0 else (rank + 1) % ranks for rank in range(ranks)]
    second = {other[rank]: other[parent] for rank, parent in parents.items()}
    trees = [(parents, range(chunks)), (second, range(chunks, 2 * chunks))]
    return _side_by_side([_pipelined(tree, own) for tree, own in trees])


def torus_all_reduce(rows: int, columns: int) -> Schedule:
    """Return the all-reduce over the rings of a torus; rank r ``columns`` + c is in row r and column c.

    Half of the 2 n chunks is scattered along rows, summed along columns and gathered along rows; the other half at the
    same time columns first, so that the rings of both directions carry traffic (P. Jain, Y. Sabharwal, "Optimal bucket
    algorithms for large MPI collectives on torus interconnects", ICS 2010).
    """
    ranks = rows * columns
    first = hierarchical_all_reduce(ranks, columns)
    turned = hierarchical_all_reduce(ranks, rows)  # its rank p is the one in column p // rows and row p % rows
    place = [(p % rows) * columns + p // rows for p in range(ranks)]
    second = tuple(
        tuple(Move(place[m.source], place[m.target], m.chunk + ranks, m.action) for m in moves) for moves in turned
    )
    return _side_by_side([first, second])


def in_switch_all_reduce(ranks: int) -> Schedule:
    """Return the all-reduce by a switch that adds and multicasts, which is "rank" n here and begins with nothing.

    Chunk i is fetched from all ranks on behalf of rank i, which gets the sum and has the switch send it to all (NVLink
    SHARP: B. Klenk et al., "An in-network architecture for accelerating shared-memory multiprocessor collectives", ISCA
    2020). What the switch sends to many crosses each of their links once.
    """
    switch, each = ranks, range(ranks)
    pull = tuple(Move(rank, switch, chunk, "reduce") for chunk in each for rank in each)
    push = tuple(Move(switch, rank, chunk, "copy") for chunk in each for rank in each)
    return pull, push


def switched_tree_all_reduce(domains: int, each: int) -> Schedule:
    """Return switches inside domains and a binomial tree between them: NVLSTree, or SHARP with a switch at its root.

    Rank d ``each`` + i is in domain d, the switches follow the ranks. One chunk.
    """
    ranks = domains * each
    switches = [ranks + domain for domain in range(domains)]
    pull = tuple(Move(rank, switches[rank // each], 0, "reduce") for rank in range(ranks))
    between = tuple(
        tuple(Move(switches[m.source], switches[m.target], 0, m.action) for m in moves)
        for moves in tree_all_reduce(domains)
    )
    push = tuple(Move(switches[rank // each], rank, 0, "copy") for rank in range(ranks))
    return pull, *between, push


def _powers(ranks: int) -> list[int]:
    return [1 << level for level in range((ranks - 1).bit_length())]


def _renamed(schedule: Schedule, ranks: int, by: int) -> Schedule:
    """Number chunks such that chunk i is at home at rank i."""
    return tuple(tuple(m._replace(chunk=(m.chunk + by) % ranks) for m in moves) for moves in schedule)


def _reversed(schedule: Schedule, action: Action = "reduce") -> Schedule:
    """Run the moves the other way round, last round first."""
    return tuple(tuple(Move(m.target, m.source, m.chunk, action) for m in moves) for moves in reversed(schedule))


def _side_by_side(schedules: Iterable[Schedule]) -> Schedule:
    """Run schedules at the same time; the shorter one is done earlier."""
    return tuple(tuple(move for moves in rounds for move in moves) for rounds in zip_longest(*schedules, fillvalue=()))


def _in_order(low: int, high: int, parent: int) -> Iterator[tuple[int, int]]:
    """Yield (rank, parent) of an in-order binary tree over ranks ``low`` to ``high`` - 1 below ``parent``.

    The rank with most zeros at its end is on top, so that odd ranks are leaves.
    """
    if low < high:
        top = max(range(low, high), key=lambda rank: rank & -rank)
        yield top, parent
        yield from _in_order(low, top, top)
        yield from _in_order(top + 1, high, top)


def _pipelined(parents: dict[int, int], chunks: Iterable[int]) -> Schedule:
    """Sum chunks up a tree and send them down again, one chunk entering a round."""
    depth = {rank: sum(1 for _ in _ancestors(rank, parents)) for rank in parents}
    deepest = max(depth.values())
    rounds: dict[int, list[Move]] = {}
    for number, chunk in enumerate(chunks):
        for rank, parent in parents.items():
            rounds.setdefault(number + deepest - depth[rank], []).append(Move(rank, parent, chunk, "reduce"))
            rounds.setdefault(number + deepest + depth[rank] - 1, []).append(Move(parent, rank, chunk, "copy"))
    return tuple(tuple(rounds.get(r, ())) for r in range(max(rounds) + 1))


def _ancestors(rank: int, parents: dict[int, int]) -> Iterator[int]:
    while rank in parents:
        rank = parents[rank]
        yield rank
