"""EnergyPlus weather files: the hours of a year as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dcsim.errors import InputError

_HEADER_LINES = 8
_HOURS = 8760
_DRY_BULB, _HUMIDITY, _PRESSURE = 6, 8, 9
_MISSING = {_DRY_BULB: 99.9, _HUMIDITY: 999.0, _PRESSURE: 999999.0}
_PLAUSIBLE = {_DRY_BULB: (-90.0, 70.0), _HUMIDITY: (0.0, 110.0), _PRESSURE: (31000.0, 120000.0)}
_NAMES = {_DRY_BULB: "dry bulb [degC]", _HUMIDITY: "relative humidity [%]", _PRESSURE: "pressure [Pa]"}


@dataclass(frozen=True)
class HourlyWeather:
    """8,760 hours from 1 January: dry bulb [degC], relative humidity [1], pressure [Pa]."""

    dry_bulb_c: tuple[float, ...]
    relative_humidity: tuple[float, ...]
    pressure_pa: tuple[float, ...]


def read_epw(path: Path) -> HourlyWeather:
    """Read ``path``; the columns are those of the EnergyPlus Auxiliary Programs guide, "EPW file format".

    Raises
    ------
    InputError
        Where the file cannot be read, has not 8,760 hours (8,784 of a leap year lose 29 February), or a value is
        missing.
    """
    try:
        lines = path.read_text(encoding="latin-1").splitlines()
    except OSError as error:
        raise InputError(f"{path}: the weather file cannot be read ({error.strerror})") from error
    rows = [
        (number, line.split(","))
        for number, line in enumerate(lines[_HEADER_LINES:], _HEADER_LINES + 1)
        if line.strip()
    ]
    rows = [row for row in rows if not _leap_day(row[1])]
    if len(rows) != _HOURS:
        raise InputError(
            f"{path}: found {len(rows)} hours of weather, expected {_HOURS} after {_HEADER_LINES} header lines"
        )
    columns = {column: tuple(_field(path, number, row, column) for number, row in rows) for column in _NAMES}
    humidity = tuple(min(max(value / 100.0, 0.01), 1.0) for value in columns[_HUMIDITY])
    return HourlyWeather(columns[_DRY_BULB], humidity, columns[_PRESSURE])


def _leap_day(row: list[str]) -> bool:
    return [text.strip() for text in row[1:3]] == ["2", "29"]


def _field(path: Path, line: int, row: list[str], column: int) -> float:
    text = row[column] if column < len(row) else ""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    low, high = _PLAUSIBLE[column]
    if value == _MISSING[column] or not low <= value <= high:
        raise InputError(
            f"{path}:{line}: found {text!r} as {_NAMES[column]}, expected a number from {low:g} to {high:g}"
        )
    return value
