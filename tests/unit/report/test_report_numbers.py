"""Numbers for people."""

from __future__ import annotations

import math

import pytest

from dcsim.report.numbers import decimals, fixed, percent, scale, short_labels, shorten, show


@pytest.mark.parametrize(
    ("values", "unit", "wanted"),
    [
        ([0.0], "W", (1.0, "W")),
        ([124_300.0, 5.0], "W", (1e3, "kW")),
        ([2.0e-5], "s", (1e-6, "µs")),
        ([90.0], "s", (1.0, "s")),
        ([200.0], "s", (60.0, "min")),
        ([54 * 86_400.0], "s", (86_400.0, "d")),
        ([9e6], "J", (3.6e6, "kWh")),
        ([0.3], "share", (0.01, "%")),
        ([0.3], "1", (1.0, "")),
        ([0.03], "kgCO2e", (1e-3, "gCO2e")),
        ([2000.0], "L", (1e3, "m³")),
        ([5e10], "B/s", (1e9, "GB/s")),
        ([0.5], "B", (1.0, "B")),
        ([22.0], "degC", (1.0, "°C")),
        ([math.nan], "W", (1.0, "W")),
        ([], "USD", (1.0, "USD")),
    ],
)
def test_one_scale_fits_a_column(values: list[float], unit: str, wanted: tuple[float, str]) -> None:
    found = scale(values, unit)
    assert (found.divisor, found.unit) == wanted


def test_percentages() -> None:
    assert percent(0.12345) == "12.3 %"
    assert percent(0.1, sign=True) == "+10 %"
    assert percent(-0.1, sign=True) == "−10 %"
    assert percent(0.0, sign=True) == "0 %"
    assert percent(1e-7) == "<0.01 %"
    assert percent(-1e-7, sign=True) == "−<0.01 %"
    assert percent(None) == percent(math.nan) == "–"


def test_decimals_follow_the_middle_of_a_column() -> None:
    assert decimals([1.0, 2.0, 250.0]) == 0  # whole numbers
    assert decimals([0.93, 0.21, 0.05]) == 3  # the middle is 0.21: three digits need 0.210
    assert decimals([1234.5, 99.5]) == 0
    assert decimals([]) == 0


def test_fixed_decimals() -> None:
    assert fixed(1234.5, 1) == "1\u202f234.5"
    assert fixed(0.0001, 2) == "<0.01"
    assert fixed(-2.0, 0) == "−2"
    assert fixed(math.nan, 2) == "–"
    assert fixed(0.0, 2) == "0.00"


def test_names_are_cut_in_the_middle() -> None:
    assert shorten("short", 10) == "short"
    cut = shorten("a-long-name-of-variant-17", 12)
    assert cut == "a-long-n…-17"
    assert len(cut) == 12


def test_labels_lose_what_they_share() -> None:
    assert short_labels(["cluster.network.oversubscription=1", "cluster.network.oversubscription=2.5"]) == (
        "oversubscription=1",
        "oversubscription=2.5",
    )
    assert short_labels(["a.b=1", "c.b=1"]) == ("a.b=1", "c.b=1")
    assert short_labels(["2.5", "2.7"]) == ("2.5", "2.7")
    assert short_labels(["a.b=1"]) == ("a.b=1",)
    assert short_labels(["v1.0", "v2.0"]) == ("v1.0", "v2.0")


def test_micro_is_written_with_its_sign() -> None:
    assert show(2.5e-5, "s") == "25 µs"
    assert show(None, "s") == "–"


def test_what_rounding_leaves_of_no_time_is_none() -> None:
    assert show(4.44e-17, "s") == "0 s"
    assert show(1e-12, "s") != "0 s"


def test_a_small_share_keeps_its_sign() -> None:
    assert percent(-1e-5, 2) == percent(-1e-5, 2, sign=True) == "−<0.1 %"
    assert percent(1e-5, 2, sign=True) == "+<0.1 %"
