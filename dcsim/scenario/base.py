"""What every scenario value is made of: frozen models whose physical quantities are written with their unit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from dcsim import units
from dcsim.errors import UnitError


class Value(BaseModel):
    """A frozen value: unknown keys are errors, and nothing about it changes after it was read."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def wrong(expected: str, found: str = "", at: str = "") -> PydanticCustomError:
    """Return the error of a validator: what is expected, what was found, and the dotted key below the value checked."""
    # The text travels in the context because a message template would read braces in it as names.
    return PydanticCustomError("expected", "{expected}", {"expected": expected, "found": found, "at": at})


@dataclass(frozen=True)
class Quantity:
    """A pydantic annotation: text such as ``"400 Gbit/s"`` in the file, a float in SI inside.

    ``low`` and ``high`` are inclusive bounds [SI]; ``positive`` excludes zero; ``words`` are accepted in place of a
    quantity and kept as they are.
    """

    dimension: str
    low: float | None = 0.0
    high: float | None = None
    positive: bool = False
    words: tuple[str, ...] = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._read,
            serialization=core_schema.plain_serializer_function_ser_schema(self._write, when_used="json"),
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        kind = units.dimensions()[self.dimension]
        names = "|".join(re.escape(name).replace(r"\-", "-") for name in kind.units)
        pattern = rf"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)? *({names})$"
        text = {"type": "string", "description": kind.expected, "examples": [kind.example], "pattern": pattern}
        others: list[dict[str, Any]] = [{"const": word} for word in self.words]
        if kind.plain:
            bounds = {"minimum": self.low, "maximum": self.high}
            others.append({"type": "number"} | {name: bound for name, bound in bounds.items() if bound is not None})
        return {"anyOf": [*others, text]} if others else text

    def _read(self, found: Any) -> float | str:
        if found in self.words and isinstance(found, str):
            return found
        try:
            value = units.parse(found, self.dimension)
        except UnitError as error:
            expected, _, hint = error.expected.partition("; ")
            raise PydanticCustomError(
                "expected", "{expected}", {"expected": expected + self._or_words(), "hint": hint}
            ) from None
        self._check(value)
        return value

    def _check(self, value: float) -> None:
        phrase = units.dimensions()[self.dimension].phrase
        if self.positive and not value > 0.0:
            raise wrong(f"{phrase} above zero{self._or_words()}")
        if self.low is not None and value < self.low:
            raise wrong(f"{phrase} of at least {units.write(self.low, self.dimension)}{self._or_words()}")
        if self.high is not None and value > self.high:
            raise wrong(f"{phrase} of at most {units.write(self.high, self.dimension)}{self._or_words()}")

    def _or_words(self) -> str:
        return "".join(f' or "{word}"' for word in self.words)

    def _write(self, value: float | str) -> float | str:
        plain = isinstance(value, str) or units.dimensions()[self.dimension].plain
        return value if plain else units.write(float(value), self.dimension)


@dataclass(frozen=True)
class Whole:
    """A pydantic annotation: a whole number between ``low`` and ``high``, both included; ``even`` as it says."""

    low: int = 1
    high: int = 10**12
    even: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self._read)

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.low, "maximum": self.high} | ({"multipleOf": 2} if self.even else {})

    def _read(self, found: Any) -> int:
        whole = isinstance(found, int | float) and not isinstance(found, bool) and found == found // 1
        if not whole or not self.low <= found <= self.high or (self.even and found % 2):
            raise wrong(self._expected(found if whole else self.low))
        return int(found)

    def _expected(self, found: float) -> str:
        even = "an even whole number" if self.even else "a whole number"
        return f"{even} of at most {self.high}" if found > self.high else f"{even} of at least {self.low}"


Count = Annotated[int, Whole()]
Flag = Annotated[bool, Field(strict=True)]
PositiveNumber = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
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
