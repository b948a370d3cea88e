"""The plant's machines one by one, and the plant."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from dcsim.catalogue.parts import Chiller
from dcsim.facility import cooling
from dcsim.facility import plant as plants
from dcsim.facility.climate import Weather
from dcsim.facility.plant import Plant, economizer_cooling, mechanical_cooling, plant_power
from dcsim.scenario.facility import Cooling

COLD, MILD, HOT = Weather(2.0, 0.0), Weather(14.0, 9.5), Weather(35.0, 27.0)


@pytest.fixture
def plant(chiller: Chiller) -> Plant:
    """One megawatt, 22 degC air."""
    return Plant(chiller, 1e6, 1e6, 22.0, 12.0, True)


def test_chiller_is_one_at_its_reference(chiller: Chiller) -> None:
    assert cooling.chiller_capacity_ratio(chiller, 6.67, 29.4) == pytest.approx(1.0, abs=5e-3)
    assert cooling.chiller_power_ratio(chiller, 1.0, 6.67, 29.4) == pytest.approx(1.0 / 5.5, rel=5e-3)


def test_chiller_is_clamped_outside_its_range(chiller: Chiller) -> None:
    outside = cooling.chiller_power_ratio(chiller, 0.5, 15.0, 20.0)
    assert outside == cooling.chiller_power_ratio(chiller, 0.5, 10.0, 24.0)
    assert cooling.chiller_capacity_ratio(chiller, 2.0, 50.0) == cooling.chiller_capacity_ratio(chiller, 5.0, 35.0)


def test_chiller_cycles_below_its_least_load(chiller: Chiller) -> None:
    at_least = cooling.chiller_power_ratio(chiller, 0.1, 7.0, 28.0)
    assert cooling.chiller_power_ratio(chiller, 0.02, 7.0, 28.0) == pytest.approx(0.2 * at_least, rel=1e-12)


def test_fans_and_pump_at_full_and_no_flow() -> None:
    for curve in (cooling.plug_fan, cooling.tower_fan):
        assert curve(1.0) == pytest.approx(1.0, abs=0.011)
    assert cooling.tower_fan(0.0) == 0.0
    # half flow, 30 % static: 0.5 x (0.3 + 0.7 / 4)
    assert cooling.variable_pump(0.5, 0.3) == pytest.approx(0.2375, rel=1e-12)
    assert cooling.variable_pump(1.0, 0.3) == 1.0


def test_tower_fans_cycle_below_their_least_flow() -> None:
    # the curve at 0.2: -0.00931516 + 0.01024668 - 0.0033534588 + 0.00833534584 = 0.00591340704
    assert cooling.tower_fan(0.2) == pytest.approx(0.00591340704, rel=1e-9)
    assert cooling.tower_fan(0.05) == pytest.approx(0.25 * 0.00591340704, rel=1e-9)
    powers = [cooling.tower_fan(0.01 * step) for step in range(101)]
    assert powers == sorted(powers)
    assert powers[1] > 0.0


def test_machines_running() -> None:
    assert [cooling.machines_running(heat, 100.0, 3) for heat in (0.0, 99.0, 101.0, 250.0, 900.0)] == [1, 1, 2, 3, 3]


def test_tower_and_exchanger() -> None:
    assert cooling.tower_reach(15.0, 0.5, 5.0) == 17.5
    assert cooling.tower_flow(0.5, 10.0, 5.0) == 0.25
    # return 16, supply 10: water at 11 + 2 precools by 3 of 6 K
    assert cooling.economizer_share(16.0, 10.0, 11.0, 2.0) == pytest.approx(0.5)
    assert cooling.economizer_share(16.0, 10.0, 5.0, 2.0) == 1.0
    assert cooling.economizer_share(16.0, 10.0, 20.0, 2.0) == 0.0


def test_constants_from_the_standards() -> None:
    assert pytest.approx(0.0125, abs=1e-4) == plants.CHILLED_PUMP  # 349 W per L/s over 27.9 kW
    assert pytest.approx(0.0129, abs=1e-4) == plants.CONDENSER_PUMP  # 301 W per L/s over 23.3 kW
    assert pytest.approx(0.0126, abs=1e-4) == plants.TOWER_FAN
    assert plants.AIR_FAN < 27.0 / 293.07  # the limit of Title 24
    assert pytest.approx(36.0, abs=0.2) == plants.COOLANT_S_PER_K


def test_default_capacity_is_the_electrical_one_and_a_fifth(chiller: Chiller) -> None:
    assert Plant.sized(Cooling(), chiller, 100e3, 100e3).capacity_w == pytest.approx(120e3)
    assert Plant.sized(Cooling(capacity="80 kW"), chiller, 100e3, 100e3).capacity_w == 80e3


def test_coils_hold_the_approach_at_any_load(plant: Plant) -> None:
    for heat_w in (100e3, 400e3, 900e3):
        drive = plant.drive(heat_w)
        assert drive.room_w / drive.conductance_w_per_k == pytest.approx(12.0, rel=1e-12)
        assert drive.room_w == pytest.approx(heat_w + plant.air_fans(heat_w), rel=1e-12)


def test_a_smaller_approach_is_larger_coils_and_warmer_water(chiller: Chiller) -> None:
    cooling_settings = Cooling(supply="26 degC", approach="5 K")
    warm = Plant.sized(cooling_settings, chiller, 1e6, 1e6)
    drive = warm.drive(600e3)
    assert warm.water_c == 21.0
    assert drive.room_w / drive.conductance_w_per_k == pytest.approx(5.0, rel=1e-12)


@pytest.mark.parametrize("approach", ["0 K", "22 K", "30 K"])
def test_an_approach_that_no_coil_has_is_refused(approach: str) -> None:
    with pytest.raises(ValidationError, match="more than 0 K"):
        Cooling(approach=approach)


def test_heat_capacities_are_those_of_the_design_load(chiller: Chiller) -> None:
    # 1 MW: 30 s/K and 36 s/K of it, whatever the plant can carry
    for capacity in ("50 kW", "2 MW"):
        loop = Plant.sized(Cooling(capacity=capacity), chiller, 1e5, 1e6).loop()
        assert loop.room_j_per_k == pytest.approx(30e6)
        assert loop.coolant_j_per_k == pytest.approx(plants.COOLANT_S_PER_K * 1e6)


def test_cold_weather_needs_no_chiller(plant: Plant) -> None:
    power = plant_power(plant, COLD, 500e3, 0.5, False)
    assert power.economizer_share == 1.0
    assert power.chiller_w == 0.0
    assert power.total_w < 0.3 * mechanical_cooling(plant, COLD, 500e3).total_w


def test_mild_weather_shares_and_hot_weather_does_not(plant: Plant) -> None:
    assert 0.0 < plant_power(plant, MILD, 500e3, 0.5, False).economizer_share < 1.0
    assert plant_power(plant, HOT, 500e3, 0.5, False).economizer_share == 0.0


def test_economizer_is_never_worse_than_none(plant: Plant, chiller: Chiller) -> None:
    without = Plant(chiller, 1e6, 1e6, 22.0, 12.0, False)
    for wet_bulb_c in range(-5, 30):
        for heat_w in (50e3, 300e3, 950e3):
            weather = Weather(wet_bulb_c + 3.0, float(wet_bulb_c))
            flow = plant.flow(heat_w)
            assert (
                plant_power(plant, weather, heat_w, flow, True).total_w
                <= plant_power(without, weather, heat_w, flow, False).total_w
            )


def test_economizer_has_hysteresis(plant: Plant) -> None:
    """Find a wet bulb at which it saves something but less than 5 %: kept if running, not started."""
    for step in range(4000):
        weather = Weather(20.0, 5.0 + 0.0025 * step)
        plain, free = mechanical_cooling(plant, weather, 400e3), economizer_cooling(plant, weather, 400e3, 0.4)
        if 0.0 < plain.total_w - free.total_w < 0.05 * plain.total_w:
            assert plant_power(plant, weather, 400e3, 0.4, True).economizer_share > 0.0
            assert plant_power(plant, weather, 400e3, 0.4, False).economizer_share == 0.0
            return
    pytest.fail("no such wet bulb")


def test_heat_removal_costs_more_in_hotter_weather(plant: Plant) -> None:
    powers = [plant_power(plant, Weather(t, t), 500e3, 0.5, False).total_w for t in (0.0, 12.0, 20.0, 24.0, 28.0)]
    assert powers == sorted(powers)


def test_capacity_falls_when_it_is_hot(plant: Plant) -> None:
    assert plant.available(Weather(40.0, 30.0)) < plant.available(MILD)
