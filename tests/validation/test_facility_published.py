"""The facility's models against published and computed reference figures (those seen in their source, not recalled
ones)."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from dcsim import catalogue
from dcsim.catalogue.parts import Chiller, LossCurve
from dcsim.engine import Clock, Level, LevelArray, Recorder
from dcsim.facility import Facility, FacilityPlan, FacilitySummary, SupplyBank, cooling, water
from dcsim.facility.plant import Plant
from dcsim.facility.power import stage_loss
from dcsim.facility.thermal import State, constant_removal
from dcsim.scenario.facility import Site

COMPUTED = 1e-3  # tolerance of rows computed from published curves

CHILLER = Chiller(
    title="DOE-2 centrifugal, COP 5.5",
    reference_cop=5.5,
    capacity_by_temperature=(0.257896, 0.0389016, -2.1708e-4, 0.0468684, -9.4284e-4, -3.4344e-4),
    energy_by_temperature=(0.933884, -0.058212, 4.50036e-3, 2.43e-3, 4.86e-4, -1.215e-3),
    energy_by_part_load=(0.222903, 0.313387, 0.46371),
    chilled_water_range=("5 degC", "10 degC"),
    condenser_range=("24 degC", "35 degC"),
    part_load_range=(0.1, 1.0),
)


def cop_of(chiller: Chiller, part_load: float, leaving_c: float, condenser_c: float) -> float:
    """Return heat removed over electric power [1] at ``part_load`` [1] of the capacity at these temperatures."""
    return part_load / cooling.chiller_power_ratio(chiller, part_load, leaving_c, condenser_c)


def efficiency(load_share: float, curve: LossCurve) -> float:
    """Return output over input [1] at ``load_share`` (output over rating) [1]."""
    return load_share / (load_share + stage_loss(load_share, 1.0, curve))


@pytest.mark.parametrize(
    ("leaving_c", "condenser_c", "part_load", "cop"),
    [
        (6.67, 29.4, 0.75, 5.744),
        (6.67, 29.4, 0.25, 4.168),
        (6.67, 24.0, 0.75, 6.451),
        (6.67, 24.0, 0.25, 4.681),
        (6.67, 35.0, 0.75, 5.023),
        (6.67, 35.0, 0.25, 3.644),
        (10.0, 29.4, 0.75, 6.131),
        (10.0, 29.4, 0.25, 4.448),
        (10.0, 24.0, 0.75, 6.764),
        (10.0, 24.0, 0.25, 4.907),
    ],
)
def test_chiller_cop(leaving_c: float, condenser_c: float, part_load: float, cop: float) -> None:
    """Computed from the EnergyPlus data set "DOE-2 Centrifugal/5.50COP"."""
    assert cop_of(CHILLER, part_load, leaving_c, condenser_c) == pytest.approx(cop, rel=COMPUTED)


@pytest.mark.parametrize(("leaving_c", "condenser_c", "ratio"), [(6.67, 35.0, 0.913), (10.0, 24.0, 1.1245)])
def test_chiller_capacity(leaving_c: float, condenser_c: float, ratio: float) -> None:
    """Computed from the same data set."""
    assert cooling.chiller_capacity_ratio(CHILLER, leaving_c, condenser_c) == pytest.approx(ratio, rel=COMPUTED)


def test_shipped_chiller_is_the_published_one() -> None:
    shipped = catalogue.part("chillers", "centrifugal-doe2")
    assert isinstance(shipped, Chiller)
    assert cop_of(shipped, 0.75, 6.67, 29.4) == pytest.approx(5.744, rel=COMPUTED)


@pytest.mark.parametrize(("flow", "plug", "tower"), [(0.6, 0.3239, 0.2163), (0.4, 0.2762, 0.0644)])
def test_fan_fractions(flow: float, plug: float, tower: float) -> None:
    """Computed from the EnergyPlus examples 2ZoneDataCenterHVAC_wEconomizer and 1ZoneDataCenterCRAC_wApproachTemp."""
    assert cooling.plug_fan(flow) == pytest.approx(plug, rel=COMPUTED)
    assert cooling.tower_fan(flow) == pytest.approx(tower, rel=COMPUTED)


def test_make_up_over_evaporation_at_four_cycles() -> None:
    """Mass balance of dissolved solids, EnergyPlus Engineering Reference."""
    evaporated = water.evaporation(1e9)
    assert (evaporated + water.blowdown(evaporated, 4.0)) / evaporated == pytest.approx(1.333, rel=COMPUTED)


FLOORS = {  # 80 PLUS, 230 V internal redundant: Tom's Hardware article table
    "platinum": {0.2: 0.90, 1.0: 0.91},
    "titanium": {0.2: 0.94, 1.0: 0.91},
}


@pytest.mark.parametrize("name", sorted(FLOORS))
def test_power_supplies_meet_their_certificate(name: str) -> None:
    """At most half a point below a floor where the curve is laid through it, and never more than 5 points above."""
    curve = catalogue.part("psus", name)
    assert isinstance(curve, LossCurve)
    for share, floor in FLOORS[name].items():
        assert floor - 0.005 <= efficiency(share, curve) <= floor + 0.05


def test_average_of_an_efficient_ups_passes_energy_star() -> None:
    """FEMP, covered products: a VFD UPS above the required average of 96.7 %; eco mode is one."""
    curve = catalogue.part("ups", "eco-mode")
    assert isinstance(curve, LossCurve)
    weighted = sum(
        weight * efficiency(share, curve) for share, weight in ((0.25, 0.2), (0.5, 0.2), (0.75, 0.3), (1.0, 0.3))
    )
    assert weighted >= 0.967


def test_room_warms_as_reported_when_all_chillers_stop() -> None:
    """Hosting365, Dublin 2008: 2 K/min with seven chillers stopped (IT Pro Today), at the design load without
    the coils.

    With the chilled water still circulating the first minutes are slower; with it gone the rise is the reported one.
    """
    plant = Plant(CHILLER, 1e6, 1e6, 22.0, 12.0, True)
    drive = plant.drive(1e6)
    dry = type(drive)(1e-6, 1e6, 0.0)
    without = constant_removal(plant.loop(), dry, State(22.0, 10.0), 0.0)
    assert 60.0 * without.room.slope(0.0) == pytest.approx(2.0, rel=0.01)
    wet = constant_removal(plant.loop(), drive, State(22.0, 10.0), 0.0)
    assert 60.0 * wet.room.slope(0.0) < 1.0
    assert wet.room.crossing(35.0, 3600.0) is not None


YEAR_S = 365 * 86400.0


def year(climate: str, economizer: str = "water-side") -> FacilitySummary:
    """Simulate a year of ten 10.2 kW servers at 7 kW, a 2N chain and the shipped parts."""
    clock = Clock()
    servers = LevelArray(clock, [str(i) for i in range(10)], "W")
    servers.set(np.arange(10), 7000.0)
    psu = catalogue.part("psus", "titanium")
    assert isinstance(psu, LossCurve)
    plan = FacilityPlan(
        site=Site(cooling={"economizer": economizer}),
        ups=catalogue.part("ups", "double-conversion"),  # type: ignore[arg-type]
        pdu=catalogue.part("pdus", "pdu-transformer"),  # type: ignore[arg-type]
        transformer=catalogue.part("transformers", "mv-dry-type"),  # type: ignore[arg-type]
        chiller=CHILLER,
        climate=catalogue.part("climates", climate),  # type: ignore[arg-type]
        grid=catalogue.part("grids", "sweden"),  # type: ignore[arg-type]
        start=datetime.fromisoformat("2026-01-01T00:00+00:00"),
        supplies=SupplyBank.of([psu] * 10, [10.2e3] * 10),
        rated_w=102e3,
        server_power=servers,
        other_power=Level(clock, "other", "W", 4000.0),
        cap=Level(clock, "cap", "1", 1.0),
    )
    facility = Facility(clock, Recorder(clock, ()), plan)
    clock.run(YEAR_S)
    assert all(check.passed for check in facility.checks())
    return facility.summary()


@pytest.fixture(scope="module")
def years() -> dict[str, FacilitySummary]:
    """One year in every shipped climate."""
    return {name: year(name) for name in catalogue.names("climates")}


def test_annual_pue_is_plausible(years: dict[str, FacilitySummary]) -> None:
    """Between the best sites (NREL ESIF 1.04, no chiller at all) and the survey mean (Uptime Institute 1.58 in
    2018)."""
    for name, summary in years.items():
        assert 1.05 <= summary.pue <= 1.58, name


def test_annual_pue_is_ordered_by_climate(years: dict[str, FacilitySummary]) -> None:
    assert years["stockholm"].pue < years["phoenix"].pue < years["singapore"].pue
    assert years["dublin"].pue < years["phoenix"].pue
    assert years["stockholm"].economizer_share > 0.3
    assert years["singapore"].economizer_share == 0.0


def test_economizer_saves_over_a_year(years: dict[str, FacilitySummary]) -> None:
    assert years["stockholm"].pue < year("stockholm", "none").pue - 0.02


def test_water_is_that_of_an_evaporative_site(years: dict[str, FacilitySummary]) -> None:
    """All heat goes through towers: above Microsoft's fleet mean of 0.49 L/kWh (FY2021, many sites without), about 2
    L/kWh at most."""
    for name, summary in years.items():
        intensity = summary.site_water_l / (summary.energy_j["it"] / 3.6e6)
        assert 0.49 < intensity < 3.0, name
