"""Physical quantities as people write them: ``"400 Gbit/s"`` to a float in SI and back.

Inside dcsim every quantity is an SI float (energy [J], data [B], temperature [degC], money [USD]); only this file
converts. The table of units is closed, so bits and bytes, ``k`` and ``Ki``, a rate and a size are never confused.
Reading is exact: the number and the factor are multiplied as fractions and rounded once, so
``parse(write(x, d), d) == x``.

The defining factors are those of the SI brochure (9th edition, 2019) and IEC 80000-13 for binary prefixes; a year is
the Julian year of 365.25 days.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from types import MappingProxyType

from dcsim.errors import UnitError

# Far above every quantity of a data center, far below where products of a few of them overflow a float.
LARGEST = 1e45

_NUMBER = re.compile(
    r"([+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?)\s*(\S.*)?", re.ASCII
)
_LONGEST_TEXT = 120


@dataclass(frozen=True)
class Dimension:
    """One physical dimension: what it is called, how it is written, and its units as exact multiples of the SI unit."""

    phrase: str
    example: str
    base: str
    units: Mapping[str, Fraction]
    offsets: Mapping[str, Fraction] = field(default_factory=dict)
    plain: bool = False
    favorites: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        """What to write, for an error message."""
        return f'{self.phrase} such as "{self.example}"'


def parse(found: object, dimension: str) -> float:
    """Read a quantity.

    Parameters
    ----------
    found
        Text such as ``"400 Gbit/s"``; for the dimension ``ratio`` a plain number too.
    dimension
        A name of :func:`dimensions`.

    Returns
    -------
    float
        The quantity in the SI unit of its dimension.

    Raises
    ------
    UnitError
        For a missing, unknown or mismatched unit, or a number that is not finite or absurdly large.
    """
    kind = _table()[dimension]
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        raise UnitError(found, kind.expected)
    if not isinstance(found, str):
        return _plain(found, kind)
    match = _NUMBER.fullmatch(found.strip()) if len(found) <= _LONGEST_TEXT else None
    if match is None:
        raise UnitError(found, kind.expected)
    number, unit = match.groups()
    if unit is None:
        return _plain(float(number), kind) if kind.plain else _refuse(found, kind)
    if unit not in kind.units:
        raise UnitError(found, kind.expected + _hint(unit, kind))
    exact = Fraction(number) * kind.units[unit] + kind.offsets.get(unit, 0)
    if abs(exact) > 10**45:
        raise UnitError(found, f"{kind.expected}, below 1e45 {kind.base}")
    return float(exact)


def _plain(number: float, kind: Dimension) -> float:
    if not kind.plain:
        return _refuse(number, kind)
    if not -LARGEST <= number <= LARGEST:
        raise UnitError(number, f"a finite number or {kind.expected}")
    return float(number)


def _refuse(found: object, kind: Dimension) -> float:
    raise UnitError(found, kind.expected)


def write(value: float, dimension: str) -> str:
    """Write a quantity so that :func:`parse` reads exactly ``value`` again, with a fitting prefix where one is exact.

    Parameters
    ----------
    value
        A finite quantity in the SI unit of ``dimension``.
    dimension
        A name of :func:`dimensions`.
    """
    kind = _table()[dimension]
    value = float(value)
    if not abs(value) <= LARGEST:
        raise UnitError(value, f"a finite {dimension}")
    plain = _short(value) if kind.plain else f"{_short(value)} {kind.base}"
    return min(_nice(value, dimension, kind), key=_clumsiness, default=plain) if value else plain


def _nice(value: float, dimension: str, kind: Dimension) -> Iterator[str]:
    if kind.plain and abs(value) >= 1:
        return
    for unit in kind.favorites or kind.units:
        ratio = float((Fraction(value) - kind.offsets.get(unit, 0)) / kind.units[unit])
        text = f"{_short(float(f'{ratio:.12g}'))} {unit}"
        if 1e-3 <= abs(ratio) < 1e4 and "e" not in text.split()[0] and parse(text, dimension) == value:
            yield text


def _clumsiness(text: str) -> tuple[bool, int]:
    """Order ways to write a quantity: no number below one, then few digits."""
    number = text.split()[0].lstrip("-")
    return number.startswith("0."), len(number)


def _short(number: float) -> str:
    return repr(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def example(dimension: str) -> str:
    """Return how a quantity of ``dimension`` may be written."""
    return _table()[dimension].example


def expected(dimension: str) -> str:
    """Return what an error message asks for, such as ``a rate such as "400 Gbit/s"``."""
    return _table()[dimension].expected


def dimensions() -> Mapping[str, Dimension]:
    """Return every dimension by its name."""
    return _table()


def _hint(unit: str, kind: Dimension) -> str:
    """Name the right spelling of a unit that is nearly one of this dimension."""
    wanted = unit.replace(" ", "")
    for wrong, right in (
        ("ps", "/s"),
        ("b/s", "bit/s"),
        ("b", "bit"),
        ("FLOPS", "FLOP/s"),
        ("$", "USD"),
        ("CO2", "CO2e"),
    ):
        if wanted.endswith(wrong) or (wrong in ("$", "CO2") and wrong in wanted):
            wanted = wanted.replace(wrong, right)
    near = [known for known in kind.units if known.casefold() == wanted.casefold()]
    near = [wanted] if wanted in near else near
    if not near:
        import difflib

        near = difflib.get_close_matches(wanted, list(kind.units), n=1, cutoff=0.6)
    return f'; did you mean "{near[0]}"?' if near else ""


def show(value: float, unit: str, digits: int = 3) -> str:
    """Write a quantity for people, with ``digits`` significant digits and a fitting prefix: ``1.24 MW``, ``3.1 ms``.

    Parameters
    ----------
    value
        The quantity in ``unit``; for ``"%"`` the percentage itself.
    unit
        The SI unit of a metric or table column: ``"s"``, ``"B/s"``, ``"J"``, ``"kgCO2e"``, ``"tokens/s"`` and so on.
    """
    if not math.isfinite(value):
        return "n/a" if math.isnan(value) else f"{'-' if value < 0 else ''}infinite"
    rounded = float(f"{value:.{digits - 1}e}")
    for threshold, factor, name in _scales(unit):
        if abs(rounded) >= threshold:
            return f"{_figures(value / factor, digits)} {name}".rstrip()
    return f"{_figures(value, digits)} {'' if unit == '1' else unit}".rstrip()


def _figures(number: float, digits: int) -> str:
    rounded = float(f"{number:.{digits - 1}e}")
    if rounded and not 1e-4 <= abs(rounded) < 1e15:
        return f"{rounded:.{digits - 1}e}"
    decimals = 0 if not rounded else max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
    text = f"{rounded:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@cache
def _scales(unit: str) -> tuple[tuple[float, float, str], ...]:
    """Return (from which value on, divisor, unit name), largest first, for showing values given in ``unit``."""
    special: dict[str, tuple[tuple[float, float, str], ...]] = {
        "s": (
            (172800.0, 86400.0, "d"),
            (7200.0, 3600.0, "h"),
            (120.0, 60.0, "min"),
            (1.0, 1.0, "s"),
            (1e-3, 1e-3, "ms"),
            (1e-6, 1e-6, "us"),
            (1e-12, 1e-9, "ns"),
        ),
        "J": (
            (3.6e12, 3.6e12, "GWh"),
            (3.6e9, 3.6e9, "MWh"),
            (3.6e6, 3.6e6, "kWh"),
            (1e6, 1e6, "MJ"),
            (1e3, 1e3, "kJ"),
            (1.0, 1.0, "J"),
            (1e-3, 1e-3, "mJ"),
            (1e-6, 1e-6, "uJ"),
            (1e-9, 1e-9, "nJ"),
            (1e-15, 1e-12, "pJ"),
        ),
        "kgCO2e": (
            (1e6, 1e6, "ktCO2e"),
            (1e3, 1e3, "tCO2e"),
            (1.0, 1.0, "kgCO2e"),
            (1e-3, 1e-3, "gCO2e"),
            (1e-9, 1e-6, "mgCO2e"),
        ),
        "L": ((1e3, 1e3, "m3"), (1.0, 1.0, "L"), (1e-6, 1e-3, "mL")),
        "USD": ((1e9, 1e9, "GUSD"), (1e6, 1e6, "MUSD"), (1e4, 1e3, "kUSD")),
        "USD/token": ((1e-2, 1.0, "USD/token"), (1e-12, 1e-6, "USD/Mtoken")),
        "kgCO2e/token": ((1.0, 1.0, "kgCO2e/token"), (1e-12, 1e-9, "gCO2e/Mtoken")),
        "USD/J": ((0.0, 1 / 3.6e6, "USD/kWh"),),
        "kgCO2e/J": ((0.0, 1e-3 / 3.6e6, "gCO2e/kWh"),),
        "L/J": ((0.0, 1 / 3.6e6, "L/kWh"),),
    }
    if unit in special:
        return special[unit]
    large = [(10.0**power, 10.0**power, prefix + unit) for prefix, power in reversed(_PREFIXES)]
    small = [
        (1.0, 1.0, unit),
        (1e-3, 1e-3, "m" + unit),
        (1e-6, 1e-6, "u" + unit),
        (1e-9, 1e-9, "n" + unit),
        (1e-15, 1e-12, "p" + unit),
    ]
    stem = unit.split("/")[0]
    if stem in ("W", "J", "Hz"):
        return tuple(large + small)
    if stem in ("tokens", "samples", "images", "requests"):
        return ((1e9, 1e9, "G" + unit), (1e6, 1e6, "M" + unit))
    return tuple(large) if stem in ("B", "bit", "FLOP") else ()


_PREFIXES = (("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18), ("Z", 21))
_BINARY = (("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50))
_HOUR = Fraction(3600)
_KWH = Fraction(3_600_000)


def _decimal(unit: str, factor: Fraction = Fraction(1), suffix: str = "", low: int = 0) -> dict[str, Fraction]:
    """Return ``unit`` with its decimal prefixes; ``low`` counts the prefixes below one (m, u, n, p, f)."""
    small = zip("munpf", (-3, -6, -9, -12, -15), strict=True)
    powers = [("", 0), *_PREFIXES, *list(small)[:low]]
    return {f"{prefix}{unit}{suffix}": factor * Fraction(10) ** power for prefix, power in powers}


def _data(suffix: str) -> dict[str, Fraction]:
    units: dict[str, Fraction] = {}
    for unit, factor in (("B", Fraction(1)), ("bit", Fraction(1, 8))):
        units |= _decimal(unit, factor, suffix)
        units |= {f"{prefix}{unit}{suffix}": factor * 2**power for prefix, power in _BINARY}
    return units


def _per_energy(numerators: Mapping[str, Fraction]) -> dict[str, Fraction]:
    energies = (("J", Fraction(1)), ("kWh", _KWH), ("MWh", 1000 * _KWH))
    return {f"{top}/{bottom}": factor / energy for top, factor in numerators.items() for bottom, energy in energies}


@cache
def _table() -> Mapping[str, Dimension]:
    return MappingProxyType(_physical() | _computing() | _accounting())


def _physical() -> dict[str, Dimension]:
    one = Fraction(1)
    minutes = {"min": 60 * one, "h": _HOUR, "d": 24 * _HOUR, "day": 24 * _HOUR, "days": 24 * _HOUR}
    seconds = {"s": one, "ms": one / 10**3, "us": one / 10**6, "ns": one / 10**9}
    hours = {f"{prefix}Wh": _HOUR * 10**power for prefix, power in (("", 0), *_PREFIXES[:4])}
    kelvin = Fraction(-27315, 100)
    thermal = ("J/K", "kJ/K", "MJ/K", "GJ/K", "W/K", "kW/K", "MW/K")
    scale = {name: Fraction(1000) ** "_kMG".index(name[0] if name[0] in "kMG" else "_") for name in thermal}
    return {
        "time": Dimension(
            "a time",
            "20 min",
            "s",
            seconds | minutes | {"year": Fraction(31_557_600)},
            favorites=("d", "h", "min", *seconds),
        ),
        "power": Dimension("a power", "700 W", "W", _decimal("W", low=2)),
        "energy": Dimension("an energy", "5 kWh", "J", _decimal("J", low=5) | hours),
        "temperature": Dimension(
            "a temperature",
            "22 degC",
            "degC",
            {"degC": one, "K": one, "degF": Fraction(5, 9)},
            offsets={"K": kelvin, "degF": Fraction(-160, 9)},
            favorites=("degC",),
        ),
        "temperature difference": Dimension("a temperature difference", "5 K", "K", {"K": one}),
        "heat capacity": Dimension(
            "a heat capacity", "500 kJ/K", "J/K", {name: scale[name] for name in thermal if "J" in name}
        ),
        "thermal conductance": Dimension(
            "a thermal conductance", "20 kW/K", "W/K", {name: scale[name] for name in thermal if "W" in name}
        ),
        "frequency": Dimension(
            "a frequency",
            "1.98 GHz",
            "Hz",
            {name: value for name, value in _decimal("Hz").items() if name[0] not in "PEZ"},
        ),
        "length": Dimension("a length", "30 m", "m", {"m": one, "km": 1000 * one, "cm": one / 100, "mm": one / 1000}),
        "mass": Dimension("a mass", "20 kg", "kg", {"kg": one, "g": one / 1000, "t": 1000 * one}),
        "ratio": Dimension("a ratio", "35 %", "1", {"%": one / 100}, plain=True),
    }


def _computing() -> dict[str, Dimension]:
    per_bit = _decimal("J/bit", Fraction(8), low=5)
    small = ("J", "mJ", "uJ", "nJ", "pJ", "fJ")
    return {
        "data": Dimension("a size", "80 GB", "B", _data("")),
        "data rate": Dimension("a rate", "400 Gbit/s", "B/s", _data("/s")),
        "packet rate": Dimension("a rate of packets", "10 Mpacket/s", "packet/s", _decimal("packet/s")),
        "flop": Dimension("a number of operations", "3 TFLOP", "FLOP", _decimal("FLOP")),
        "flop rate": Dimension("a rate of operations", "989 TFLOP/s", "FLOP/s", _decimal("FLOP/s")),
        "energy per flop": Dimension(
            "an energy per operation",
            "0.5 pJ/FLOP",
            "J/FLOP",
            {name: value for name, value in _decimal("J/FLOP", low=5).items() if name.split("/")[0] in small},
        ),
        "energy per byte": Dimension(
            "an energy per byte",
            "40 pJ/B",
            "J/B",
            {name: value for name, value in (_decimal("J/B", low=5) | per_bit).items() if name.split("/")[0] in small},
        ),
    }


def _accounting() -> dict[str, Dimension]:
    one = Fraction(1)
    carbon = {"kgCO2e": one, "gCO2e": one / 1000, "tCO2e": 1000 * one}
    water = {"L": one, "mL": one / 1000, "m3": 1000 * one}
    money = {"USD": one, "kUSD": 1000 * one, "MUSD": 10**6 * one}
    return {
        "money": Dimension("an amount of money", "250 kUSD", "USD", money),
        "energy price": Dimension(
            "an energy price", "0.09 USD/kWh", "USD/J", _per_energy({"USD": one}), favorites=("USD/kWh",)
        ),
        "carbon mass": Dimension("a mass of carbon", "12 kgCO2e", "kgCO2e", carbon),
        "carbon intensity": Dimension(
            "a carbon intensity", "41 gCO2e/kWh", "kgCO2e/J", _per_energy(carbon), favorites=("gCO2e/kWh",)
        ),
        "water volume": Dimension("a volume of water", "300 L", "L", water),
        "water intensity": Dimension("a water intensity", "1.8 L/kWh", "L/J", _per_energy(water), favorites=("L/kWh",)),
    }
