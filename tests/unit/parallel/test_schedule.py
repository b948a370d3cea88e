"""Collectives as data: played on arrays, every rank ends with the sum."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.parallel.schedule import Schedule, chunk_bounds, ring_all_reduce


def apply(schedule: Schedule, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Apply a schedule to one array a rank, all moves of a round at once."""
    held = [array.copy() for array in arrays]
    bounds = chunk_bounds(len(arrays[0]), len(arrays))
    for moves in schedule:
        sent = [held[move.source][slice(*bounds[move.chunk])].copy() for move in moves]
        for move, data in zip(moves, sent, strict=True):
            part = held[move.target][slice(*bounds[move.chunk])]
            part[:] = part + data if move.action == "reduce" else data
    return held


@pytest.mark.parametrize("ranks", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("elements", [1, 7, 64])
def test_every_rank_ends_with_the_sum(ranks: int, elements: int) -> None:
    arrays = [np.random.default_rng(rank).integers(0, 1000, elements).astype(np.float64) for rank in range(ranks)]
    for held in apply(ring_all_reduce(ranks), arrays):
        assert np.array_equal(held, sum(arrays))  # whole numbers: the sum is exact in any order


def test_all_ranks_hold_the_same_bits_though_rounding_depends_on_order() -> None:
    arrays = [np.random.default_rng(rank).standard_normal(1000).astype(np.float32) for rank in range(8)]
    held = apply(ring_all_reduce(8), arrays)
    assert all(np.array_equal(held[0], other) for other in held)
    assert held[0] == pytest.approx(np.sum(np.array(arrays, dtype=np.float64), axis=0), rel=1e-4, abs=1e-5)


def test_every_rank_sends_and_receives_once_a_round() -> None:
    schedule = ring_all_reduce(6)
    assert len(schedule) == 2 * (6 - 1)
    for moves in schedule:
        assert sorted(move.source for move in moves) == sorted(move.target for move in moves) == list(range(6))
    assert {move.action for moves in schedule[:5] for move in moves} == {"reduce"}
    assert {move.action for moves in schedule[5:] for move in moves} == {"copy"}


def test_one_rank_has_nothing_to_do() -> None:
    assert ring_all_reduce(1) == ()


def test_chunks_cover_everything_once() -> None:
    assert chunk_bounds(10, 4) == ((0, 3), (3, 6), (6, 8), (8, 10))
    assert chunk_bounds(2, 3) == ((0, 1), (1, 2), (2, 2))
