"""What every scenario value is made of: frozen models whose physical quantities are written with their unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from dcsim import units
from dcsim.errors import UnitError


class Value(BaseModel):
    """A frozen value: unknown keys are errors, and nothing about it changes after it was read."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)


@dataclass(frozen=True)
class Quantity:
    """A pydantic annotation: text such as ``"400 Gbit/s"`` in the file, a float in SI inside.

    ``low`` and ``high`` are inclusive bounds [SI]; ``positive`` excludes zero.
    """

    dimension: str
    low: float | None = 0.0
    high: float | None = None
    positive: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._read,
            serialization=core_schema.plain_serializer_function_ser_schema(self._write, when_used="json"),
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        example = units.example(self.dimension)
        return {"type": "string", "description": f"{self.dimension}, for example {example!r}", "examples": [example]}

    def _read(self, found: Any) -> float:
        try:
            value = units.parse(found, self.dimension)
        except UnitError as error:
            raise PydanticCustomError("quantity", "{expected}", {"expected": error.expected}) from None
        self._check(value)
        return value

    def _check(self, value: float) -> None:
        if self.positive and not value > 0.0:
            raise PydanticCustomError("quantity", "a {dimension} above zero", {"dimension": self.dimension})
        for bound, word in ((self.low, "at least"), (self.high, "at most")):
            if bound is not None and (value < bound if word == "at least" else value > bound):
                text = units.write(bound, self.dimension)
                raise PydanticCustomError(
                    "quantity",
                    "a {dimension} of {word} {text}",
                    {"dimension": self.dimension, "word": word, "text": text},
                )

    def _write(self, value: float) -> str:
        return units.write(value, self.dimension)


Duration = Annotated[float, Quantity("time")]
PositiveDuration = Annotated[float, Quantity("time", positive=True)]
DataSize = Annotated[float, Quantity("data", positive=True)]
DataRate = Annotated[float, Quantity("data rate", positive=True)]
Power = Annotated[float, Quantity("power", positive=True)]
IdlePower = Annotated[float, Quantity("power")]
Energy = Annotated[float, Quantity("energy")]
Temperature = Annotated[float, Quantity("temperature", low=-273.15)]
TemperatureDifference = Annotated[float, Quantity("temperature difference")]
FlopRate = Annotated[float, Quantity("flop rate", positive=True)]
Money = Annotated[float, Quantity("money")]
EnergyPrice = Annotated[float, Quantity("energy price")]
CarbonIntensity = Annotated[float, Quantity("carbon intensity")]
WaterIntensity = Annotated[float, Quantity("water intensity")]
EnergyPerFlop = Annotated[float, Quantity("energy per flop")]
EnergyPerByte = Annotated[float, Quantity("energy per byte")]
Fraction = Annotated[float, Quantity("ratio", low=0.0, high=1.0)]
Factor = Annotated[float, Quantity("ratio", low=0.0)]
HeatCapacity = Annotated[float, Quantity("heat capacity", positive=True)]
Conductance = Annotated[float, Quantity("thermal conductance", positive=True)]
