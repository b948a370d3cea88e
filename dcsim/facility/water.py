"""Water of evaporative heat rejection and of the grid."""

from __future__ import annotations

_CP_J_PER_KG_K = 4186.0
_KG_PER_L = 1.0

EVAPORATION_PER_KELVIN = 0.00085 * 1.8
"""Evaporated share of the circulating water a kelvin of range: 0.00085 a degF, Perry's Chemical Engineers' Handbook,
section 12, "Cooling tower operation: water makeup". Some nine tenths of the heat leave as vapor; in cold weather less
does."""

CYCLES_OF_CONCENTRATION = 4.0
"""Dissolved solids in the tower over those in the make-up water; the value of EnergyPlus' example
2ZoneDataCenterHVAC_wEconomizer."""

DRIFT_SHARE = 0.00005
"""Droplets lost over circulating water, 0.005 %: an assumption for current drift eliminators."""

_RANGE_K = 10.0 / 1.8  # condenser water, as the towers are sized


def evaporation(heat_j: float) -> float:
    """Return the water evaporated [L] to reject ``heat_j`` [J]: ``0.00085 flow range`` with ``heat = flow cp
    range``."""
    return heat_j * EVAPORATION_PER_KELVIN / (_CP_J_PER_KG_K * _KG_PER_L)


def blowdown(evaporated_l: float, cycles: float = CYCLES_OF_CONCENTRATION) -> float:
    """Return the water drained [L] to hold ``cycles`` [1] (above one): ``E/(CoC - 1)``, the balance of dissolved
    solids.

    EnergyPlus Engineering Reference, "Cooling tower makeup water usage".
    """
    return evaporated_l / (cycles - 1.0)


def drift(heat_j: float) -> float:
    """Return the water blown out as droplets [L] while ``heat_j`` [J] is rejected at the design range."""
    return DRIFT_SHARE * heat_j / (_CP_J_PER_KG_K * _KG_PER_L * _RANGE_K)


def make_up(heat_j: float) -> float:
    """Return the water taken from the mains [L] to reject ``heat_j`` [J]."""
    evaporated = evaporation(heat_j)
    return evaporated + blowdown(evaporated) + drift(heat_j)


def upstream(energy_j: float, intensity_l_per_j: float) -> float:
    """Return the water [L] consumed where ``energy_j`` [J] of electricity was generated, at ``intensity_l_per_j``
    [L/J]."""
    return energy_j * intensity_l_per_j
