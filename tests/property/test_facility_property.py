"""Heat and electricity are conserved whatever the servers do."""

from __future__ import annotations

from datetime import datetime
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.catalogue.parts import Chiller, Climate, Grid, LossCurve
from dcsim.engine import Clock, Level, LevelArray, Recorder
from dcsim.facility import Facility, FacilityPlan, SupplyBank, throttle
from dcsim.facility.modes import Modes
from dcsim.facility.thermal import Drive, Loop, State, move
from dcsim.scenario.facility import ConstantClimate, Site

SERVERS = 8
CHILLER = Chiller(
    title="centrifugal",
    reference_cop=5.5,
    capacity_by_temperature=(0.257896, 0.0389016, -2.1708e-4, 0.0468684, -9.4284e-4, -3.4344e-4),
    energy_by_temperature=(0.933884, -0.058212, 4.50036e-3, 2.43e-3, 4.86e-4, -1.215e-3),
    energy_by_part_load=(0.222903, 0.313387, 0.46371),
    chilled_water_range=("5 degC", "10 degC"),
    condenser_range=("24 degC", "35 degC"),
    part_load_range=(0.1, 1.0),
)
GRID = Grid(title="grid", carbon="300 gCO2e/kWh", scope="average-direct", price="0.1 USD/kWh", water="2 L/kWh")

shares = st.floats(0.0, 0.06)
curves = st.builds(lambda a, b, c: LossCurve(title="stage", no_load=a, linear=b, quadratic=c), shares, shares, shares)
climates = st.one_of(
    st.builds(
        lambda t, h: ConstantClimate(dry_bulb=f"{t} degC", relative_humidity=h),
        st.integers(-20, 45),
        st.floats(0.05, 1.0),
    ),
    st.builds(
        lambda mean, span, humidity: Climate(
            title="typical",
            latitude=0.0,
            longitude=0.0,
            elevation_m=100.0,
            dry_bulb_c=(mean,) * 12,
            daily_range_k=(span,) * 12,
            relative_humidity=(humidity,) * 12,
        ),
        st.floats(-10.0, 30.0),
        st.floats(0.0, 20.0),
        st.floats(0.1, 1.0),
    ),
)
sites = st.builds(
    lambda redundancy, economizer, supply, capacity: Site(
        power={"redundancy": redundancy},
        cooling={"economizer": economizer, "supply": f"{supply} degC", "capacity": f"{capacity} kW"},
    ),
    st.sampled_from(["N", "N+1", "2N"]),
    st.sampled_from(["none", "water-side"]),
    st.integers(17, 30),
    st.integers(30, 200),
)
changes = st.lists(
    st.tuples(st.floats(0.0, 20000.0), st.sets(st.integers(0, SERVERS - 1), min_size=1), st.floats(0.0, 12e3)),
    min_size=1,
    max_size=12,
)


def simulate(site: Site, climate: Climate | ConstantClimate, curve: LossCurve, steps: list[tuple]) -> Facility:
    clock = Clock()
    servers = LevelArray(clock, [str(i) for i in range(SERVERS)], "W")
    servers.set(np.arange(SERVERS), 2000.0)
    plan = FacilityPlan(
        site=site,
        ups=curve,
        pdu=curve,
        transformer=curve,
        chiller=CHILLER,
        climate=climate,
        grid=GRID,
        start=datetime.fromisoformat("2026-07-01T07:20+00:00"),
        supplies=SupplyBank.of([curve] * SERVERS, [10e3] * SERVERS),
        rated_w=SERVERS * 10e3,
        server_power=servers,
        other_power=Level(clock, "other", "W", 500.0),
        cap=Level(clock, "cap", "1", 1.0),
    )
    facility = Facility(clock, Recorder(clock, ("temperature",)), plan)
    for wait_s, which, power_w in steps:
        clock.run(clock.now + wait_s)
        servers.set(np.array(sorted(which)), power_w)
        clock.run(clock.now + 0.5)
    clock.run(clock.now + 1000.0)
    return facility


@settings(max_examples=60, deadline=None)
@given(sites, climates, curves, changes)
def test_every_run_balances(
    site: Site, climate: Climate | ConstantClimate, curve: LossCurve, steps: list[tuple]
) -> None:
    facility = simulate(site, climate, curve, steps)
    for check in facility.checks():
        assert check.passed, check
    summary = facility.summary()
    assert summary.pue >= 1.0
    assert facility.grid.value >= facility.it.value
    assert all(value >= 0.0 for value in summary.energy_j.values())
    assert 0.0 <= summary.economizer_share <= 1.0
    assert throttle.FLOOR <= facility.plan.cap.value <= 1.0
    assert facility.inlet.value <= summary.inlet_peak_c + 1e-9
    assert summary.site_water_l > 0.0


@settings(max_examples=20, deadline=None)
@given(sites, climates, curves, changes)
def test_the_same_run_twice_is_the_same(
    site: Site, climate: Climate | ConstantClimate, curve: LossCurve, steps: list[tuple]
) -> None:
    assert simulate(site, climate, curve, steps).summary() == simulate(site, climate, curve, steps).summary()


temperatures = st.floats(5.0, 40.0)
loops = st.builds(Loop, st.floats(1e4, 1e8), st.floats(1e4, 1e8), st.floats(1e2, 1e5), st.floats(5.0, 15.0))
drives = st.builds(Drive, st.floats(1e2, 1e5), st.floats(0.0, 1e6), st.floats(0.0, 1e4))


@settings(max_examples=200, deadline=None)
@given(loops, drives, st.builds(State, temperatures, temperatures), st.floats(1e3, 1e6))
def test_heat_is_kept_in_every_regime(loop: Loop, drive: Drive, state: State, capacity_w: float) -> None:
    motion = move(loop, drive, state, capacity_w)
    for elapsed_s in (1.0, 100.0, 10000.0):
        room_j = loop.room_j_per_k * (motion.room.value(elapsed_s) - state.room_c)
        coolant_j = loop.coolant_j_per_k * (motion.coolant.value(elapsed_s) - state.coolant_c)
        released_j = (drive.room_w + drive.coolant_w) * elapsed_s
        scale = max(abs(room_j), abs(coolant_j), released_j, 1e-3 * (loop.room_j_per_k + loop.coolant_j_per_k))
        assert abs(motion.removed.integral(elapsed_s) + room_j + coolant_j - released_j) <= 1e-9 * scale


amplitudes, rates = st.floats(-20.0, 20.0), st.floats(1e-4, 1.0)
two_modes = st.builds(
    lambda end, a, r, b, q: Modes(end, 0.0, (a, r), (b, q)), temperatures, amplitudes, rates, amplitudes, rates
)
drifting = st.builds(
    lambda end, drift, a, r: Modes(end, drift, (a, r), (0.0, 1.0)),
    temperatures,
    st.floats(-1e-2, 1e-2),
    amplitudes,
    rates,
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(two_modes, drifting), temperatures, st.sampled_from([100.0, 5000.0, inf]))
def test_crossing_is_the_first_one(curve: Modes, threshold: float, horizon_s: float) -> None:
    """Against dense samples: no change of side before the crossing, and the value there is the threshold."""
    found = curve.crossing(threshold, horizon_s)
    end = min(horizon_s, 2e4) if found is None else found
    times = np.linspace(0.0, end, 400)[1:-1] if found is not None else np.linspace(0.0, end, 400)[1:]
    gaps = np.array([curve.value(time) - threshold for time in times])
    gaps = gaps[np.abs(gaps) > 1e-7]
    assert np.all(gaps > 0.0) or np.all(gaps < 0.0)
    if found is not None:
        assert 0.0 < found <= horizon_s
        assert curve.value(found) == pytest.approx(threshold, abs=1e-8)
