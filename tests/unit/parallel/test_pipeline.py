"""Pipelines by their longest path, against closed forms."""

from __future__ import annotations

import itertools

import pytest

from dcsim.parallel.pipeline import Chunks, Slot, makespan, order, run
from dcsim.scenario.parallel import Schedule

NEAR = 1e-9


def even(stages: int, virtual: int = 1) -> Chunks:
    """Stages whose chunks take 1 / virtual forward and 2 / virtual backward: 3 a stage."""
    places = stages * virtual
    return Chunks(stages, (1.0 / virtual,) * places, (2.0 / virtual,) * places)


@pytest.mark.parametrize("schedule", ["gpipe", "1f1b"])
@pytest.mark.parametrize(("stages", "micro"), list(itertools.product((1, 2, 3, 8), (1, 2, 5, 16))))
def test_equal_stages_take_m_plus_p_minus_one(schedule: Schedule, stages: int, micro: int) -> None:
    assert makespan(run(even(stages), schedule, micro)) == pytest.approx((micro + stages - 1) * 3.0, rel=NEAR)


@pytest.mark.parametrize(("stages", "virtual", "rounds"), list(itertools.product((2, 4, 8), (2, 3, 4), (1, 2, 5))))
def test_chunks_divide_the_bubble(stages: int, virtual: int, rounds: int) -> None:
    micro = stages * rounds
    found = makespan(run(even(stages, virtual), "interleaved", micro))
    assert found == pytest.approx((micro + (stages - 1) / virtual) * 3.0, rel=NEAR)


@pytest.mark.parametrize(("stages", "micro"), list(itertools.product((2, 3, 8), (8, 9, 24))))
def test_gradients_of_weights_fill_two_thirds_of_the_bubble(stages: int, micro: int) -> None:
    thirds = Chunks(stages, (1.0,) * stages, (1.0,) * stages, (1.0,) * stages)
    found = makespan(run(thirds, "zero-bubble", micro))
    assert found == pytest.approx((micro + (stages - 1) / 3.0) * 3.0, rel=NEAR)


@pytest.mark.parametrize("slow", range(4))
def test_a_slow_stage_of_gpipe_is_waited_for_at_every_micro_batch_but_one(slow: int) -> None:
    forward = tuple(2.0 if stage == slow else 1.0 for stage in range(4))
    chunks = Chunks(4, forward, tuple(2.0 * f for f in forward))
    # The slow stage takes 6, the three others 3 each: 6 micro batches, (6 - 1) 6 + (6 + 3 + 3 + 3).
    assert makespan(run(chunks, "gpipe", 6)) == pytest.approx(5 * 6.0 + 15.0, rel=NEAR)


def test_a_slow_last_stage_of_1f1b_likewise() -> None:
    chunks = Chunks(4, (1.0, 1.0, 1.0, 2.0), (2.0, 2.0, 2.0, 4.0))
    assert makespan(run(chunks, "1f1b", 6)) == pytest.approx(5 * 6.0 + 15.0, rel=NEAR)


def test_a_slow_first_stage_of_1f1b_works_while_it_would_wait() -> None:
    # Two stages, 4 and 2: the first runs its second forward pass while the other one works, so that it never waits.
    chunks = Chunks(2, (2.0, 1.0), (2.0, 1.0))
    assert makespan(run(chunks, "1f1b", 5)) == pytest.approx(5 * 4.0, rel=NEAR)


def test_hops_of_the_first_forward_and_last_backward_pass_count() -> None:
    # Passes of other micro batches cover the hops between: (m + p - 1) t + 2 (p - 1) h.
    found = makespan(run(even(4), "gpipe", 6, hop_s=0.25))
    assert found == pytest.approx((6 + 3) * 3.0 + 2 * 3 * 0.25, rel=NEAR)


@pytest.mark.parametrize(("stages", "virtual"), [(2, 1), (3, 2), (4, 3), (8, 2)])
def test_every_slot_runs_once_and_after_what_it_needs(stages: int, virtual: int) -> None:
    for micro in (1, 2, stages, stages + 1, 2 * stages + 1, 3 * stages - 1):
        schedule: Schedule = "interleaved" if virtual > 1 else "1f1b"
        timeline = run(even(stages, virtual), schedule, micro)
        for stage, timed in enumerate(timeline):
            assert sorted(t.slot for t in timed) == sorted(order("gpipe", stage, (stages, micro, virtual)))
            assert all(a.finish_s <= b.start_s + NEAR for a, b in itertools.pairwise(timed))


def test_the_order_of_one_forward_one_backward() -> None:
    kinds = [(slot.kind[0], slot.micro) for slot in order("1f1b", 0, (3, 4, 1))]
    assert kinds == [("f", 0), ("f", 1), ("f", 2), ("b", 0), ("f", 3), ("b", 1), ("b", 2), ("b", 3)]


def test_no_more_micro_batches_wait_with_zero_bubble_than_stages() -> None:
    for stage in range(4):
        slots = order("zero-bubble", stage, (4, 12, 1))
        assert slots.count(Slot("weights", 5, 0)) == 1
        held = itertools.accumulate({"forward": 1, "backward": 0, "weights": -1}[slot.kind] for slot in slots)
        assert max(held) <= 4
