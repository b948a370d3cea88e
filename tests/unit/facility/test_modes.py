"""The closed form against numbers found otherwise."""

from __future__ import annotations

from math import exp, inf, log

import pytest
from scipy.integrate import quad

from dcsim.facility.modes import Modes

DECAY = Modes(20.0, 0.0, (10.0, 0.1), (0.0, 1.0))  # 30 falling to 20
HUMP = Modes(20.0, 0.0, (8.0, 0.01), (-8.0, 0.1))  # 20, up, back to 20
DRIFT = Modes(20.0, 0.05, (5.0, 0.1), (0.0, 1.0))  # 25, down, then up for ever


def test_value_and_limits() -> None:
    assert DECAY.value(0.0) == 30.0
    assert DECAY.value(10.0) == pytest.approx(20.0 + 10.0 * exp(-1.0), rel=1e-12)
    assert DECAY.value(inf) == 20.0
    assert DRIFT.value(inf) == inf


@pytest.mark.parametrize("curve", [DECAY, HUMP, DRIFT])
@pytest.mark.parametrize("elapsed_s", [1e-3, 7.0, 300.0])
def test_integral_equals_quadrature(curve: Modes, elapsed_s: float) -> None:
    expected, _ = quad(curve.value, 0.0, elapsed_s, epsabs=0.0, epsrel=1e-12, limit=200)
    assert curve.integral(elapsed_s) == pytest.approx(expected, rel=1e-9)


def test_extremum() -> None:
    # the slope is zero where 0.01 exp(-0.01 t) = 0.1 exp(-0.1 t): t = ln(10)/0.09
    assert HUMP.extremum() == pytest.approx(log(10.0) / 0.09, rel=1e-12)
    # where 0.5 exp(-0.1 t) = 0.05: t = ln(10)/0.1
    assert DRIFT.extremum() == pytest.approx(log(10.0) / 0.1, rel=1e-12)
    assert DECAY.extremum() is None
    assert HUMP.maximum(1000.0) == pytest.approx(HUMP.value(log(10.0) / 0.09), rel=1e-12)
    assert HUMP.maximum(5.0) == HUMP.value(5.0)


def test_crossing_of_a_decay() -> None:
    # 20 + 10 exp(-0.1 t) = 25: t = ln(2)/0.1
    assert DECAY.crossing(25.0, inf) == pytest.approx(log(2.0) / 0.1, rel=1e-12)
    assert DECAY.crossing(25.0, 6.0) is None
    assert DECAY.crossing(19.0, inf) is None
    assert DECAY.crossing(20.0, inf) is None  # the asymptote
    assert DECAY.crossing(30.0, inf) is None  # the start


def test_crossing_of_a_hump_is_the_first_one() -> None:
    first = HUMP.crossing(24.0, inf)
    assert first is not None
    assert first < log(10.0) / 0.09
    assert HUMP.value(first) == pytest.approx(24.0, abs=1e-10)
    assert HUMP.crossing(26.0, inf) is None  # above its top


def test_crossing_back_over_the_start() -> None:
    back = DRIFT.crossing(25.0, inf)
    assert back is not None
    assert back > log(10.0) / 0.1
    assert DRIFT.value(back) == pytest.approx(25.0, abs=1e-9)


def test_crossing_far_away() -> None:
    slow = Modes(20.0, 1e-6, (1.0, 0.1), (0.0, 1.0))
    assert slow.crossing(30.0, inf) == pytest.approx(1e7, rel=1e-12)


def test_heading_is_that_of_the_first_real_departure() -> None:
    assert HUMP.heading(1e-9) == 1
    assert DECAY.heading(1e-9) == -1
    assert DRIFT.heading(1e-9) == -1
    assert Modes(20.0, 0.0, (0.0, 1.0), (0.0, 1.0)).heading(1e-9) == 0


def test_an_amplitude_below_the_range_of_floats_turns_nothing() -> None:
    assert Modes(5.0, 0.0, (0.0, 1.0), (5e-324, 0.5)).extremum() is None
