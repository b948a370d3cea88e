"""Growth of demand: when it reaches a capacity, and in which order resources run out.

Pure functions of floats; a year is the Julian year of 365.25 days, as in :mod:`dcsim.units`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from dcsim.errors import InputError

DAYS_A_YEAR, MONTHS_A_YEAR = 365.25, 12
_LONGEST_YEARS = 1000.0  # a date beyond is none that anybody plans for, and calendars end
_RATE = re.compile(
    r"(?:(?P<label>[^:]{1,60}):)?\s*(?P<number>[+-]?\d{1,6}(?:\.\d{1,6})?)\s*%\s*/\s*(?P<span>year|month)"
    r"(?:\s+(?P<kind>compound|linear))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Growth:
    """Demand that grows by ``rate`` [1/year]: compound of what it then is, or linear of what it is at the start."""

    label: str
    rate: float
    kind: Literal["compound", "linear"] = "compound"

    def factor(self, years: float) -> float:
        """Return demand after ``years`` over demand now [1]; a demand that shrinks linearly ends at zero."""
        if self.kind == "compound":
            return math.exp(years * math.log1p(self.rate))
        return max(0.0, 1.0 + self.rate * years)

    def years_to(self, demand: float, capacity: float) -> float:
        """Return the years until ``demand`` reaches ``capacity`` (same unit): 0 if it has, infinity if it never does.

        From d (1 + g)^t = c follows t = ln(c/d) / ln(1 + g); from d (1 + g t) = c follows t = (c/d - 1) / g.
        """
        if demand >= capacity:
            return 0.0
        if demand <= 0.0 or self.rate <= 0.0:
            return math.inf
        ratio = capacity / demand
        return math.log(ratio) / math.log1p(self.rate) if self.kind == "compound" else (ratio - 1.0) / self.rate


# No forecast: rates to begin with for those who gave none, each about twice the one before.
EXAMPLES = (Growth("low", 0.15), Growth("middle", 0.3), Growth("high", 0.6))


@dataclass(frozen=True, slots=True)
class Crossing:
    """What reaches its limit when: ``years`` from the start, infinity for never."""

    name: str
    years: float


def parse(text: str) -> Growth:
    """Read a growth such as ``30 %/year``, ``2 %/month``, ``expected: 30 %/year linear``.

    A month's compound rate m becomes (1 + m)^12 - 1 a year, a linear one 12 m.

    Raises
    ------
    InputError
        For anything else, and for a loss of all demand within a year or a month.
    """
    found = _RATE.fullmatch(text.strip())
    expected = 'expected a growth such as "30 %/year", "2 %/month" or "expected: 30 %/year linear"'
    if found is None:
        raise InputError(f'--growth: found "{text}", {expected}')
    share = float(found["number"]) / 100.0
    kind: Literal["compound", "linear"] = "linear" if found["kind"] == "linear" else "compound"
    if share <= -1.0:
        raise InputError(f'--growth: found "{text}", expected more than -100 %')
    if found["span"] == "month":
        share = MONTHS_A_YEAR * share if kind == "linear" else (1.0 + share) ** MONTHS_A_YEAR - 1.0
    label = (found["label"] or "").strip() or f"{found['number']} %/{found['span']}"
    return Growth(label, share, kind)


def order(needs: Mapping[str, tuple[float, float]], growth: Growth) -> tuple[Crossing, ...]:
    """Return when each of (demand, capacity) by name crosses, what runs out first being first.

    Names that cross at one time, as all do that have crossed already, are ordered by how much of them is used.
    """
    found = [Crossing(name, growth.years_to(demand, capacity)) for name, (demand, capacity) in needs.items()]

    def used(name: str) -> float:
        demand, capacity = needs[name]
        return demand / capacity if capacity > 0.0 else math.inf

    return tuple(sorted(found, key=lambda crossing: (crossing.years, -used(crossing.name))))


def date_after(start: datetime, years: float) -> datetime | None:
    """Return the moment ``years`` after ``start``, None for never or where calendars end."""
    if not 0.0 <= years <= _LONGEST_YEARS:
        return None
    return start + timedelta(days=years * DAYS_A_YEAR)
