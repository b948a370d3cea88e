"""Quantities: what is read, what is refused and with which words, what is written and shown."""

from __future__ import annotations

import math

import pint
import pytest

from dcsim import units
from dcsim.errors import UnitError


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("400 Gbit/s", "data rate", 400e9 / 8),
        ("3.35 TB/s", "data rate", 3.35e12),
        ("25 MiB", "data", 25 * 2**20),
        ("25 MB", "data", 25e6),
        ("8 kbit", "data", 1000.0),
        ("8 Kibit", "data", 1024.0),
        ("80GB", "data", 80e9),
        ("700 W", "power", 700.0),
        ("5 mW", "power", 0.005),
        ("5 MW", "power", 5e6),
        ("2 kWh", "energy", 7.2e6),
        ("22 degC", "temperature", 22.0),
        ("273.15 K", "temperature", 0.0),
        ("212 degF", "temperature", 100.0),
        ("5 K", "temperature difference", 5.0),
        ("36 min", "time", 2160.0),
        ("2 days", "time", 172800.0),
        ("1 year", "time", 365.25 * 86400),
        ("3 us", "time", 3e-6),
        ("989 TFLOP/s", "flop rate", 989e12),
        ("0.09 USD/kWh", "energy price", 0.09 / 3.6e6),
        ("41 gCO2e/kWh", "carbon intensity", 0.041 / 3.6e6),
        ("1.8 L/kWh", "water intensity", 1.8 / 3.6e6),
        ("0.5 pJ/FLOP", "energy per flop", 0.5e-12),
        ("5 pJ/bit", "energy per byte", 40e-12),
        ("35 %", "ratio", 0.35),
        ("0.35", "ratio", 0.35),
        (0.35, "ratio", 0.35),
        (2, "ratio", 2.0),
        ("1e3 kUSD", "money", 1e6),
    ],
)
def test_reads(text: object, dimension: str, value: float) -> None:
    assert units.parse(text, dimension) == pytest.approx(value, rel=1e-15)


def test_reads_the_nearest_float() -> None:
    assert units.parse("0.3 ms", "time") == 0.0003  # 0.3 * 1e-3 would be 0.00030000000000000003
    assert units.parse("-273.15 degC", "temperature") == units.parse("0 K", "temperature") == -273.15


@pytest.mark.parametrize(
    ("text", "dimension", "hint"),
    [
        ("400 Gb/s", "data rate", "Gbit/s"),
        ("400 Gbps", "data rate", "Gbit/s"),
        ("400 GBps", "data rate", "GB/s"),
        ("400 gbit/s", "data rate", "Gbit/s"),
        ("400 Gbit", "data rate", "Gbit/s"),
        ("4 Gb", "data", "Gbit"),
        ("4 KB", "data", "kB"),
        ("989 TFLOPS", "flop rate", "TFLOP/s"),
        ("5 $", "money", "USD"),
        ("41 gCO2/kWh", "carbon intensity", "gCO2e/kWh"),
    ],
)
def test_names_the_right_spelling(text: str, dimension: str, hint: str) -> None:
    with pytest.raises(UnitError) as caught:
        units.parse(text, dimension)
    assert caught.value.expected == f'{units.expected(dimension)}; did you mean "{hint}"?'


@pytest.mark.parametrize(
    "found",
    [5, 5.0, "5", "", "min", "five min", "5 W", "nan s", "inf s", "1e400 s", "1e46 s", "1e9999 s", "9" * 5000 + " s",
     "5 s s", True, None, [], {}, "5\x00 s", "٥ s", math.nan, math.inf, "- 5 s", "1,000 s"],
)  # fmt: skip
def test_refuses(found: object) -> None:
    with pytest.raises(UnitError, match='a time such as "20 min"'):
        units.parse(found, "time")


@pytest.mark.parametrize("found", [math.nan, math.inf, -math.inf, 1e300, 10**400, True, "35 W", "nan", "nan %"])
def test_refuses_as_ratio(found: object) -> None:
    with pytest.raises(UnitError):
        units.parse(found, "ratio")


def test_an_error_reads_like_the_contract() -> None:
    with pytest.raises(UnitError) as caught:
        units.parse(400, "data rate")
    assert caught.value.expected == 'a rate such as "400 Gbit/s"'


@pytest.mark.parametrize("dimension", list(units.dimensions()))
def test_every_example_reads_and_every_unit_is_positive(dimension: str) -> None:
    kind = units.dimensions()[dimension]
    units.parse(units.example(dimension), dimension)
    assert all(factor > 0 for factor in kind.units.values())
    assert kind.plain or kind.units[kind.base] == 1


@pytest.mark.parametrize(
    ("value", "dimension", "text"),
    [
        (25 * 2.0**20, "data", "25 MiB"),
        (5e10, "data rate", "50 GB/s"),
        (1200.0, "time", "20 min"),
        (14400.0, "time", "4 h"),
        (0.0, "time", "0 s"),
        (22.0, "temperature", "22 degC"),
        (0.35, "ratio", "35 %"),
        (1.0, "ratio", "1"),
        (700.0, "power", "700 W"),
        (1 / 3, "power", "0.3333333333333333 W"),
        (0.041 / 3.6e6, "carbon intensity", "41 gCO2e/kWh"),
    ],
)
def test_writes(value: float, dimension: str, text: str) -> None:
    assert units.write(value, dimension) == text


def test_refuses_to_write_what_it_could_not_read() -> None:
    for value in (math.nan, math.inf, 1e46):
        with pytest.raises(UnitError):
            units.write(value, "power")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.24e6, "W", "1.24 MW"),
        (0.0031, "s", "3.1 ms"),
        (999.7e3, "W", "1 MW"),
        (90.0, "s", "90 s"),
        (5400.0, "s", "90 min"),
        (86400.0, "s", "24 h"),
        (5e10, "B/s", "50 GB/s"),
        (3.6e6, "J", "1 kWh"),
        (7.2e9, "J", "2 MWh"),
        (12.0, "J", "12 J"),
        (22.04, "degC", "22 degC"),
        (5.0, "K", "5 K"),
        (12_345.0, "USD", "12.3 kUSD"),
        (123.4, "USD", "123 USD"),
        (2500.0, "kgCO2e", "2.5 tCO2e"),
        (0.25, "kgCO2e", "250 gCO2e"),
        (1500.0, "L", "1.5 m3"),
        (3e15, "FLOP", "3 PFLOP"),
        (9.89e14, "FLOP/s", "989 TFLOP/s"),
        (0.354, "1", "0.354"),
        (35.44, "%", "35.4 %"),
        (123_456.0, "tokens/s", "123,000 tokens/s"),
        (1_234_567.0, "tokens/s", "1.23 Mtokens/s"),
        (4.2, "samples/s", "4.2 samples/s"),
        (0.012, "J/token", "12 mJ/token"),
        (3e-7, "USD/token", "0.3 USD/Mtoken"),
        (3e-9, "kgCO2e/token", "3 gCO2e/Mtoken"),
        (0.0, "W", "0 W"),
        (-2000.0, "W", "-2 kW"),
        (math.nan, "W", "n/a"),
        (math.inf, "s", "infinite"),
    ],
)
def test_shows(value: float, unit: str, text: str) -> None:
    assert units.show(value, unit) == text


# Of the units pint has: it reads "400 Gb/s" as gilberts and knows neither FLOP, nor money, nor carbon.
PINT = {
    "Gbit/s": "gigabit/second",
    "GiB/s": "gibibyte/second",
    "TB": "terabyte",
    "Mibit": "mebibit",
    "kWh": "kilowatt_hour",
    "MJ": "megajoule",
    "mW": "milliwatt",
    "year": "julian_year",
    "us": "microsecond",
    "GHz": "gigahertz",
    "kJ/K": "kilojoule/kelvin",
    "pJ/bit": "picojoule/bit",
    "m3": "meter**3",
    "L/kWh": "liter/kilowatt_hour",
    "cm": "centimeter",
    "t": "metric_ton",
}
BASES = {
    "B/s": "byte/second",
    "B": "byte",
    "J": "joule",
    "W": "watt",
    "s": "second",
    "Hz": "hertz",
    "J/K": "joule/kelvin",
    "J/B": "joule/byte",
    "L": "liter",
    "L/J": "liter/joule",
    "m": "meter",
    "kg": "kilogram",
}


@pytest.fixture(scope="module")
def registry() -> pint.UnitRegistry:
    return pint.UnitRegistry()


@pytest.mark.parametrize("unit", list(PINT))
def test_agrees_with_pint(unit: str, registry: pint.UnitRegistry) -> None:
    (kind,) = {id(kind): kind for kind in units.dimensions().values() if unit in kind.units}.values()
    name = next(name for name, one in units.dimensions().items() if one is kind)
    expected = registry.Quantity(7.25, PINT[unit]).to(BASES[kind.base]).magnitude
    assert units.parse(f"7.25 {unit}", name) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("text", "name"), [("68 degF", "degF"), ("300 K", "kelvin")])
def test_agrees_with_pint_on_temperatures(text: str, name: str, registry: pint.UnitRegistry) -> None:
    expected = registry.Quantity(float(text.split()[0]), name).to("degC").magnitude
    assert units.parse(text, "temperature") == pytest.approx(expected, rel=1e-12)
