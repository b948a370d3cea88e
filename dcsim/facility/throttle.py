"""How warm inlet air lowers the clocks.

A server protects itself by lowering its clocks as its inlet warms. The rule here: full clocks up to the throttle
temperature, then linearly down to the floor 10 K above it, where a server would shut down. With the default 35 degC
that span ends at 45 degC, the upper inlet limits of the classes A2 and A4 (ASHRAE TC 9.9, Thermal Guidelines, 5th
edition, 2021, table 2.1). The line and the floor are assumptions. To keep the clock constant between events the line
is followed in steps of 1 K, each at its middle; a step is taken back when the inlet has fallen 1 K below the
temperature at which it was taken.
"""

from __future__ import annotations

SPAN_K = 10.0
STEP_K = 1.0
HYSTERESIS_K = 1.0
FLOOR = 0.2
"""Lowest clock over the nominal one [1]; near the ratio of lowest to highest clock of current accelerators; an
assumption."""

_STEPS = round(SPAN_K / STEP_K)
_TOUCH_K = 2e-9


def cap(stage: int) -> float:
    """Return the clock factor [1] after ``stage`` steps were taken: 0 for none, 11 for shutdown."""
    if stage <= 0:
        return 1.0
    return FLOOR if stage > _STEPS else 1.0 - (1.0 - FLOOR) * (stage - 0.5) / _STEPS


def shut_down(stage: int) -> bool:
    """Return whether the inlet has passed the shutdown threshold."""
    return stage > _STEPS


def rise(stage: int, throttle_c: float) -> float | None:
    """Return the inlet [degC] at which the next step is taken, None after the last."""
    return throttle_c + stage * STEP_K if stage <= _STEPS else None


def fall(stage: int, throttle_c: float) -> float | None:
    """Return the inlet [degC] at which the last step is taken back, None where none was taken."""
    return throttle_c + (stage - 1) * STEP_K - HYSTERESIS_K if stage > 0 else None


def follow(stage: int, inlet_c: float, throttle_c: float) -> int:
    """Return the number of steps taken at ``inlet_c`` [degC], coming from ``stage``."""
    up, down = rise(stage, throttle_c), fall(stage, throttle_c)
    if up is not None and inlet_c >= up - _TOUCH_K:
        return follow(stage + 1, inlet_c, throttle_c)
    if down is not None and inlet_c <= down + _TOUCH_K:
        return follow(stage - 1, inlet_c, throttle_c)
    return stage
