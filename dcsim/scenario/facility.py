"""The site of a scenario: climate, grid, power chain, cooling plant."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dcsim import units
from dcsim.scenario.base import CarbonIntensity, EnergyPrice, Fraction, Power, Temperature, Value, WaterIntensity
from dcsim.scenario.names import Name


class ConstantClimate(Value):
    """Weather that never changes, for tests and what-if questions."""

    dry_bulb: Temperature
    relative_humidity: Fraction


class ClimateFile(Value):
    """Hourly weather from an EnergyPlus weather file, relative to the scenario's folder."""

    file: str


class Carbon(Value):
    """How much carbon a kilowatt-hour carries, and by which accounting."""

    value: CarbonIntensity
    scope: Literal["average-lifecycle", "average-direct", "marginal", "market-based"]


class CustomGrid(Value):
    """A grid described in the scenario itself."""

    carbon: Carbon
    price: EnergyPrice
    water: WaterIntensity = Field(0.0, description="water used upstream to generate a kilowatt-hour")


class PowerChain(Value):
    """From the grid to the power supplies."""

    redundancy: Literal["N", "N+1", "2N"] = "2N"
    ups: Name = "double-conversion"
    pdu: Name = "pdu-transformer"
    transformer: Name = "mv-dry-type"
    capacity: Power | None = Field(
        None, description="power at the input of the distribution units; 1.25 x the servers' ratings unless given"
    )


class Cooling(Value):
    """The plant that carries the heat away."""

    kind: Literal["chilled-water"] = "chilled-water"
    supply: Temperature = Field(units.parse("22 degC", "temperature"), description="air supplied to the servers")
    economizer: Literal["none", "water-side"] = "water-side"
    chiller: Name = "centrifugal-doe2"
    capacity: Power | None = Field(
        None, description="heat the chillers can carry; 1.2 x the electrical capacity unless given"
    )
    throttle: Temperature = Field(
        units.parse("35 degC", "temperature"), description="server inlet temperature above which clocks are lowered"
    )


class Site(Value):
    """Where the data center stands and what feeds and cools it."""

    climate: Name | ConstantClimate | ClimateFile = "stockholm"
    grid: Name | CustomGrid = "sweden"
    power: PowerChain = PowerChain()
    cooling: Cooling = Cooling()
