"""What a facility is made of: the site's settings, its parts, and the levels it couples to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dcsim.catalogue.parts import Chiller, Climate, Grid, LossCurve
from dcsim.engine import Level, LevelArray
from dcsim.facility.power import SupplyBank
from dcsim.scenario.facility import ClimateFile, ConstantClimate, Site

CAPACITY_MARGIN = 1.25
"""Design load over the equipment's ratings; an assumption for growth. The electrical capacity is the design load unless
the scenario gives it."""


@dataclass(frozen=True)
class FacilityPlan:
    """All that :class:`~dcsim.facility.site.Facility` needs.

    ``server_power`` [W] is what each server draws behind its power supplies (DC), ``other_power`` [W] what switches
    and storage draw at the distribution units (AC). The facility lowers ``cap`` (clock factor [1], 1 when cool).
    ``rated_w`` [W] is the sum of the ratings of all equipment: servers, switches, storage. ``folder`` is where weather
    files are looked up.
    """

    site: Site
    ups: LossCurve
    pdu: LossCurve
    transformer: LossCurve
    chiller: Chiller
    climate: Climate | ConstantClimate | ClimateFile
    grid: Grid
    start: datetime
    supplies: SupplyBank
    rated_w: float
    server_power: LevelArray
    other_power: Level
    cap: Level
    folder: Path = Path()

    @property
    def electrical_w(self) -> float:
        """Power that the chain is built for at the input of the distribution units [W]."""
        given = self.site.power.capacity
        return given if given is not None else self.design_w

    @property
    def design_w(self) -> float:
        """Load for which rooms and water loop are built, whatever feed and plant they were given [W]."""
        return CAPACITY_MARGIN * self.rated_w
