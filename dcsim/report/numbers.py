"""Numbers for people: fitted prefixes, one scale for a whole column or axis."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from dcsim import units

_TIME = (
    (172_800.0, 86_400.0, "d"),
    (10_800.0, 3_600.0, "h"),
    (180.0, 60.0, "min"),
    (1.0, 1.0, "s"),
    (1e-3, 1e-3, "ms"),
)
_ENERGY = ((3.6e9, 3.6e9, "MWh"), (3.6e6, 3.6e6, "kWh"), (1e6, 1e6, "MJ"), (1e3, 1e3, "kJ"), (1.0, 1.0, "J"))
_CARBON = ((1e3, 1e3, "tCO2e"), (1.0, 1.0, "kgCO2e"), (0.0, 1e-3, "gCO2e"))
_PER_TOKEN = ((0.0, 1e-6, "USD/Mtoken"),)
_WATER = ((1e3, 1e3, "m³"), (1.0, 1.0, "L"), (0.0, 1e-3, "mL"))
_PREFIXES = (
    (1e18, "E"),
    (1e15, "P"),
    (1e12, "T"),
    (1e9, "G"),
    (1e6, "M"),
    (1e3, "k"),
    (1.0, ""),
    (1e-3, "m"),
    (1e-6, "µ"),
)
_NO_TIME_S = 1e-15  # a shorter time is what rounding left of a difference of two clock readings
_FAR_BELOW = 1e-4  # of the largest: such values do not pull a column toward more decimals


@dataclass(frozen=True, slots=True)
class Scale:
    """One unit for many values: value / ``divisor`` is in ``unit``."""

    divisor: float
    unit: str

    @property
    def label(self) -> str:
        """The unit in brackets, "" for plain counts."""
        return f"[{self.unit}]" if self.unit else ""


def show(value: float | None, unit: str, digits: int = 3) -> str:
    """Return a value with a fitted prefix, "–" for None; a value of unit "1" stays a plain number."""
    if value is None:
        return "–"
    value = settled(value, unit)
    return units.show(value, unit, digits).replace(" us", " µs").replace(" degC", " °C")


def settled(value: float, unit: str) -> float:
    """Return 0 for a time too short to be one, else ``value`` [unit]."""
    return 0.0 if unit == "s" and abs(value) < _NO_TIME_S else value


def percent(share: float | None, digits: int = 3, sign: bool = False) -> str:
    """Return a share as a percentage with at most ``digits`` significant digits; ``sign`` writes + too."""
    if share is None or not math.isfinite(share):
        return "–"
    hundredfold = 100.0 * share
    least = 10.0 ** (1 - digits)
    if hundredfold and abs(hundredfold) < least:
        mark = "−" if share < 0 else "+" if sign else ""
        return f"{mark}<{least:g} %"
    text = units.show(abs(hundredfold), "1", digits)
    mark = "−" if hundredfold < 0 else "+" if sign and hundredfold > 0 else ""
    return f"{mark}{text} %"


def scale(values: Iterable[float], unit: str) -> Scale:
    """Return the scale in which the largest of ``values`` [unit] has one to three digits before the point.

    Units without prefixes (degC, USD, 1) keep themselves; the unit "share" becomes "%".
    """
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    if unit in ("1", "share"):
        return Scale(1.0, "") if unit == "1" else Scale(0.01, "%")
    for special, steps in (("s", _TIME), ("J", _ENERGY), ("kgCO2e", _CARBON), ("L", _WATER), ("USD/token", _PER_TOKEN)):
        if unit == special:
            return next((Scale(by, name) for least, by, name in steps if largest >= least), _small(largest, unit))
    if unit.split("/")[0] in ("W", "J", "B", "FLOP", "tokens", "samples", "Hz"):
        return _small(largest, unit)
    return Scale(1.0, "°C" if unit == "degC" else unit)


def _small(largest: float, unit: str) -> Scale:
    counted = unit.split("/")[0] in ("B", "FLOP", "tokens", "samples")
    for factor, prefix in _PREFIXES:
        if largest >= factor and (factor >= 1.0 or not counted):
            return Scale(factor, prefix + unit)
    return Scale(1.0, unit) if largest == 0.0 or counted else Scale(1e-6, "µ" + unit)


def decimals(values: Sequence[float]) -> int:
    """Return how many decimals a column needs so that its middle value keeps three significant digits, at most four."""
    sizes = sorted(abs(value) for value in values if math.isfinite(value) and value)
    if not sizes or all(value == int(value) and abs(value) < 1e9 for value in values if math.isfinite(value)):
        return 0
    relevant = [size for size in sizes if size >= _FAR_BELOW * sizes[-1]]
    return min(4, max(0, 2 - math.floor(math.log10(relevant[len(relevant) // 2]))))


def fixed(value: float, places: int) -> str:
    """Return ``value`` with ``places`` decimals and separated thousands; what would read 0 is shown as below."""
    if not math.isfinite(value):
        return "–"
    text = f"{value:,.{places}f}".replace(",", "\u202f")
    if value and float(f"{value:.{places}f}") == 0.0:
        return f"<{10.0**-places:.{places}f}" if value > 0 else f"−<{10.0**-places:.{places}f}"
    return text.replace("-", "−")


def short_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Return labels without the path that all of them begin with: "a.b.c=1", "a.b.c=2" become "c=1", "c=2"."""
    if len(labels) < 2 or not all("=" in label for label in labels):
        return tuple(labels)
    paths = [label.partition("=")[0].split(".")[:-1] for label in labels]
    shared = sum(1 for _ in takewhile(lambda parts: len(set(parts)) == 1, zip(*paths, strict=False)))
    return tuple(label.split(".", shared)[-1] for label in labels)


def shorten(text: str, length: int) -> str:
    """Return ``text`` cut in the middle to at most ``length`` characters: both ends of a name tell things apart."""
    if len(text) <= length:
        return text
    tail = max(1, (length - 1) // 3)
    return f"{text[: length - 1 - tail]}…{text[-tail:]}"
