"""The two coupled nodes against an independent matrix exponential."""

from __future__ import annotations

from math import exp, inf

import numpy as np
import pytest
from scipy.linalg import expm

from dcsim.facility.thermal import Drive, Loop, State, constant_removal, move, proportional_removal, steady

LOOP = Loop(room_j_per_k=3e6, coolant_j_per_k=4e6, gain_w_per_k=5e4, zero_c=9.0)
DRIVE = Drive(conductance_w_per_k=8e3, room_w=60e3, coolant_w=1e3)


def by_matrix(gain: float, constant_w: float, state: State, time_s: float) -> tuple[float, float]:
    """Return the temperatures by the exponential of the augmented matrix; the plant removes gain (T - zero) +
    constant."""
    g, cr, cw = DRIVE.conductance_w_per_k, LOOP.room_j_per_k, LOOP.coolant_j_per_k
    matrix = np.zeros((3, 3))
    matrix[0] = [-g / cr, g / cr, DRIVE.room_w / cr]
    matrix[1] = [g / cw, -(g + gain) / cw, (DRIVE.coolant_w + gain * LOOP.zero_c - constant_w) / cw]
    room, coolant, _ = expm(matrix * time_s) @ np.array([state.room_c, state.coolant_c, 1.0])
    return float(room), float(coolant)


@pytest.mark.parametrize("time_s", [0.0, 1.0, 60.0, 900.0, 7200.0])
def test_controlled_plant_equals_the_matrix_exponential(time_s: float) -> None:
    state = State(25.0, 11.0)
    motion = proportional_removal(LOOP, DRIVE, state)
    room, coolant = by_matrix(LOOP.gain_w_per_k, 0.0, state, time_s)
    assert motion.room.value(time_s) == pytest.approx(room, rel=1e-9)
    assert motion.coolant.value(time_s) == pytest.approx(coolant, rel=1e-9)
    assert motion.removed.value(time_s) == pytest.approx(LOOP.gain_w_per_k * (coolant - 9.0), rel=1e-9)


@pytest.mark.parametrize("time_s", [0.0, 1.0, 60.0, 900.0, 7200.0])
def test_plant_at_capacity_equals_the_matrix_exponential(time_s: float) -> None:
    state = State(25.0, 11.0)
    motion = constant_removal(LOOP, DRIVE, state, 40e3)
    room, coolant = by_matrix(0.0, 40e3, state, time_s)
    assert motion.room.value(time_s) == pytest.approx(room, rel=1e-9)
    assert motion.coolant.value(time_s) == pytest.approx(coolant, rel=1e-9)


def test_steady_state_stays() -> None:
    # the coolant carries 61 kW: 9 + 61/50 = 10.22 degC; the coils 60 kW: 60/8 = 7.5 K above it
    state = steady(LOOP, DRIVE, inf)
    assert state.coolant_c == pytest.approx(10.22, rel=1e-12)
    assert state.room_c == pytest.approx(17.72, rel=1e-12)
    motion = move(LOOP, DRIVE, state, 1e6)
    assert motion.regime == "controlled"
    assert motion.room.value(1e6) == pytest.approx(17.72, rel=1e-12)


def test_long_loss_of_cooling_warms_by_heat_over_capacity() -> None:
    # 61 kW into 7 MJ/K: 61e3/7e6 K/s once the two nodes rise together; the room leads by 60/8 x its coupling
    motion = constant_removal(LOOP, DRIVE, State(20.0, 12.0), 0.0)
    assert motion.room.slope(1e5) == pytest.approx(61e3 / 7e6, rel=1e-9)
    assert motion.coolant.slope(1e5) == pytest.approx(61e3 / 7e6, rel=1e-9)


def test_heat_is_kept() -> None:
    for motion in (
        proportional_removal(LOOP, DRIVE, State(25.0, 11.0)),
        constant_removal(LOOP, DRIVE, State(25.0, 11.0), 4e4),
    ):
        for time_s in (1.0, 500.0, 1e5):
            stored = 3e6 * (motion.room.value(time_s) - 25.0) + 4e6 * (motion.coolant.value(time_s) - 11.0)
            assert motion.removed.integral(time_s) + stored == pytest.approx(61e3 * time_s, rel=1e-9)


def test_air_alone_rises_fast_and_air_with_racks_slowly() -> None:
    """Khankari's limits: with a small heat capacity the rate is that of the air; the exponential's rate is UA/C."""
    light = Loop(room_j_per_k=1e5, coolant_j_per_k=1e12, gain_w_per_k=1.0, zero_c=0.0)
    motion = constant_removal(light, Drive(1e3, 50e3, 0.0), State(20.0, 20.0), 0.0)
    assert motion.room.slope(0.0) == pytest.approx(0.5, rel=1e-6)  # 50 kW over 0.1 MJ/K
    assert motion.room.value(100.0) == pytest.approx(20.0 + 50.0 * (1.0 - exp(-1.0)), rel=1e-6)


def test_regimes() -> None:
    capacity_w = 50e3  # reached at 10 degC
    assert move(LOOP, DRIVE, State(20.0, 9.5), capacity_w).regime == "controlled"
    assert move(LOOP, DRIVE, State(20.0, 10.5), capacity_w).regime == "full"
    assert move(LOOP, DRIVE, State(20.0, 8.5), capacity_w).regime == "off"
    assert move(LOOP, DRIVE, State(25.0, 10.0), capacity_w).regime == "full"  # on the bound, warming
    assert move(LOOP, DRIVE, State(10.0, 10.0), capacity_w).regime == "controlled"  # on the bound, cooling


def test_regimes_meet_without_a_jump() -> None:
    capacity_w = 50e3
    rising = move(LOOP, DRIVE, State(25.0, 9.5), capacity_w)
    time_s = rising.coolant.crossing(10.0, inf)
    assert time_s is not None
    at_bound = State(rising.room.value(time_s), rising.coolant.value(time_s))
    full = move(LOOP, DRIVE, at_bound, capacity_w)
    assert full.regime == "full"
    assert full.coolant.slope(0.0) == pytest.approx(rising.coolant.slope(time_s), rel=1e-6)
