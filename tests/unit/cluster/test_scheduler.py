"""Who gets which servers, and when."""

from __future__ import annotations

import numpy as np
import pytest
import simpy

from dcsim.cluster.placement import rack_aware, scattered
from dcsim.cluster.scheduler import Scheduler
from dcsim.engine import Clock

ALL = frozenset(range(6))
RACKS = [0, 0, 1, 1, 2, 2]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def scheduler(clock: Clock) -> Scheduler:
    return Scheduler(clock, RACKS, rack_aware)


def granted(clock: Clock, *events: simpy.Event) -> list[list[int] | None]:
    clock.run(clock.now + 1.0)
    return [event.value if event.triggered else None for event in events]


def test_a_gang_gets_all_its_servers_at_once(clock: Clock, scheduler: Scheduler) -> None:
    first, second = scheduler.request((0.0, 0), ALL, 4), scheduler.request((0.0, 1), ALL, 3)
    assert granted(clock, first, second) == [[0, 1, 2, 3], None]
    scheduler.release([0])
    assert granted(clock, second) == [[0, 4, 5]]


def test_the_head_of_the_queue_blocks_those_behind_it(clock: Clock, scheduler: Scheduler) -> None:
    running = scheduler.request((0.0, 0), ALL, 5)
    large, small = scheduler.request((1.0, 1), ALL, 2), scheduler.request((2.0, 2), ALL, 1)
    assert granted(clock, running, large, small) == [[0, 1, 2, 3, 4], None, None], "one is free, but it is not its turn"
    scheduler.release([3])
    assert granted(clock, large, small) == [[3, 5], None]
    scheduler.release([0, 1])
    assert granted(clock, small) == [[0]]


def test_the_head_blocks_those_of_other_pools_too(clock: Clock, scheduler: Scheduler) -> None:
    running = scheduler.request((0.0, 0), frozenset({0, 1}), 2)
    waiting, other = scheduler.request((1.0, 1), frozenset({0, 1}), 1), scheduler.request((2.0, 2), frozenset({4}), 1)
    assert granted(clock, running, waiting, other) == [[0, 1], None, None]
    scheduler.release([1])
    assert granted(clock, waiting, other) == [[1], [4]]


def test_the_order_is_that_of_arrival_not_of_asking(clock: Clock, scheduler: Scheduler) -> None:
    late = scheduler.request((50.0, 0), ALL, 6)
    early = scheduler.request((10.0, 3), ALL, 6)
    same = scheduler.request((10.0, 2), ALL, 6)
    assert granted(clock, late, early, same) == [None, None, list(range(6))]
    scheduler.release(range(6))
    assert granted(clock, late, early) == [None, list(range(6))]


def test_a_failed_server_is_given_to_nobody_until_it_is_repaired(clock: Clock, scheduler: Scheduler) -> None:
    scheduler.fail(2)
    whole, part = scheduler.request((0.0, 0), ALL, 6), scheduler.request((1.0, 1), ALL, 1)
    assert granted(clock, whole, part) == [None, None]
    scheduler.repair(2)
    assert granted(clock, whole) == [list(range(6))]


def test_a_server_that_fails_while_it_is_held_does_not_come_back_by_release(clock: Clock, scheduler: Scheduler) -> None:
    first = scheduler.request((0.0, 0), ALL, 6)
    assert granted(clock, first) == [list(range(6))]
    scheduler.fail(5)
    scheduler.release(range(6))
    again = scheduler.request((0.0, 0), ALL, 6)
    assert granted(clock, again) == [None]
    scheduler.repair(5)
    assert granted(clock, again) == [list(range(6))]


def test_a_server_that_fails_in_the_instant_of_the_request_is_not_granted(clock: Clock, scheduler: Scheduler) -> None:
    asked = scheduler.request((0.0, 0), ALL, 6)
    scheduler.fail(0)
    assert granted(clock, asked) == [None]


def test_rack_aware_fills_the_tightest_rack_that_holds_the_job() -> None:
    racks = [0, 0, 0, 0, 1, 1, 1, 2, 2]
    assert rack_aware(range(9), racks, 2) == [7, 8]
    assert rack_aware(range(9), racks, 3) == [4, 5, 6]
    assert rack_aware([0, 1, 4, 5, 6, 8], racks, 2) == [0, 1]
    # No rack holds six: the one with most free servers, then the next.
    assert rack_aware(range(9), racks, 6) == [0, 1, 2, 3, 4, 5]
    assert rack_aware([8, 7, 5, 4, 6, 0], racks, 5) == [4, 5, 6, 7, 8]


def test_scattered_takes_free_servers_at_random_from_its_stream_alone() -> None:
    free = [1, 3, 5, 7, 9, 11]
    deals = [scattered(np.random.default_rng(seed))(free, [], 4) for seed in range(50)]
    assert all(len(set(deal)) == 4 and set(deal) <= set(free) for deal in deals)
    assert {server for deal in deals for server in deal} == set(free)
    assert any(deal != sorted(deal) for deal in deals), "neighbours in the ring are not neighbours in the hall"
    assert deals[3] == scattered(np.random.default_rng(3))(free[::-1], [], 4)
