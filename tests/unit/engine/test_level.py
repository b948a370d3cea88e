"""Levels and arrays of levels: exact integrals, peaks that lasted, watchers."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.engine import Check, Clock, Level, LevelArray


def _at(clock: Clock, changes: dict[float, float], level: Level) -> None:
    for time_s, value in changes.items():
        clock.call_at(time_s, lambda value=value: level.set(value))


def test_the_integral_is_exact() -> None:
    # 2 W for 3 s, 5 W for 4 s, 0 W for 3 s: 6 + 20 = 26 J.
    clock = Clock()
    level = Level(clock, "power", "W", 2.0)
    _at(clock, {3.0: 5.0, 7.0: 0.0}, level)
    clock.run(until=10.0)
    assert level.integral == 26.0
    assert (level.value, level.peak) == (0.0, 5.0)


def test_a_level_counts_from_its_own_creation() -> None:
    clock = Clock()
    clock.run(until=5.0)
    level = Level(clock, "power", "W", 2.0)
    clock.run(until=7.0)
    assert level.integral == 4.0


def test_a_value_replaced_within_its_instant_is_no_peak() -> None:
    clock = Clock()
    level = Level(clock, "power", "W", 10.0)

    def swap() -> None:
        level.add(10.0)  # one server starts before the other stops, at the same time
        level.add(-10.0)

    clock.call_at(1.0, swap)
    clock.run(until=2.0)
    assert level.peak == 10.0
    level.set(15.0)
    assert level.peak == 15.0


def test_the_peak_of_negative_values_is_negative() -> None:
    clock = Clock()
    level = Level(clock, "difference", "K", -3.0)
    clock.call_at(1.0, lambda: level.set(-7.0))
    clock.run(until=2.0)
    assert level.peak == -3.0


def test_watchers_hear_of_changes_only() -> None:
    clock, heard = Clock(), []
    level = Level(clock, "cap", "1", 1.0)
    level.watch(lambda changed: heard.append(changed.value))
    for value in (1.0, 0.9, 0.9, 1.0):
        level.set(value)
    assert heard == [0.9, 1.0]


def test_an_array_integrates_each_of_its_levels() -> None:
    # a: 1 B/s for 2 s, 3 B/s for 8 s; b: 0 for 2 s, 4 for 3 s, 2 for 5 s; c: never.
    clock = Clock()
    loads = LevelArray(clock, ["a", "b", "c"], "B/s")
    loads.set(np.array([0]), 1.0)
    clock.call_at(2.0, lambda: loads.set(np.array([0, 1]), np.array([3.0, 4.0])))
    clock.call_at(5.0, lambda: loads.add(np.array([1]), -2.0))
    clock.run(until=10.0)
    assert loads.integrals.tolist() == [26.0, 22.0, 0.0]
    assert loads.peaks.tolist() == [3.0, 4.0, 0.0]
    loads.credit(np.array([2]), np.array([7.0]))
    assert loads.integrals.tolist() == [26.0, 22.0, 7.0]


def test_an_array_agrees_with_single_levels_on_random_changes() -> None:
    clock, random = Clock(), np.random.default_rng(3)
    names = [str(i) for i in range(5)]
    array, single = LevelArray(clock, names, "W"), [Level(clock, name, "W") for name in names]
    for time_s in np.cumsum(random.exponential(1.0, 200)):
        where, value = random.permutation(5)[:2], float(random.normal())

        def change(where: np.ndarray = where, value: float = value) -> None:
            array.set(where, value)
            for index in where:
                single[index].set(value)

        clock.call_at(float(time_s), change)
    clock.run()
    assert array.integrals == pytest.approx([level.integral for level in single], rel=1e-12)
    assert array.peaks.tolist() == [level.peak for level in single]


def test_an_arrays_peak_must_last() -> None:
    clock = Clock()
    loads = LevelArray(clock, ["a"], "B/s")

    def spike() -> None:
        loads.set(np.array([0]), 9.0)
        loads.set(np.array([0]), 2.0)

    clock.call_at(1.0, spike)
    clock.run(until=2.0)
    assert loads.peaks.tolist() == [2.0]


def test_watchers_of_an_array_are_told_after_each_change() -> None:
    clock, heard = Clock(), []
    loads = LevelArray(clock, ["a", "b"], "B/s")
    loads.watch(lambda changed: heard.append(changed.values.tolist()))
    loads.set(np.array([1]), 2.0)
    loads.add(np.array([0, 1]), 1.0)
    assert heard == [[0.0, 2.0], [1.0, 3.0]]


def test_a_check_compares_relative_to_the_larger_side() -> None:
    assert Check("joules", 100.0, 99.0, "J").residual == pytest.approx(0.01, rel=1e-12)
    assert Check("joules", 0.0, 0.0, "J").passed
    assert not Check("joules", 1.0, 0.0, "J").passed
    assert Check("joules", 1.0, 1.0 + 1e-10, "J").passed
    assert Check("joules", 0.0, -8e-9, "J", rounding=1e-8).passed
    assert not Check("joules", 0.0, -8e-9, "J").passed
    assert Check("joules", 100.0, 99.0, "J", rounding=0.5).residual == pytest.approx(0.005, rel=1e-12)
