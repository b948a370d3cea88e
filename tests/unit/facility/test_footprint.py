"""Water, carbon, money and the throttle by hand."""

from __future__ import annotations

import pytest

from dcsim.facility import carbon, cost, throttle, water


def test_evaporation_and_make_up() -> None:
    # 1 kWh: 3.6e6 J x 0.00085 x 1.8 / 4186 = 1.316 L; a third of it drained at 4 cycles; drift 0.0077 L
    assert water.evaporation(3.6e6) == pytest.approx(1.3158, abs=1e-4)
    assert water.blowdown(3.0, 4.0) == 1.0
    assert water.drift(3.6e6) == pytest.approx(0.00774, abs=1e-5)
    assert water.make_up(3.6e6) == pytest.approx(1.3158 * 4 / 3 + 0.00774, abs=2e-4)
    assert water.upstream(3.6e6, 2.0 / 3.6e6) == pytest.approx(2.0)


def test_carbon() -> None:
    assert carbon.emissions(3.6e6, 0.41 / 3.6e6) == pytest.approx(0.41)


def test_money() -> None:
    assert cost.electricity(3.6e6, 0.09 / 3.6e6) == pytest.approx(0.09)
    assert cost.straight_line(300e3, 365.0, 5 * 365.0) == pytest.approx(60e3)


def test_throttle_follows_the_line_in_steps() -> None:
    # below 35 degC 1; between 35 and 36 degC at 35.5 degC of the line: 1 - 0.8 x 0.05; at 45 degC the floor
    assert throttle.cap(throttle.follow(0, 34.9, 35.0)) == 1.0
    assert throttle.cap(throttle.follow(0, 35.3, 35.0)) == pytest.approx(0.96)
    assert throttle.cap(throttle.follow(0, 39.5, 35.0)) == pytest.approx(1.0 - 0.8 * 0.45)
    assert throttle.cap(throttle.follow(0, 45.0, 35.0)) == throttle.FLOOR
    assert throttle.cap(throttle.follow(0, 99.0, 35.0)) == throttle.FLOOR
    assert throttle.shut_down(throttle.follow(0, 46.0, 35.0))
    assert not throttle.shut_down(throttle.follow(0, 44.9, 35.0))


def test_throttle_has_hysteresis() -> None:
    stage = throttle.follow(0, 36.2, 35.0)
    assert stage == 2
    assert throttle.follow(stage, 35.2, 35.0) == 2  # taken at 36, back only at 35
    assert throttle.follow(stage, 35.0, 35.0) == 1
    assert throttle.follow(stage, 30.0, 35.0) == 0
    assert throttle.rise(0, 35.0) == 35.0
    assert throttle.fall(0, 35.0) is None
    assert throttle.rise(11, 35.0) is None
