"""Power of an accelerator and the clock that a power limit leaves."""

from __future__ import annotations

import pytest

from dcsim.catalogue.parts import Accelerator
from dcsim.compute.accelerator import (
    dynamic_energy_factor,
    power_limited_clock,
    relative_voltage,
    step_power,
    waiting_power,
)

DEVICE = Accelerator.model_construct(title="a GPU", idle=100.0, active=208.0, tdp=700.0)


def test_waiting_power_above_idle_follows_clock_and_voltage() -> None:
    assert waiting_power(DEVICE) == 208.0
    # Half the clock at three quarters of the voltage: 108 W x 0.5 x 0.5625 above idle.
    assert waiting_power(DEVICE, 0.5) == pytest.approx(100 + 30.375, rel=1e-12)


def test_step_power_is_waiting_power_plus_energy_over_time() -> None:
    assert step_power(DEVICE, dynamic_j=30.0, step_s=0.1) == pytest.approx(208 + 300, rel=1e-12)


def test_voltage_is_affine_and_energy_its_square() -> None:
    assert relative_voltage(1.0) == 1.0
    assert relative_voltage(0.5) == 0.75
    assert dynamic_energy_factor(0.5) == 0.5625


def _compute_bound(clock: float) -> float:
    """208 W awake, 50 J of arithmetic in 0.1 s at full clock: 708 W."""
    return step_power(DEVICE, 50.0 * dynamic_energy_factor(clock), 0.1 / clock)


def test_no_limit_no_change() -> None:
    assert power_limited_clock(_compute_bound, 708.0) == 1.0
    assert power_limited_clock(_compute_bound, 1e6, cap=0.7) == 0.7


def test_the_limited_clock_draws_exactly_the_limit() -> None:
    clock = power_limited_clock(_compute_bound, 500.0)
    assert _compute_bound(clock) == pytest.approx(500.0, rel=1e-9)
    # 208 + 500 f (0.5 + 0.5 f)^2 = 500 has its root at f = 0.7748...
    assert clock * (0.5 + 0.5 * clock) ** 2 == pytest.approx(292 / 500, rel=1e-9)


def test_a_limit_below_the_lowest_clock_leaves_the_lowest_clock() -> None:
    assert power_limited_clock(_compute_bound, 50.0) == pytest.approx(0.1, abs=1e-12)
    assert power_limited_clock(_compute_bound, 50.0, cap=0.05) == 0.05


def test_the_search_plans_few_steps() -> None:
    tried: list[float] = []

    def power(clock: float) -> float:
        tried.append(clock)
        return _compute_bound(clock)

    assert power(power_limited_clock(power, 400.0)) <= 400.0
    assert len(tried) < 16


def test_a_power_that_jumps_is_kept_below_the_limit() -> None:
    clock = power_limited_clock(lambda clock: 300.0 if clock <= 0.6 else 900.0, 500.0)
    assert clock == pytest.approx(0.6, abs=1e-9)


def test_limits_cost_time_as_published() -> None:
    """A 600 W limit on a 700 W H100 cost up to 15 % of throughput, a 500 W limit 10 % to 20 % (vendor, torchtitan).

    The model, for a step that draws 700 W unlimited and spends 3/4 of its time bound by arithmetic.
    """

    def seconds(clock: float) -> float:
        return 0.075 / clock + 0.025

    def power(clock: float) -> float:
        return step_power(DEVICE, 44.2 * dynamic_energy_factor(clock) + 5.0, seconds(clock), clock)

    assert power(1.0) == pytest.approx(700, rel=1e-3)
    at_600 = 1 - 0.1 / seconds(power_limited_clock(power, 600.0))
    at_500 = 1 - 0.1 / seconds(power_limited_clock(power, 500.0))
    assert 0.0 < at_600 < 0.15
    assert 0.10 < at_500 < 0.20
