"""Power of an accelerator: idle, waiting at high clocks, working, and slowed by a limit.

The mean power of a step is linear in what the step does (idle, plus a constant while the device is awake, plus energy
per FLOP, per byte of memory traffic and per byte of link traffic). Power is limited by lowering the core clock, and
voltage with it.
"""

from __future__ import annotations

from collections.abc import Callable

from dcsim.catalogue.parts import Accelerator

_VOLTAGE_OFFSET = 0.5
_LOWEST_CLOCK = 0.1
_CLOSE = 1e-12
_FINEST = 1e-14

Point = tuple[float, float]


def waiting_power(accelerator: Accelerator, clock: float = 1.0) -> float:
    """Return the power of an accelerator that is awake but does no arithmetic, as in a collective or a data stall [W].

    Idle, plus what the part draws above idle with its clocks up, which switches at every cycle and so follows the clock
    factor and the square of the voltage (CMOS dynamic power, C V^2 f).
    """
    return accelerator.idle + (accelerator.active - accelerator.idle) * clock * dynamic_energy_factor(clock)


def step_power(accelerator: Accelerator, dynamic_j: float, step_s: float, clock: float = 1.0) -> float:
    """Return the mean power over a step [W].

    Parameters
    ----------
    accelerator
        The part.
    dynamic_j
        What arithmetic, memory and links of one accelerator take in the step [J], already at ``clock``.
    step_s
        Duration of the step at ``clock``, waiting included [s].
    clock
        The clock factor [1].

    Returns
    -------
    float
        It may exceed the thermal design power: see :func:`power_limited_clock`.
    """
    return waiting_power(accelerator, clock) + dynamic_j / step_s


def relative_voltage(clock: float) -> float:
    """Return the core voltage at ``clock`` over that at full clock [1]: affine, ``0.5 + 0.5 clock``.

    An assumption, for clocks from 0.1 to 1: half the clock needs three quarters of the voltage, roughly the operating
    points of recent GPUs (0.7 V to 0.8 V at half of the boost clock, 1.0 V to 1.1 V at the full one, recalled). With
    it a training step of a 700 W H100 is 8 % slower at a 600 W limit and 17 % at 500 W, inside the published ranges
    (at most 15 %, vendor estimate; 10 % to 20 %, torchtitan).
    """
    return _VOLTAGE_OFFSET + (1.0 - _VOLTAGE_OFFSET) * clock


def dynamic_energy_factor(clock: float) -> float:
    """Return the switching energy of a step at ``clock`` over that at full clock [1]: ``V(clock)^2 / V(1)^2``.

    The number of switched capacitances does not depend on the clock, and each takes C V^2 (CMOS dynamic power, C V^2 f,
    divided by f).
    """
    return relative_voltage(clock) ** 2


def power_limited_clock(power_w: Callable[[float], float], limit_w: float, cap: float = 1.0) -> float:
    """Return the highest clock factor up to ``cap`` at which ``power_w(clock)`` does not exceed ``limit_w``.

    Parameters
    ----------
    power_w
        Mean power of a step at a clock factor [W], not falling with the clock: idle + E(f) / T(f).
    limit_w
        Thermal design power or a lower cap [W].
    cap
        Upper end of the search [1], for instance a thermal cap.

    Returns
    -------
    float
        A factor in [0.1, cap]; 0.1, about the lowest clock of data-center GPUs (210 of 1,980 MHz on an H100), where
        even that exceeds the limit.
    """
    low, high = min(_LOWEST_CLOCK, cap), cap
    above = power_w(high) - limit_w
    if above <= 0.0:
        return high
    below = power_w(low) - limit_w
    if below > 0.0:
        return low
    return _root(lambda clock: power_w(clock) - limit_w, (low, below), (high, above), _CLOSE * limit_w)


def _root(excess: Callable[[float], float], low: Point, high: Point, close: float) -> float:
    """Return where ``excess`` reaches zero between ``low`` and ``high``, from below and within ``close``.

    False position with halved weights (Illinois algorithm, M. Dowell, P. Jarratt, BIT 11, 1971): a plan of a step is
    costly.
    """
    (left, below), (right, above) = low, high
    weight_left, weight_right, moved = below, above, ""
    while below < -close and right - left > _FINEST:
        guess = left - weight_left * (right - left) / (weight_right - weight_left)
        found = excess(guess)
        if found <= 0.0:
            weight_right *= 0.5 if moved == "left" else 1.0
            left, below, weight_left, moved = guess, found, found, "left"
        else:
            weight_left *= 0.5 if moved == "right" else 1.0
            right, weight_right, moved = guess, found, "right"
    return left
