"""The facility over simulated time."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.linalg import expm

from dcsim.catalogue.parts import Climate
from dcsim.facility import throttle
from dcsim.scenario.facility import ConstantClimate

Build = Callable[..., Any]
CLIMATE = Climate(
    title="somewhere",
    latitude=59.0,
    longitude=18.0,
    elevation_m=0.0,
    dry_bulb_c=(12.0,) * 12,
    daily_range_k=(10.0,) * 12,
    relative_humidity=(0.7,) * 12,
)


def assert_balanced(facility: Any) -> None:
    for check in facility.checks():
        assert check.passed, check


def test_stages_by_hand(build: Build) -> None:
    # 10 servers of 4 kW on 2 x 10 kW supplies: each 0.01 x 20000 + 0.01 x 4000 + 0.03 x 4000^2/20000 = 264 W
    facility = build().facility
    assert facility.psu_loss.value == pytest.approx(2640.0, rel=1e-12)
    assert facility.it.value == pytest.approx(40e3 + 2640.0 + 1000.0, rel=1e-12)
    # 2N of 125 kW: 0.004 x 250000 + 0.01 x 43640^2/250000
    assert facility.pdu_loss.value == pytest.approx(1000.0 + 0.01 * 43640.0**2 / 250e3, rel=1e-12)
    stages = ("it", "pdu_loss", "ups_loss", "transformer_loss", "chiller", "pumps", "tower", "crah_fans")
    assert facility.grid.value == pytest.approx(sum(getattr(facility, name).value for name in stages), rel=1e-12)


def test_starts_steady_near_the_set_point(build: Build) -> None:
    small = build()
    before = small.facility.inlet.value
    small.clock.run(7200.0)
    assert small.facility.inlet.value == pytest.approx(before, rel=1e-12)
    assert before == pytest.approx(22.0, abs=1.0)  # half the control band
    assert_balanced(small.facility)


def test_nothing_ticks_when_nothing_changes(build: Build) -> None:
    small = build()
    small.clock.run(1e6)
    assert small.clock.events <= 2  # the end of the run


def test_step_of_half_more_power_is_the_analytic_exponential(build: Build) -> None:
    small = build()
    facility = small.facility
    small.clock.run(100.0)
    start = np.array([facility.inlet.value, facility.coolant.value, 1.0])
    small.load(6000.0)
    small.clock.run(100.0 + 1e-9)
    heat_w = facility.it.value + facility.pdu_loss.value + facility.ups_loss.value
    drive, loop = facility.plant.drive(heat_w), facility.loop
    assert heat_w > 1.4 * 48e3
    g, k = drive.conductance_w_per_k, loop.gain_w_per_k
    matrix = np.zeros((3, 3))
    matrix[0] = np.array([-g, g, drive.room_w]) / loop.room_j_per_k
    matrix[1] = np.array([g, -g - k, drive.coolant_w + k * loop.zero_c]) / loop.coolant_j_per_k
    for elapsed_s in (10.0, 60.0, 200.0, 900.0, 5000.0):
        small.clock.run(100.0 + elapsed_s)
        room, coolant, _ = expm(matrix * elapsed_s) @ start
        assert facility.inlet.value == pytest.approx(room, rel=1e-9)
        assert facility.coolant.value == pytest.approx(coolant, rel=1e-9)
    assert_balanced(facility)


def test_steady_plant_power_is_that_of_the_steady_heat(build: Build) -> None:
    """After a transient the plant is computed at the final heat, not at the last quantum."""
    stepped, fresh = build(3000.0), build(7000.0)
    stepped.load(7000.0)
    stepped.clock.run(20000.0)
    for name in ("chiller", "pumps", "tower", "grid"):
        assert getattr(stepped.facility, name).value == pytest.approx(getattr(fresh.facility, name).value, rel=1e-9)


def test_many_changes_of_one_instant_are_one_recomputation(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    small = build()
    count = 0
    original = small.facility._update

    def counted() -> None:
        nonlocal count
        count += 1
        original()

    monkeypatch.setattr(small.facility, "_update", counted)

    def burst() -> None:
        for index in range(10):
            small.servers.set(np.array([index]), 5000.0 + index)
        small.other.set(1500.0)

    small.clock.call_at(5.0, burst)
    small.clock.run(5.0 + 1e-6)
    assert count == 1
    small.clock.call_at(6.0, lambda: small.load(0.0) or small.load(7000.0))
    small.clock.run(6.0 + 1e-6)
    assert count == 2


def test_a_change_that_changes_nothing_is_skipped(build: Build) -> None:
    small = build()
    small.load(4000.0)
    facility = small.facility
    motion = facility._motion
    small.clock.run(10.0)
    assert facility._motion is motion


def test_hours_change_the_weather(build: Build) -> None:
    small = build(weather=CLIMATE)
    small.clock.run(86400.0)
    # the first full hour is 30 minutes after the start: 24 changes of weather
    frame = small.recorder.frames()["series"]
    outdoor = frame[(frame.series == "temperature") & (frame["name"] == "outdoor")]
    assert outdoor.value.max() > 16.5
    assert outdoor.value.min() < 7.5
    assert small.clock.events < 24 * 8
    assert_balanced(small.facility)


def test_too_little_cooling_warms_the_room_and_lowers_the_clocks(build: Build) -> None:
    small = build(cooling={"capacity": "60 kW"})
    facility = small.facility
    small.clock.run(600.0)
    small.load(9000.0)
    small.clock.run(1200.0)
    assert facility.inlet.value > 24.0
    small.clock.run(20000.0)
    assert facility.inlet.value > 45.0
    assert small.cap.value == throttle.FLOOR
    warnings = facility.summary().warnings
    assert sum("capacity at" in text for text in warnings) == 1
    assert sum("clocks were lowered" in text for text in warnings) == 1
    assert sum("shut down" in text for text in warnings) == 1
    assert_balanced(facility)
    small.load(1000.0)
    small.clock.run(60000.0)
    assert small.cap.value == 1.0
    assert facility.inlet.value == pytest.approx(22.0, abs=1.0)
    assert facility.summary().inlet_peak_c > 45.0
    assert_balanced(facility)


def test_throttled_servers_find_a_balance(build: Build) -> None:
    """Servers whose power follows the cap settle in a band below shutdown."""
    small = build(cooling={"capacity": "80 kW"})
    small.cap.watch(lambda cap: small.load(2000.0 + 7500.0 * cap.value))
    small.load(9500.0)
    small.clock.run(50000.0)
    assert throttle.FLOOR < small.cap.value < 1.0
    assert 34.0 < small.facility.inlet.value < 42.0
    assert small.clock.events < 5000
    assert_balanced(small.facility)


def test_hot_weather_takes_capacity_away(build: Build) -> None:
    hot = ConstantClimate(dry_bulb="44 degC", relative_humidity="60 %")
    small = build(weather=hot, cooling={"capacity": "75 kW"}, start_w=6500.0)
    mild = build(cooling={"capacity": "75 kW"}, start_w=6500.0)
    for site in (small, mild):
        site.clock.run(20000.0)
    assert small.facility.inlet.value > mild.facility.inlet.value + 5.0
    assert any("wet bulb" in text for text in small.facility.summary().warnings)
    assert_balanced(small.facility)


def test_a_site_that_cannot_hold_its_idle_load_starts_at_capacity(build: Build) -> None:
    small = build(cooling={"capacity": "20 kW"})
    first = small.facility.inlet.value
    small.clock.run(10.0)
    assert small.facility.inlet.value > first
    assert_balanced(small.facility)


def test_summary(build: Build) -> None:
    small = build()
    small.clock.run(3600.0)
    small.load(8000.0)
    small.clock.run(7200.0)
    summary = small.facility.summary()
    energy = summary.energy_j
    assert energy["servers"] == pytest.approx(10 * (4000.0 + 8000.0) * 3600.0, rel=1e-12)
    assert energy["other"] == pytest.approx(1000.0 * 7200.0, rel=1e-12)
    assert energy["it"] == pytest.approx(energy["servers"] + energy["psu"] + energy["other"], rel=1e-12)
    assert summary.pue == pytest.approx(energy["grid"] / energy["it"], rel=1e-12)
    assert summary.power_mean_w == pytest.approx(energy["grid"] / 7200.0, rel=1e-12)
    assert summary.power_peak_w >= summary.power_mean_w
    assert summary.carbon_kg == pytest.approx(energy["grid"] / 3.6e6 * 0.036, rel=1e-9)
    assert summary.electricity_cost_usd == pytest.approx(energy["grid"] / 3.6e6 * 0.1, rel=1e-9)
    assert summary.upstream_water_l == pytest.approx(energy["grid"] / 3.6e6 * 2.0, rel=1e-9)
    assert summary.carbon_scope == "average-lifecycle"
    assert summary.water_l > summary.site_water_l > 0.0
    assert [limit.what for limit in summary.headrooms] == ["power feed", "cooling plant", "server inlet"]
    assert all(0.0 < limit.headroom < 1.0 for limit in summary.headrooms)
    assert small.facility.summary() == summary  # asking twice changes nothing


def test_summary_at_the_very_start(build: Build) -> None:
    summary = build().facility.summary()
    assert summary.pue > 1.0
    assert summary.power_mean_w > 0.0


def test_series_show_the_curve(build: Build) -> None:
    small = build(2000.0)
    small.clock.run(600.0)
    small.load(9000.0)
    small.clock.run(3600.0)
    small.facility.summary()
    frame = small.recorder.frames()["series"]
    names = set(zip(frame.series, frame["name"], strict=True))
    power = {"psu", "pdu", "ups", "transformer", "chiller", "pumps", "tower", "crah"}
    assert names == {("power", name) for name in power} | {
        ("temperature", name) for name in ("inlet", "coolant", "outdoor", "wet_bulb")
    }
    inlet = frame[(frame.series == "temperature") & (frame["name"] == "inlet")]
    assert inlet.time_s.is_monotonic_increasing
    assert inlet.time_s.is_unique
    assert inlet.time_s.iloc[-1] == 3600.0
    assert len(inlet) > 8


def test_overload_of_the_feed_is_told_once(build: Build) -> None:
    small = build(power={"capacity": "50 kW"})
    small.load(9000.0)
    small.clock.run(60.0)
    small.load(9500.0)
    small.clock.run(120.0)
    summary = small.facility.summary()
    assert sum("electrical capacity" in text for text in summary.warnings) == 1
    assert summary.headrooms[0].headroom < 0.0


def test_warm_water_is_clamped_with_a_warning(build: Build) -> None:
    assert build().facility.summary().warnings == ()
    warm = build(cooling={"supply": "27 degC"}).facility
    assert any("published curves" in text for text in warm.summary().warnings)


def test_redundancy_costs_energy_at_low_load(build: Build) -> None:
    losses = {kind: build(1500.0, power={"redundancy": kind}).facility.ups_loss.value for kind in ("N", "N+1", "2N")}
    assert losses["N"] < losses["N+1"] < losses["2N"]


def test_economizer_off_costs_more_in_the_cold(build: Build) -> None:
    cold = ConstantClimate(dry_bulb="0 degC", relative_humidity="80 %")
    free = build(weather=cold).facility
    none = build(weather=cold, cooling={"economizer": "none"}).facility
    assert free.chiller.value == 0.0
    assert none.grid.value > free.grid.value


def test_an_overheated_room_says_so_once_when_it_crosses_the_threshold(build: Build) -> None:
    small = build(cooling={"capacity": "60 kW"})
    facility = small.facility
    told: list[tuple[float, str]] = []
    facility.overheated.callbacks.append(lambda event: told.append((small.clock.now, event.value)))
    small.load(9000.0)
    small.clock.run(facility.overheated)
    assert facility.inlet.value == pytest.approx(45.0, abs=1e-6)
    assert small.cap.value == throttle.FLOOR
    small.clock.run(small.clock.now - 1.0 + 40000.0)
    ((when_s, text),) = told
    assert text.startswith("the inlet reached 45.0 degC, where servers shut down, after ")
    assert re.search(r" min; the plant carries 6\d(\.\d)? kW of 1\d\d kW$", text), text
    # Some 110 kW released and 66 kW carried: 44 kW warm 125 kW x (30 + 36) s/K = 8.25 MJ/K by 23 K in some 4300 s.
    assert when_s == pytest.approx(4300.0, rel=0.1)
    assert small.clock.events < 200


def test_a_room_below_the_threshold_is_not_overheated(build: Build) -> None:
    small = build(cooling={"capacity": "80 kW"})
    small.cap.watch(lambda cap: small.load(2000.0 + 7500.0 * cap.value))
    small.load(9500.0)
    small.clock.run(50000.0)
    assert not small.facility.overheated.triggered


def test_a_site_may_be_overheated_from_the_start(build: Build) -> None:
    facility = build(cooling={"capacity": "5 kW"}, start_w=9000.0).facility
    assert facility.overheated.triggered
    assert "at the start" in facility.overheated.value


@pytest.mark.parametrize("capacity", ["1e-9 W", "1 W", "1 kW"])
def test_a_plant_far_beyond_its_limits_does_not_stop_time(build: Build, capacity: str) -> None:
    small = build(power={"capacity": capacity})
    small.clock.run(3600.0)
    small.load(9000.0)
    small.clock.run(7200.0)
    assert small.clock.events < 2000  # without a shortest wait the least of them takes more
    if capacity != "1e-9 W":  # ohmic losses of 1e39 W are beyond what floats of temperatures can balance
        assert_balanced(small.facility)
