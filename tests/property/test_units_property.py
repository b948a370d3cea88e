"""Reading what was written gives the same float, for every dimension."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim import units
from dcsim.errors import UnitError

FLOATS = st.one_of(
    st.floats(-units.LARGEST, units.LARGEST, allow_nan=False),
    st.floats(-1e4, 1e4, allow_nan=False),
    st.integers(-(10**9), 10**9).map(float),
    st.tuples(
        st.integers(1, 9999), st.sampled_from([1e-12, 1e-9, 1e-6, 1e-3, 0.125, 1.0, 60.0, 1024.0, 1e6, 2.0**30, 1e12])
    ).map(lambda pair: pair[0] * pair[1]),
)


@pytest.mark.parametrize("dimension", list(units.dimensions()))
@given(value=FLOATS)
def test_round_trip(dimension: str, value: float) -> None:
    assert units.parse(units.write(value, dimension), dimension) == value


@given(text=st.text(max_size=30), dimension=st.sampled_from(list(units.dimensions())))
def test_any_text_is_read_or_refused(text: str, dimension: str) -> None:
    try:
        assert abs(units.parse(text, dimension)) <= units.LARGEST
    except UnitError as error:
        assert error.expected.startswith(units.expected(dimension).split(" such")[0])


@given(value=st.floats(allow_nan=True, allow_infinity=True), digits=st.integers(1, 8))
@pytest.mark.parametrize(
    "unit", ["s", "B", "B/s", "W", "J", "degC", "K", "USD", "kgCO2e", "L", "FLOP", "FLOP/s", "1", "%", "tokens/s"]
)
def test_shows_any_float(unit: str, value: float, digits: int) -> None:
    assert units.show(value, unit, digits)
