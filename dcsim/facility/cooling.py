"""The cooling plant's machines: one published model a function, each with its source and range."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from dcsim.catalogue.parts import Chiller

LEAST_TOWER_FLOW = 0.2
"""Air flow over the full one [1] below which tower fans cycle; an assumption, a usual lowest speed of fan drives."""


def biquadratic(curve: Sequence[float], x: float, y: float) -> float:
    """Return ``c0 + c1 x + c2 x^2 + c3 y + c4 y^2 + c5 x y``, the order of terms of DOE-2 and EnergyPlus."""
    return curve[0] + x * (curve[1] + curve[2] * x) + y * (curve[3] + curve[4] * y) + curve[5] * x * y


def clamp(value: float, bounds: tuple[float, float]) -> float:
    """Return ``value`` moved into ``bounds``."""
    return min(max(value, bounds[0]), bounds[1])


def chiller_capacity_ratio(chiller: Chiller, leaving_c: float, condenser_c: float) -> float:
    """Return the capacity over that at reference conditions [1].

    DOE-2 CAPFT: Hydeman and Gillespie, "Tools and techniques to calibrate electric chiller component models", ASHRAE
    Transactions 108-1 (2002). ``leaving_c`` is the chilled water leaving, ``condenser_c`` the condenser water
    entering [degC]; both are moved into the range in which the curve was fitted.
    """
    x, y = clamp(leaving_c, chiller.chilled_water_range), clamp(condenser_c, chiller.condenser_range)
    return biquadratic(chiller.capacity_by_temperature, x, y)


def chiller_power_ratio(chiller: Chiller, part_load: float, leaving_c: float, condenser_c: float) -> float:
    """Return electric power over the heat capacity available at these temperatures [1].

    DOE-2: ``EIRFT EIRFPLR / COP_reference`` (source as for the capacity). Below the fitted part load the machine
    cycles, so its power falls in proportion to the load (EnergyPlus Engineering Reference, "Electric chiller model
    based on condenser entering temperature").
    """
    x, y = clamp(leaving_c, chiller.chilled_water_range), clamp(condenser_c, chiller.condenser_range)
    load = clamp(part_load, chiller.part_load_range)
    c0, c1, c2 = chiller.energy_by_part_load
    ratio = biquadratic(chiller.energy_by_temperature, x, y) * (c0 + load * (c1 + c2 * load)) / chiller.reference_cop
    return ratio * min(1.0, part_load / load)


def plug_fan(flow: float) -> float:
    """Return power over full power [1] of a speed-controlled plug fan in a room air handler at a ``flow`` share in
    0..1.

    Curve of the EnergyPlus example 1ZoneDataCenterCRAC_wApproachTemp.
    """
    return 0.06990146 + flow * (1.39500612 + flow * (-3.35487336 + flow * 2.89232315))


def tower_fan(flow: float) -> float:
    """Return power over full power [1] of a variable-speed tower fan at an air-flow share in 0..1.

    Curve of the EnergyPlus example 2ZoneDataCenterHVAC_wEconomizer, which turns negative below a flow of about 0.15.
    Below :data:`LEAST_TOWER_FLOW` the fan therefore cycles: it runs there for a part of the time, so its mean power
    falls in proportion to the flow.
    """
    running = max(flow, LEAST_TOWER_FLOW)
    power = -0.00931516 + running * (0.05123340 + running * (-0.08383647 + running * 1.04191823))
    return power * flow / running


def variable_pump(flow: float, static_share: float) -> float:
    """Return power over full power [1] of a speed-controlled pump at a ``flow`` share in 0..1.

    Affinity laws (ASHRAE Handbook, HVAC Systems and Equipment, "Centrifugal pumps"): the friction head falls with the
    square of the flow; ``static_share`` [1] of the head is held whatever the flow.
    """
    return flow * (static_share + (1.0 - static_share) * flow * flow)


def machines_running(heat_w: float, machine_w: float, machines: int) -> int:
    """Return how many of equal ``machines`` run: as few as can carry ``heat_w`` [W] at ``machine_w`` [W] each, at
    least one."""
    return min(machines, max(1, ceil(heat_w / machine_w)))


def tower_reach(wet_bulb_c: float, load: float, design_approach_k: float) -> float:
    """Return the coldest water [degC] a tower makes at full air flow and a ``load`` [1] of its design heat.

    Heat is taken as proportional to air flow times (leaving water - wet bulb): first order in the Merkel theory
    around the design point, so half the load halves the approach.
    """
    return wet_bulb_c + design_approach_k * load


def tower_flow(load: float, approach_k: float, design_approach_k: float) -> float:
    """Return the air-flow share [1] that rejects ``load`` [1] of the design heat at ``approach_k`` [K]; see
    :func:`tower_reach`."""
    return min(1.0, load * design_approach_k / approach_k)


def economizer_share(return_c: float, supply_c: float, cold_c: float, approach_k: float) -> float:
    """Return the share [1] of the heat that a plate exchanger ahead of the chillers removes.

    It cools the returning water toward the tower water ``cold_c`` plus its ``approach_k`` [K]; the chillers do the
    rest down to ``supply_c`` [degC] (integrated water-side economizer, ASHRAE 90.1-2019 6.5.1.2).
    """
    span = return_c - supply_c
    return clamp((return_c - cold_c - approach_k) / span, (0.0, 1.0)) if span > 0.0 else 0.0
