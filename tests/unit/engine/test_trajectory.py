"""Trajectories: quantities that follow closed forms."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from dcsim.engine import Clock, Trajectory


@dataclass(frozen=True)
class Line:
    """start + slope t."""

    start: float
    slope: float

    def value(self, elapsed_s: float) -> float:
        return self.start + self.slope * elapsed_s

    def integral(self, elapsed_s: float) -> float:
        return self.start * elapsed_s + 0.5 * self.slope * elapsed_s**2

    def crossing(self, threshold: float, horizon_s: float) -> float | None:
        if self.slope == 0.0:
            return None
        elapsed = (threshold - self.start) / self.slope
        return elapsed if 0.0 < elapsed <= horizon_s else None


def test_value_and_integral_over_two_curves() -> None:
    # 20 rising by 1 a second for 4 s (20 -> 24, 88), then 24 falling by 2 a second for 3 s (24 -> 18, 63).
    clock = Clock()
    inlet = Trajectory(clock, "inlet", "degC", Line(20.0, 1.0))
    clock.call_at(4.0, lambda: inlet.follow(Line(inlet.value, -2.0)))
    clock.run(until=7.0)
    assert inlet.value == pytest.approx(18.0, rel=1e-12)
    assert inlet.integral == pytest.approx(151.0, rel=1e-12)


def test_the_next_crossing_is_in_simulated_time() -> None:
    clock = Clock()
    clock.run(until=10.0)
    inlet = Trajectory(clock, "inlet", "degC", Line(20.0, 1.0))
    clock.run(until=12.0)
    assert inlet.crossing(25.0, horizon_s=100.0) == pytest.approx(15.0, rel=1e-12)
    assert inlet.crossing(25.0, horizon_s=2.9) is None
    assert inlet.crossing(21.0, horizon_s=100.0) is None  # passed a second ago
