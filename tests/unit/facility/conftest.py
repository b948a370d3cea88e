"""A small site to test with: ten servers of 10 kW, every part given in full so that sums can be checked by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from dcsim.catalogue.parts import Chiller, Grid, LossCurve
from dcsim.engine import Clock, Level, LevelArray, Recorder
from dcsim.facility import Facility, FacilityPlan
from dcsim.facility.power import SupplyBank
from dcsim.scenario.facility import ConstantClimate, Site


@dataclass
class Small:
    """A facility with what drives it."""

    clock: Clock
    recorder: Recorder
    servers: LevelArray
    other: Level
    cap: Level
    facility: Facility

    def load(self, power_w: float) -> None:
        """Give every server ``power_w`` [W]."""
        self.servers.set(np.arange(len(self.servers.names)), power_w)


@pytest.fixture
def chiller() -> Chiller:
    """DOE-2 centrifugal chiller of COP 5.5, curves as in the EnergyPlus data set "DOE-2 Centrifugal/5.50COP"."""
    return Chiller(
        title="centrifugal",
        reference_cop=5.5,
        capacity_by_temperature=(0.257896, 0.0389016, -2.1708e-4, 0.0468684, -9.4284e-4, -3.4344e-4),
        energy_by_temperature=(0.933884, -0.058212, 4.50036e-3, 2.43e-3, 4.86e-4, -1.215e-3),
        energy_by_part_load=(0.222903, 0.313387, 0.46371),
        chilled_water_range=("5 degC", "10 degC"),
        condenser_range=("24 degC", "35 degC"),
        part_load_range=(0.1, 1.0),
    )


@pytest.fixture
def build(chiller: Chiller) -> Callable[..., Small]:
    """Return a function that builds a site of ``servers`` of 10 kW; ``site`` keywords as in a scenario file."""

    def make(start_w: float = 4000.0, servers: int = 10, **site: object) -> Small:
        clock = Clock()
        recorder = Recorder(clock, ("power", "temperature"))
        climate = site.pop("weather", None) or ConstantClimate(dry_bulb="10 degC", relative_humidity="60 %")
        start = site.pop("start", datetime.fromisoformat("2026-07-01T00:30+02:00"))
        power = LevelArray(clock, [f"train/{i}" for i in range(servers)], "W")
        other, cap = Level(clock, "other", "W", 1000.0), Level(clock, "cap", "1", 1.0)
        supply = LossCurve(title="psu", no_load=0.01, linear=0.01, quadratic=0.03)
        power.set(np.arange(servers), start_w)
        plan = FacilityPlan(
            site=Site(**site),
            ups=LossCurve(title="ups", no_load=0.01, linear=0.02, quadratic=0.01),
            pdu=LossCurve(title="pdu", no_load=0.004, linear=0.0, quadratic=0.01),
            transformer=LossCurve(title="transformer", no_load=0.003, linear=0.0, quadratic=0.009),
            chiller=chiller,
            climate=climate,
            grid=Grid(
                title="grid", carbon="36 gCO2e/kWh", scope="average-lifecycle", price="0.1 USD/kWh", water="2 L/kWh"
            ),
            start=start,
            supplies=SupplyBank.of([supply] * servers, [10e3] * servers),
            rated_w=servers * 10e3,
            server_power=power,
            other_power=other,
            cap=cap,
            folder=Path(),
        )
        return Small(clock, recorder, power, other, cap, Facility(clock, recorder, plan))

    return make
