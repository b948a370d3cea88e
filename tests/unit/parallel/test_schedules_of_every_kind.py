"""Trees, hierarchies and parameter servers as data, and in short as waves."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.parallel import schedule, waves
from dcsim.parallel.choice import schedule_of, waves_of
from dcsim.parallel.federated import sent
from dcsim.parallel.schedule import Schedule
from dcsim.parallel.waves import Wave
from dcsim.scenario.parallel import Parallel
from dcsim.workload.reduction import reduce

KINDS = [
    *(pytest.param(schedule.tree_all_reduce(n), waves.tree(n), 1, n, id=f"tree {n}") for n in (1, 2, 3, 6, 8, 13)),
    *(
        pytest.param(schedule.hierarchical_all_reduce(n, g), waves.hierarchical(n, g), n, n, id=f"groups {n}/{g}")
        for n, g in ((4, 1), (4, 4), (6, 2), (6, 3), (12, 4))
    ),
    *(
        pytest.param(schedule.parameter_server(n, s), waves.parameter_server(n, s), s, n, id=f"server {n}/{s}")
        for n, s in ((1, 1), (2, 1), (5, 1), (8, 3), (4, 4))
    ),
]


@pytest.mark.parametrize(("rounds", "_short", "_chunks", "ranks"), KINDS)
def test_every_rank_ends_with_the_sum(rounds: Schedule, _short: tuple[Wave, ...], _chunks: int, ranks: int) -> None:
    """Whole numbers add without rounding; 29 elements divide by none of the numbers of chunks."""
    rows = np.random.default_rng(ranks).integers(0, 1000, (ranks, 29)).astype(np.float32)
    expected = rows.sum(axis=0)
    assert np.array_equal(reduce(rows, rounds), expected)
    assert np.array_equal(rows, np.broadcast_to(expected, rows.shape))


@pytest.mark.parametrize(("rounds", "short", "chunks", "ranks"), KINDS)
def test_the_waves_are_the_schedule_in_short(
    rounds: Schedule, short: tuple[Wave, ...], chunks: int, ranks: int
) -> None:
    found = waves.waves_of(rounds, chunks)
    assert rounds_of(found) == rounds_of(short)


@pytest.mark.parametrize(("_rounds", "short", "_chunks", "ranks"), KINDS)
def test_all_kinds_send_as_many_bytes(_rounds: Schedule, short: tuple[Wave, ...], _chunks: int, ranks: int) -> None:
    """n - 1 contributions to every part travel once, and so do n - 1 copies of the sum."""
    assert sum(wave.sent for wave in short) == pytest.approx(2 * (ranks - 1), rel=1e-12)


def test_the_tree_of_six() -> None:
    """Neighbors first, then 2 apart, then the halves of 4 and 2; rank 4 has no neighbor 2 above it."""
    assert schedule.tree_levels(6) == [[(0, 1), (2, 1), (4, 1)], [(0, 2)], [(0, 4)]]
    assert len(schedule.tree_all_reduce(6)) == 6


def test_servers_are_spread_over_the_ranks() -> None:
    assert [schedule.owner(shard, 8, 4) for shard in range(4)] == [0, 2, 4, 6]


def test_a_hierarchy_sends_little_out_of_its_groups() -> None:
    """2 servers of 4: each rank sends 2 (2 - 1) / 8 of its payload to the other server, a ring 2 x 7/8 over 2 edges."""
    inside, across, again = waves.hierarchical(8, 4)
    assert (inside.rounds, inside.share, again.rounds) == (3, 0.25, 3)
    assert (across.rounds, across.share, len(across.sources)) == (2, 0.125, 8)
    assert np.array_equal(across.targets, (np.arange(8) + 4) % 8)


def test_rounds_that_are_not_alike_are_no_waves() -> None:
    with pytest.raises(ValueError, match="different amounts"):
        waves.waves_of(((schedule.Move(0, 1, 0, "reduce"), schedule.Move(0, 1, 1, "reduce"),
                         schedule.Move(1, 0, 2, "reduce")),), 3)  # fmt: skip


@pytest.mark.parametrize(
    ("reduction", "rounds"),
    [
        ("ring", schedule.ring_all_reduce(8)),
        ("library", schedule.ring_all_reduce(8)),
        ("tree", schedule.tree_all_reduce(8)),
        ({"kind": "tree"}, schedule.tree_all_reduce(8)),
        ("hierarchical", schedule.hierarchical_all_reduce(8, 4)),
        ({"kind": "hierarchical", "group": 2}, schedule.hierarchical_all_reduce(8, 2)),
        ("parameter-server", schedule.parameter_server(8, 1)),
        ({"kind": "parameter-server", "shards": 2}, schedule.parameter_server(8, 2)),
        ({"kind": "federated", "clients": 4}, schedule.parameter_server(4, 1)),
    ],
)
def test_a_job_names_its_schedule(reduction: object, rounds: Schedule) -> None:
    parallel = Parallel.model_validate({"data": 8, "reduce": reduction})
    assert schedule_of(parallel, 4) == rounds
    short = waves_of(parallel, 4)
    assert (short is None) == (reduction in ("ring", "library"))


def test_clients_average_by_their_first_ranks() -> None:
    """3 clients of 4: ranks 4 and 8 send to 0 and get the mean; then 0 to 2, and 0, 2 to 1, 3, in every client."""
    assert rounds_of(waves.federated(12, 3)) == [
        (1.0, [(4, 0), (8, 0)]),
        (1.0, [(0, 4), (0, 8)]),
        (1.0, [(0, 2), (4, 6), (8, 10)]),
        (1.0, [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (10, 11)]),
    ]
    assert sum(wave.sent for wave in waves.federated(12, 3)) == pytest.approx(12 * sent(12, 3))
    assert waves.federated(1, 1) == ()


def rounds_of(short: tuple[Wave, ...]) -> list[tuple[float, list[tuple[int, int]]]]:
    """Return share and pairs of every round."""
    pairs = [sorted(zip(wave.sources.tolist(), wave.targets.tolist(), strict=True)) for wave in short]
    return [(wave.share, own) for wave, own in zip(short, pairs, strict=True) for _ in range(wave.rounds)]
