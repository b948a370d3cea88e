"""Room and coolant as two coupled heat stores, solved in closed form.

The room node holds the air, the racks and what is bolted to them; its temperature is that of the air the servers take
in. The coolant node holds the chilled-water loop. With the heat ``Q`` released in the room, the heat ``P`` of the
pumps, the conductance ``G`` of the coils and the heat ``R`` that the plant removes,

    C_room dT_room/dt = Q - G (T_room - T_coolant)
    C_coolant dT_coolant/dt = P + G (T_room - T_coolant) - R

The lumped room follows Khankari, "Rate of heating analysis of data centers during power shutdown", ASHRAE
Transactions 117-1 (2011): an exponential approach whose rate the heat capacities set. Between events ``Q``, ``P`` and
``G`` are constant, and ``R`` is either constant (plant off or at its capacity) or proportional to the coolant's
temperature.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Literal

from dcsim.facility.modes import Modes

Regime = Literal["off", "controlled", "full"]
_TOUCH_K = 1e-9  # closer than this to a bound counts as on it


@dataclass(frozen=True, slots=True)
class Loop:
    """Heat capacities [J/K], and the plant's control: it removes ``gain (T_coolant - zero)`` [W] within its limits."""

    room_j_per_k: float
    coolant_j_per_k: float
    gain_w_per_k: float
    zero_c: float


@dataclass(frozen=True, slots=True)
class Drive:
    """What is constant between events: coil conductance [W/K], heat released in the room [W] and in the coolant [W]."""

    conductance_w_per_k: float
    room_w: float
    coolant_w: float


@dataclass(frozen=True, slots=True)
class State:
    """Temperatures [degC] of room and coolant."""

    room_c: float
    coolant_c: float


@dataclass(frozen=True, slots=True)
class Motion:
    """How room [degC], coolant [degC] and removed heat [W] go on until something changes."""

    regime: Regime
    room: Modes
    coolant: Modes
    removed: Modes


def quickest_s(loop: Loop, drive: Drive) -> float:
    """Return a time [s] that no time constant of the two coupled stores is shorter than: their rates add up to at most
    the trace of the system's matrix, here with the plant in control."""
    conductance = drive.conductance_w_per_k
    return 1.0 / (conductance / loop.room_j_per_k + (conductance + loop.gain_w_per_k) / loop.coolant_j_per_k)


def steady(loop: Loop, drive: Drive, capacity_w: float) -> State:
    """Return the steady state; a plant that cannot carry the heat leaves the state at which it has just reached its
    capacity."""
    removed_w = min(drive.room_w + drive.coolant_w, capacity_w)
    coolant_c = loop.zero_c + removed_w / loop.gain_w_per_k
    return State(coolant_c + drive.room_w / drive.conductance_w_per_k, coolant_c)


def move(loop: Loop, drive: Drive, state: State, capacity_w: float) -> Motion:
    """Return the motion from ``state`` with a plant that removes between nothing and ``capacity_w`` [W]."""
    full_c = loop.zero_c + capacity_w / loop.gain_w_per_k
    if state.coolant_c > full_c + _TOUCH_K:
        return constant_removal(loop, drive, state, capacity_w)
    if state.coolant_c < loop.zero_c - _TOUCH_K:
        return constant_removal(loop, drive, state, 0.0)
    motion = proportional_removal(loop, drive, state)
    heading = motion.coolant.heading(_TOUCH_K)
    if state.coolant_c >= full_c - _TOUCH_K and heading > 0:
        return constant_removal(loop, drive, state, capacity_w)
    if state.coolant_c <= loop.zero_c + _TOUCH_K and heading < 0:
        return constant_removal(loop, drive, state, 0.0)
    return motion


def proportional_removal(loop: Loop, drive: Drive, state: State) -> Motion:
    """Solve the plant in control: two exponentials toward the steady state.

    The deviation ``x`` obeys ``x' = A x`` with real negative eigenvalues, because the off-diagonal terms of ``A``
    have one sign; the spectral projectors ``(A - l2)/(l1 - l2)`` and ``(A - l1)/(l2 - l1)`` split the start into its
    two modes.
    """
    conductance, gain = drive.conductance_w_per_k, loop.gain_w_per_k
    a, b = -conductance / loop.room_j_per_k, conductance / loop.room_j_per_k
    c, d = conductance / loop.coolant_j_per_k, -(conductance + gain) / loop.coolant_j_per_k
    gap = sqrt((a - d) ** 2 + 4.0 * b * c)
    fast = 0.5 * (a + d - gap)
    slow = (a * d - b * c) / fast  # the product of the eigenvalues is the determinant; no cancellation this way
    end_coolant = loop.zero_c + (drive.room_w + drive.coolant_w) / gain
    end_room = end_coolant + drive.room_w / conductance
    room, coolant = state.room_c - end_room, state.coolant_c - end_coolant
    room_slow = ((a - fast) * room + b * coolant) / gap
    coolant_slow = (c * room + (d - fast) * coolant) / gap
    coolant_fast = coolant - coolant_slow
    return Motion(
        "controlled",
        Modes(end_room, 0.0, (room_slow, -slow), (room - room_slow, -fast)),
        Modes(end_coolant, 0.0, (coolant_slow, -slow), (coolant_fast, -fast)),
        Modes(drive.room_w + drive.coolant_w, 0.0, (gain * coolant_slow, -slow), (gain * coolant_fast, -fast)),
    )


def constant_removal(loop: Loop, drive: Drive, state: State, removed_w: float) -> Motion:
    """Solve the plant at a constant ``removed_w`` [W]: the mean drifts, the difference of the two nodes relaxes."""
    room_j, coolant_j, conductance = loop.room_j_per_k, loop.coolant_j_per_k, drive.conductance_w_per_k
    both_j = room_j + coolant_j
    rate = conductance * (1.0 / room_j + 1.0 / coolant_j)
    drift = (drive.room_w + drive.coolant_w - removed_w) / both_j
    mean = (room_j * state.room_c + coolant_j * state.coolant_c) / both_j
    gap_end = (drive.room_w / room_j - (drive.coolant_w - removed_w) / coolant_j) / rate
    gap_rest = state.room_c - state.coolant_c - gap_end
    up, down = coolant_j / both_j, room_j / both_j
    still = (0.0, 1.0)
    return Motion(
        "full" if removed_w > 0.0 else "off",
        Modes(mean + up * gap_end, drift, (up * gap_rest, rate), still),
        Modes(mean - down * gap_end, drift, (-down * gap_rest, rate), still),
        Modes(removed_w, 0.0, still, still),
    )
