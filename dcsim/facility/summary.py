"""What a facility did over a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Headroom:
    """How close the run came to a limit: ``used`` of ``capacity`` [unit]; ``headroom`` [1] is what was left, below 0
    beyond it."""

    what: str
    used: float
    capacity: float
    unit: str
    headroom: float
    lifted_by: str


@dataclass(frozen=True)
class FacilitySummary:
    """Energies [J] by stage, and what follows from them.

    ``energy_j`` has "grid", "it" (power supplies' inputs, switches and storage), its parts "servers" (behind the
    supplies), "psu" and "other", and "pdu", "ups", "transformer", "chiller", "pumps", "tower", "crah": ``grid`` is
    the sum of all but "it". Water [L] is that of the site and of the grid's power stations; ``pue`` is grid energy
    over IT energy [1].
    """

    energy_j: Mapping[str, float]
    pue: float
    power_peak_w: float
    power_mean_w: float
    inlet_peak_c: float
    site_water_l: float
    upstream_water_l: float
    carbon_kg: float
    carbon_scope: str
    electricity_cost_usd: float
    economizer_share: float
    headrooms: tuple[Headroom, ...]
    warnings: tuple[str, ...]

    @property
    def water_l(self) -> float:
        """Water of the site and of its electricity [L]."""
        return self.site_water_l + self.upstream_water_l
