"""The site of a scenario: climate, grid, power chain, cooling plant."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from dcsim import units
from dcsim.scenario.base import (
    CarbonIntensity,
    EnergyPrice,
    Fraction,
    Power,
    Temperature,
    TemperatureDifference,
    Value,
    WaterIntensity,
    wrong,
)
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
        None, description="power at the input of the distribution units; 1.25 x the equipment's ratings unless given"
    )


class Cooling(Value):
    """The plant that carries the heat away."""

    kind: Literal["chilled-water"] = "chilled-water"
    supply: Temperature = Field(units.parse("22 degC", "temperature"), description="air supplied to the servers")
    approach: TemperatureDifference = Field(
        units.parse("12 K", "temperature difference"),
        description="supplied air less chilled water; smaller for warm-water plants with larger coils",
    )
    economizer: Literal["none", "water-side"] = "water-side"
    chiller: Name = "centrifugal-doe2"
    capacity: Power | None = Field(
        None, description="heat the chillers can carry; 1.2 x the electrical capacity unless given"
    )
    throttle: Temperature = Field(
        units.parse("35 degC", "temperature"), description="server inlet temperature above which clocks are lowered"
    )

    @model_validator(mode="after")
    def _liquid_water(self) -> Self:
        if not 0.0 < self.approach < self.supply:
            found, most = (units.write(value, "temperature difference") for value in (self.approach, self.supply))
            raise wrong(f"more than 0 K and less than {most}, where the chilled water freezes", found, at="approach")
        return self

    @model_validator(mode="after")
    def _throttle_above_supply(self) -> Self:
        if self.throttle <= self.supply:
            low = units.write(self.supply, "temperature")
            raise wrong(f"more than supply, {low}", units.write(self.throttle, "temperature"), at="throttle")
        return self


def _climate_kind(found: Any) -> str | None:
    if isinstance(found, str):
        return "Name"
    if isinstance(found, ConstantClimate | ClimateFile):
        return type(found).__name__
    return ("ClimateFile" if "file" in found else "ConstantClimate") if isinstance(found, dict) else None


def _grid_kind(found: Any) -> str | None:
    return "CustomGrid" if isinstance(found, dict | CustomGrid) else "Name" if isinstance(found, str) else None


AnyClimate = Annotated[
    Annotated[Name, Tag("Name")]
    | Annotated[ConstantClimate, Tag("ConstantClimate")]
    | Annotated[ClimateFile, Tag("ClimateFile")],
    Discriminator(
        _climate_kind,
        custom_error_type="expected",
        custom_error_message='a climate of the catalogue such as "stockholm", a weather file, or a constant climate',
    ),
]
AnyGrid = Annotated[
    Annotated[Name, Tag("Name")] | Annotated[CustomGrid, Tag("CustomGrid")],
    Discriminator(
        _grid_kind,
        custom_error_type="expected",
        custom_error_message='a grid of the catalogue such as "sweden", or a block with carbon and price',
    ),
]


class Site(Value):
    """Where the data center stands and what feeds and cools it."""

    climate: AnyClimate = "stockholm"
    grid: AnyGrid = "sweden"
    power: PowerChain = PowerChain()
    cooling: Cooling = Cooling()
