"""The time of a step against arithmetic on paper: all routes carry 10 B/s."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.estimate.step import Busy, Join, Move, Stage, evaluate, remaining, spans
from dcsim.network.route import Route

ROUTE = Route(np.array([3]), np.array([1.0]), 1.0, 0.0)


def busy(seconds: float) -> Busy:
    return Busy("kernels", seconds)


def move(size_bytes: float, latency_s: float = 0.0, fetch: bool = False) -> Move:
    return Move("move", ROUTE, size_bytes, latency_s, 10.0, fetch)


def times(*stages: Stage, scale: float = 1.0) -> tuple[float, float, float, float]:
    """Return duration, compute, exposed communication, stall [s]."""
    found = evaluate(stages, np.array([scale]))
    return tuple(float(part[0]) for part in (found.duration_s, found.compute_s, found.exposed_s, found.stall_s))  # type: ignore[return-value]


def test_a_move_hides_behind_the_kernels_after_it() -> None:
    # 2 s, then 1 s of communication beside 3 s of kernels, then 1 s.
    assert times(busy(2), move(10), busy(3), Join(), busy(1)) == (6.0, 6.0, 0.0, 0.0)


def test_what_the_kernels_do_not_cover_is_exposed() -> None:
    # From 2 s until 2 + 0.5 + 4 = 6.5 s; the kernels end at 5 s.
    assert times(busy(2), move(40, 0.5), busy(3), Join(), busy(1)) == (7.5, 6.0, 1.5, 0.0)


def test_moves_queue_for_the_wire_in_program_order() -> None:
    # First 1 to 4 s, second ready at 2 s but from 4 to 6 s, third ready at 3 s, from 6 to 7 s.
    stages = busy(1), move(30), busy(1), move(20), busy(1), move(10), Join(), busy(1)
    assert times(*stages) == (8.0, 4.0, 4.0, 0.0)
    assert [(s.start_s, s.finish_s) for s in spans(stages, 1.0) if isinstance(s.stage, Move)] == [
        (1, 4),
        (4, 6),
        (6, 7),
    ]


def test_every_join_waits_for_what_was_started_before_it() -> None:
    # 1 s, wire until 3 s, 1 s until 4 s; wire until 9 s, joined; nothing to wait for; 1 s.
    stages = busy(1), move(20), Join(), busy(1), move(50), Join(), Join(), busy(1)
    assert times(*stages) == (10.0, 3.0, 7.0, 0.0)


def test_a_move_that_nobody_joins_still_ends_the_step() -> None:
    assert times(busy(1), move(20)) == (3.0, 1.0, 2.0, 0.0)


def test_the_next_samples_stall_a_step_that_is_over() -> None:
    # The fetch takes 0.5 + 4 s; the step without it 3 s, of which 1 s is exposed.
    stages = move(40, 0.5, fetch=True), busy(2), move(10), Join()
    assert times(*stages) == (4.5, 2.0, 1.0, 1.5)
    assert not evaluate(stages, np.ones(1)).separate
    assert evaluate((move(20, fetch=True), busy(2), move(10), Join()), np.ones(1)).separate


def test_one_slow_step_of_many_is_not_separate() -> None:
    stages = move(20, fetch=True), busy(2), move(10), Join()
    assert evaluate(stages, np.array([1.0, 1.5])).separate
    assert not evaluate(stages, np.array([1.0, 0.9])).separate


def test_noise_scales_the_kernels_alone() -> None:
    # 4 s, wire from 4 to 5 s, 2 s of kernels.
    assert times(busy(2), move(10), Join(), busy(1), scale=2.0) == (7.0, 6.0, 1.0, 0.0)


def test_steps_are_evaluated_as_arrays() -> None:
    scales = np.array([1.0, 2.0, 0.5])
    stages = busy(1), move(30, 0.25), busy(2), Join(), busy(1)
    together = evaluate(stages, scales)
    alone = [evaluate(stages, np.array([scale])) for scale in scales]
    assert together.duration_s.tolist() == [float(one.duration_s[0]) for one in alone]


@pytest.mark.parametrize(
    ("elapsed", "left"),
    [
        (0.0, (busy(2), move(40, 0.5), busy(3), Join(), busy(1))),
        (0.5, (busy(1.5), move(40, 0.5), busy(3), Join(), busy(1))),
        (2.0, (move(40, 0.5), busy(3), Join(), busy(1))),
        (2.25, (move(40, 0.25), busy(2.75), Join(), busy(1))),
        (3.5, (move(30), busy(1.5), Join(), busy(1))),
        (6.0, (move(5), Join(), busy(1))),
        (7.0, (Join(), busy(0.5))),
        (8.0, (Join(),)),
    ],
)
def test_what_is_left_of_a_step(elapsed: float, left: tuple[Stage, ...]) -> None:
    stages = busy(2), move(40, 0.5), busy(3), Join(), busy(1)
    assert remaining(stages, 1.0, elapsed) == left


def test_what_is_left_of_a_noisy_step_has_its_noise() -> None:
    assert remaining((busy(2), busy(1)), 3.0, 5.0) == (busy(1.0), busy(3.0))
