"""Growth of demand: closed forms, the order in which resources run out, and what may be written."""

from __future__ import annotations

import math
from datetime import datetime

import pytest

from dcsim.errors import InputError
from dcsim.results import growth
from dcsim.results.growth import Growth


def close(found: float, expected: float) -> bool:
    return math.isclose(found, expected, rel_tol=1e-9)


def test_compound_growth_reaches_a_capacity_when_logarithms_say() -> None:
    """100 at 10 % a year: 121 after 2 years, since 1.1 x 1.1 = 1.21; doubling at 100 % takes 1 year, eightfold 3."""
    assert close(Growth("", 0.1).years_to(100.0, 121.0), 2.0)
    assert close(Growth("", 1.0).years_to(5.0, 40.0), 3.0)
    assert close(Growth("", 0.1).factor(2.0), 1.21)


def test_linear_growth_adds_the_same_every_year() -> None:
    """100 at 10 % of 100 a year: 121 after 2.1 years."""
    assert close(Growth("", 0.1, "linear").years_to(100.0, 121.0), 2.1)
    assert close(Growth("", 0.1, "linear").factor(2.1), 1.21)
    assert Growth("", -0.5, "linear").factor(3.0) == 0.0


@pytest.mark.parametrize("kind", ["compound", "linear"])
@pytest.mark.parametrize("rate", [0.01, 0.3, 2.5])
def test_at_the_crossing_demand_is_the_capacity(kind: str, rate: float) -> None:
    grown = Growth("", rate, "linear" if kind == "linear" else "compound")
    assert close(3.0 * grown.factor(grown.years_to(3.0, 7.0)), 7.0)


def test_what_is_full_is_full_and_what_does_not_grow_never_is() -> None:
    assert Growth("", 0.3).years_to(8.0, 8.0) == 0.0
    assert Growth("", -0.3).years_to(9.0, 8.0) == 0.0
    assert Growth("", 0.0).years_to(7.0, 8.0) == math.inf
    assert Growth("", 0.3).years_to(0.0, 8.0) == math.inf


def test_the_order_is_by_time_then_by_use() -> None:
    """Used 50 %, 200 %, 80 %, 100 %, 0 %: the two that are full first, the fuller before; then 80 %, 50 %, never."""
    needs = {"a": (5.0, 10.0), "b": (2.0, 1.0), "c": (8.0, 10.0), "d": (1.0, 1.0), "e": (0.0, 1.0)}
    found = growth.order(needs, Growth("", 0.25))
    assert [crossing.name for crossing in found] == ["b", "d", "c", "a", "e"]
    assert close(found[2].years, 1.0)  # 1 / 0.8 = 1.25


def test_a_date_is_so_many_julian_years_on() -> None:
    """4 Julian years are 1461 days: from 1 March 2026 to 1 March 2030, as 2028 has a leap day."""
    assert growth.date_after(datetime(2026, 3, 1), 4.0) == datetime(2030, 3, 1)
    assert growth.date_after(datetime(2026, 3, 1), math.inf) is None
    assert growth.date_after(datetime(2026, 3, 1), 1e6) is None


def test_rates_are_read_by_year_and_by_month() -> None:
    """2 % a month: linear 24 % a year; compound 1.02^12 - 1."""
    assert growth.parse("30 %/year") == Growth("30 %/year", 0.3)
    assert growth.parse("expected: 12.5%/year linear") == Growth("expected", 0.125, "linear")
    assert close(growth.parse("2 %/month linear").rate, 0.24)
    assert close(growth.parse("2 %/month").rate, 1.02**12 - 1.0)
    assert growth.parse("-5 %/year").rate == -0.05


@pytest.mark.parametrize("text", ["", "30", "30 %", "0.3/year", "30 %/week", "30 %/year often", "nan %/year", "a" * 99])
def test_anything_else_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(InputError, match='expected a growth such as "30 %/year"'):
        growth.parse(text)
    with pytest.raises(InputError, match="more than -100 %"):
        growth.parse("-100 %/year")
