"""Every collective as data, played on whole numbers: every rank ends with what it should, in the rounds stated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from dcsim.parallel import schedules as all_of
from dcsim.parallel.schedule import (
    Move,
    Schedule,
    hierarchical_all_reduce,
    parameter_server,
    ring_all_reduce,
    tree_all_reduce,
)
from dcsim.parallel.schedules import outcome

MANY = [1, 2, 3, 4, 5, 7, 8, 13]
Held = list[dict[int, int]]


def value(rank: int, chunk: int) -> int:
    """A number for every rank and chunk such that no two sums are alike."""
    return 1000 ** (rank % 5) + 7 * rank * rank + 101 * chunk


def full(ranks: int, chunks: int) -> Held:
    return [{chunk: value(rank, chunk) for chunk in range(chunks)} for rank in range(ranks)]


def summed(ranks: int, chunks: int) -> dict[int, int]:
    return {chunk: sum(value(rank, chunk) for rank in range(ranks)) for chunk in range(chunks)}


def log2(ranks: int) -> int:
    return (ranks - 1).bit_length()


ALL_REDUCES: list[tuple[str, Callable[[int], Schedule], Callable[[int], int], list[int]]] = [
    ("ring", ring_all_reduce, lambda n: n, MANY),
    ("tree", tree_all_reduce, lambda _: 1, MANY),
    ("halving and doubling", all_of.halving_doubling_all_reduce, lambda n: n, [1, 2, 4, 8, 16]),
    ("double tree", lambda n: all_of.double_tree_all_reduce(n, 3), lambda _: 6, MANY),
    ("hierarchy", lambda n: hierarchical_all_reduce(n, 2), lambda n: n, [2, 4, 8]),
    ("torus", lambda n: all_of.torus_all_reduce(n // 2, 2), lambda n: 2 * n, [2, 4, 6, 8]),
    ("server", lambda n: parameter_server(n, 1), lambda _: 1, MANY),
]


@pytest.mark.parametrize(
    ("make", "chunks", "ranks"),
    [pytest.param(m, c(n), n, id=f"{name} {n}") for name, m, c, many in ALL_REDUCES for n in many],
)
def test_all_reduces(make: Callable[[int], Schedule], chunks: int, ranks: int) -> None:
    assert outcome(make(ranks), full(ranks, chunks)) == [summed(ranks, chunks)] * ranks


@pytest.mark.parametrize("ranks", MANY)
def test_in_the_switch(ranks: int) -> None:
    held = outcome(all_of.in_switch_all_reduce(ranks), [*full(ranks, ranks), {}])
    assert held == [summed(ranks, ranks)] * (ranks + 1)


@pytest.mark.parametrize(("domains", "each"), [(1, 4), (2, 3), (5, 2)])
def test_switches_in_domains_and_a_tree_between_them(domains: int, each: int) -> None:
    ranks = domains * each
    made = all_of.switched_tree_all_reduce(domains, each)
    assert outcome(made, [*full(ranks, 1), *({} for _ in range(domains))]) == [summed(ranks, 1)] * (ranks + domains)
    assert len(made) == 2 + 2 * log2(domains)


@pytest.mark.parametrize(
    ("make", "rounds"),
    [
        (all_of.ring_all_gather, lambda n: n - 1),
        (all_of.direct_all_gather, lambda n: min(n - 1, 1)),
        (all_of.pat_all_gather, log2),
        (all_of.dissemination_barrier, log2),
    ],
)
@pytest.mark.parametrize("ranks", MANY)
def test_all_gathers(make: Callable[[int], Schedule], rounds: Callable[[int], int], ranks: int) -> None:
    made = make(ranks)
    own: Held = [{rank: value(rank, rank)} for rank in range(ranks)]
    assert outcome(made, own) == [{rank: value(rank, rank) for rank in range(ranks)}] * ranks
    assert len(made) == rounds(ranks)
    if make is not all_of.dissemination_barrier:
        assert sum(len(moves) for moves in made) == ranks * (ranks - 1)


@pytest.mark.parametrize("make", [all_of.ring_reduce_scatter, all_of.direct_reduce_scatter, all_of.pat_reduce_scatter])
@pytest.mark.parametrize("ranks", MANY)
def test_reduce_scatters(make: Callable[[int], Schedule], ranks: int) -> None:
    held = outcome(make(ranks), full(ranks, ranks))
    assert [held[rank][rank] for rank in range(ranks)] == list(summed(ranks, ranks).values())


@pytest.mark.parametrize("ranks", MANY)
def test_to_and_from_a_root(ranks: int) -> None:
    for made, chunks in ((all_of.binomial_broadcast(ranks), 1), (all_of.chain_broadcast(ranks, 4), 4)):
        root = {chunk: value(0, chunk) for chunk in range(chunks)}
        assert outcome(made, [root, *({} for _ in range(ranks - 1))]) == [root] * ranks
    for made, chunks in ((all_of.binomial_reduce(ranks), 1), (all_of.chain_reduce(ranks, 4), 4)):
        assert outcome(made, full(ranks, chunks))[0] == summed(ranks, chunks)
    own: Held = [{rank: value(rank, rank)} for rank in range(ranks)]
    assert outcome(all_of.direct_gather(ranks), own)[0] == {rank: value(rank, rank) for rank in range(ranks)}


@pytest.mark.parametrize("ranks", MANY)
@pytest.mark.parametrize("make", [all_of.direct_all_to_all, all_of.bruck_all_to_all])
def test_all_to_alls(make: Callable[[int], Schedule], ranks: int) -> None:
    own: Held = [{i * ranks + j: value(i, j) for j in range(ranks)} for i in range(ranks)]
    held = outcome(make(ranks), own)
    for j in range(ranks):
        assert {i: held[j][i * ranks + j] for i in range(ranks)} == {i: value(i, j) for i in range(ranks)}


def test_both_trees_together_use_every_rank_alike() -> None:
    """Of 16 ranks all but the roots and a child of each send two chunks up and down a round once the pipeline runs."""
    made = all_of.double_tree_all_reduce(16, 20)
    middle = Counter(move.target for move in made[10])
    assert max(middle.values()) == 4
    assert sum(count >= 3 for count in middle.values()) >= 12


def test_a_halving_rank_gives_away_ever_smaller_halves() -> None:
    made = all_of.halving_doubling_all_reduce(8)
    assert [len(moves) // 8 for moves in made] == [4, 2, 1, 1, 2, 4]
    with pytest.raises(ValueError, match="power of two, not 6"):
        all_of.halving_doubling_all_reduce(6)


def test_a_schedule_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="rank 0 sends chunk 3, which it does not have"):
        outcome(((Move(0, 1, 3, "copy"),),), [{}, {}])
    with pytest.raises(ValueError, match="takes chunk 0 twice"):
        outcome(((Move(0, 2, 0, "copy"), Move(1, 2, 0, "copy")),), [{0: 1}, {0: 1}, {}])
