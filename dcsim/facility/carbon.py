"""Carbon of the electricity used."""

from __future__ import annotations


def emissions(energy_j: float, intensity_kg_per_j: float) -> float:
    """Return the carbon [kgCO2e] of ``energy_j`` [J] from a grid of ``intensity_kg_per_j`` [kgCO2e/J].

    GHG Protocol Scope 2 Guidance (2015): activity times emission factor. The factor's scope (average or marginal,
    direct or life cycle, location or market based) goes with the grid and must be said wherever the result is shown.
    """
    return energy_j * intensity_kg_per_j
