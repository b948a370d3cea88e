"""Weather: constant, typical by month, or hourly from a file; always constant within a clock hour."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import cos, pi
from pathlib import Path
from types import ModuleType
from typing import Protocol

from dcsim.catalogue.parts import Climate
from dcsim.facility.epw import HourlyWeather, read_epw
from dcsim.scenario.facility import ClimateFile, ConstantClimate

SEA_LEVEL_PA = 101325.0
_DRIEST = 0.01  # relative humidity [1]; psychrolib has no wet bulb of air without any moisture
WARMEST_HOUR = 15.0
"""Local hour of the daily maximum; an assumption, typical of clear days."""

_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Weather:
    """Outdoor air: dry bulb and wet bulb [degC]."""

    dry_bulb_c: float
    wet_bulb_c: float


def wet_bulb(dry_bulb_c: float, relative_humidity: float, pressure_pa: float = SEA_LEVEL_PA) -> float:
    """Return the thermodynamic wet bulb [degC] by psychrolib.

    ASHRAE Handbook Fundamentals (2017) chapter 1, equations 33 and 35; valid from -100 to 200 degC.
    """
    psychrolib = _psychrolib()
    return float(psychrolib.GetTWetBulbFromRelHum(dry_bulb_c, max(relative_humidity, _DRIEST), pressure_pa))


def typical_dry_bulb(climate: Climate, month: int, hour: float) -> float:
    """Return the dry bulb [degC] of the month's mean day (``month`` 1..12) at ``hour`` [h]: a sinusoid around the
    mean."""
    mean, half_range = climate.dry_bulb_c[month - 1], 0.5 * climate.daily_range_k[month - 1]
    return mean + half_range * cos(2.0 * pi * (hour - WARMEST_HOUR) / 24.0)


def typical_weather(climate: Climate, month: int, hour: float) -> Weather:
    """Return the weather of the month's mean day at ``hour`` [h], at the standard pressure of its elevation.

    The moisture of the air is constant over the day: that of the month's mean temperature and relative humidity.
    """
    psychrolib = _psychrolib()
    pressure_pa = psychrolib.GetStandardAtmPressure(climate.elevation_m)
    dry_bulb_c = typical_dry_bulb(climate, month, hour)
    humidity = max(climate.relative_humidity[month - 1], _DRIEST)
    moisture = psychrolib.GetHumRatioFromRelHum(climate.dry_bulb_c[month - 1], humidity, pressure_pa)
    moisture = min(moisture, psychrolib.GetSatHumRatio(dry_bulb_c, pressure_pa))
    return Weather(dry_bulb_c, float(psychrolib.GetTWetBulbFromHumRatio(dry_bulb_c, moisture, pressure_pa)))


def _psychrolib() -> ModuleType:
    """Import psychrolib late and in SI."""
    if "psychrolib" not in sys.modules:
        with _absent("numba"):
            import psychrolib
    import psychrolib

    psychrolib.SetUnitSystem(psychrolib.SI)
    return psychrolib  # type: ignore[no-any-return]


@contextmanager
def _absent(module: str) -> Iterator[None]:
    """Let an import fail: psychrolib compiles itself with Numba where that is installed, ten seconds in each process
    for a few hundred values of weather, and its last bits would depend on what else is installed.
    """
    hidden = sys.modules.get(module)
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]
        if hidden is not None:
            sys.modules[module] = hidden


class Almanac(Protocol):
    """Where the weather of an hour is looked up."""

    def at(self, when: datetime) -> Weather:
        """Return the weather of the hour that begins at ``when`` (local time without zone)."""


class ConstantAlmanac:
    """Weather that never changes."""

    def __init__(self, climate: ConstantClimate) -> None:
        self._weather = Weather(climate.dry_bulb, wet_bulb(climate.dry_bulb, climate.relative_humidity))

    def at(self, when: datetime) -> Weather:  # noqa: ARG002 (the same at any time)
        """Return the weather."""
        return self._weather


class TypicalAlmanac:
    """The mean day of each month, 288 hours in all, each computed once."""

    def __init__(self, climate: Climate) -> None:
        self._climate = climate
        self._known: dict[tuple[int, int], Weather] = {}

    def at(self, when: datetime) -> Weather:
        """Return the weather of the month's mean day at the middle of the hour."""
        key = when.month, when.hour
        if key not in self._known:
            self._known[key] = typical_weather(self._climate, when.month, when.hour + 0.5)
        return self._known[key]


class FileAlmanac:
    """Hourly weather of a file; 29 February repeats the day before."""

    def __init__(self, hours: HourlyWeather) -> None:
        self._hours = hours

    def at(self, when: datetime) -> Weather:
        """Return the weather of the hour of the year."""
        day = 28 if (when.month, when.day) == (2, 29) else when.day
        index = int((datetime(2001, when.month, day) - datetime(2001, 1, 1)).days) * 24 + when.hour
        dry_bulb_c = self._hours.dry_bulb_c[index]
        return Weather(
            dry_bulb_c, wet_bulb(dry_bulb_c, self._hours.relative_humidity[index], self._hours.pressure_pa[index])
        )


class Outdoors:
    """The weather over simulated time; local time is that of the start's own offset from UTC, without daylight
    saving."""

    def __init__(self, climate: Climate | ConstantClimate | ClimateFile, start: datetime, folder: Path) -> None:
        self._start = start.replace(tzinfo=None)
        self._hour = self._start.replace(minute=0, second=0, microsecond=0)
        self.changes = not isinstance(climate, ConstantClimate)
        self._almanac: Almanac = _almanac(climate, folder)

    def weather(self, now_s: float) -> Weather:
        """Return the weather at ``now_s`` [s] after the start."""
        return self._almanac.at(self._hour + timedelta(hours=self._hours_begun(now_s)))

    def next_change(self, now_s: float) -> float | None:
        """Return the time [s] of the next full hour whose weather differs, None where none does within a year."""
        if not self.changes:
            return None
        present, begun = self.weather(now_s), self._hours_begun(now_s)
        for hour in range(begun + 1, begun + 8785):
            if self._almanac.at(self._hour + timedelta(hours=hour)) != present:
                return hour * _HOUR_S - self._past_hour_s
        return None

    @property
    def _past_hour_s(self) -> float:
        return (self._start - self._hour).total_seconds()

    def _hours_begun(self, now_s: float) -> int:
        # Times come from next_change, so half a microsecond covers their rounding.
        return int((now_s + self._past_hour_s + 5e-7) // _HOUR_S)


def _almanac(climate: Climate | ConstantClimate | ClimateFile, folder: Path) -> Almanac:
    if isinstance(climate, ConstantClimate):
        return ConstantAlmanac(climate)
    if isinstance(climate, ClimateFile):
        return FileAlmanac(read_epw(folder / climate.file))
    return TypicalAlmanac(climate)
