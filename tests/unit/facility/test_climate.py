"""Weather by formula, by month, by file."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime
from math import atan, sqrt
from pathlib import Path

import pytest

from dcsim.catalogue.parts import Climate
from dcsim.errors import InputError
from dcsim.facility.climate import Outdoors, typical_dry_bulb, typical_weather, wet_bulb
from dcsim.scenario.facility import ClimateFile, ConstantClimate

CLIMATE = Climate(
    title="somewhere",
    latitude=59.0,
    longitude=18.0,
    elevation_m=0.0,
    dry_bulb_c=tuple(float(month) for month in range(1, 13)),
    daily_range_k=(8.0,) * 12,
    relative_humidity=(0.7,) * 12,
)
START = datetime.fromisoformat("2026-07-01T00:30+02:00")


@pytest.mark.parametrize(("dry_bulb_c", "humidity"), [(20.0, 0.5), (30.0, 0.3), (5.0, 0.8), (35.0, 0.6)])
def test_wet_bulb_agrees_with_stull(dry_bulb_c: float, humidity: float) -> None:
    """Stull, "Wet-bulb temperature from relative humidity and air temperature", J. Appl. Meteor. Climatol. 50 (2011):
    within 1 K."""
    percent = 100.0 * humidity
    stull = (
        dry_bulb_c * atan(0.151977 * sqrt(percent + 8.313659))
        + atan(dry_bulb_c + percent)
        - atan(percent - 1.676331)
        + 0.00391838 * percent**1.5 * atan(0.023101 * percent)
        - 4.686035
    )
    assert wet_bulb(dry_bulb_c, humidity) == pytest.approx(stull, abs=0.7)


def test_saturated_air_has_the_wet_bulb_of_its_dry_bulb() -> None:
    assert wet_bulb(18.0, 1.0) == pytest.approx(18.0, abs=1e-2)
    assert wet_bulb(18.0, 0.0) < 8.0


def test_mean_day() -> None:
    # July's mean is 7 degC, the range 8 K: 11 degC at 15 h, 3 degC at 3 h, 7 degC at 9 h
    assert typical_dry_bulb(CLIMATE, 7, 15.0) == pytest.approx(11.0)
    assert typical_dry_bulb(CLIMATE, 7, 3.0) == pytest.approx(3.0)
    assert typical_dry_bulb(CLIMATE, 7, 9.0) == pytest.approx(7.0)
    hours = [typical_weather(CLIMATE, 7, hour + 0.5) for hour in range(24)]
    assert sum(hour.dry_bulb_c for hour in hours) / 24 == pytest.approx(7.0, rel=1e-12)
    assert all(hour.wet_bulb_c <= hour.dry_bulb_c + 1e-6 for hour in hours)


def test_thin_air_evaporates_more() -> None:
    high = CLIMATE.model_copy(update={"elevation_m": 2000.0})
    assert typical_weather(high, 7, 15.0).wet_bulb_c < typical_weather(CLIMATE, 7, 15.0).wet_bulb_c


def test_weather_changes_on_the_full_hour() -> None:
    outdoors = Outdoors(CLIMATE, START, Path())
    assert outdoors.next_change(0.0) == 1800.0
    assert outdoors.next_change(1800.0) == 5400.0
    assert outdoors.weather(0.0) == typical_weather(CLIMATE, 7, 0.5)
    assert outdoors.weather(1800.0) == typical_weather(CLIMATE, 7, 1.5)
    assert outdoors.weather(31 * 86400.0) == typical_weather(CLIMATE, 8, 0.5)


def test_constant_weather_never_changes() -> None:
    outdoors = Outdoors(ConstantClimate(dry_bulb="20 degC", relative_humidity="50 %"), START, Path())
    assert outdoors.next_change(0.0) is None
    assert outdoors.weather(0.0) is outdoors.weather(1e8)
    assert outdoors.weather(0.0).dry_bulb_c == 20.0


def write_epw(path: Path, hours: int = 8760, **fields: str) -> None:
    values = {"temperature": "{hour}", "humidity": "50", "pressure": "101325", **fields}
    day_of = [datetime.fromordinal(datetime(2001, 1, 1).toordinal() + day) for day in range(366)]
    rows = [
        f"2001,{day_of[i // 24].month},{day_of[i // 24].day},{i % 24 + 1},0,flags,"
        f"{values['temperature'].format(hour=i % 24)},0,{values['humidity']},{values['pressure']},0"
        for i in range(hours)
    ]
    path.write_text("\n".join(["header"] * 8 + rows) + "\n")


def test_epw_file(tmp_path: Path) -> None:
    write_epw(tmp_path / "x.epw")
    outdoors = Outdoors(ClimateFile(file="x.epw"), START, tmp_path)
    assert outdoors.weather(0.0).dry_bulb_c == 0.0
    assert outdoors.weather(1800.0).dry_bulb_c == 1.0
    assert outdoors.weather(1800.0).wet_bulb_c == pytest.approx(wet_bulb(1.0, 0.5), rel=1e-12)


def test_epw_of_constant_weather_does_not_tick(tmp_path: Path) -> None:
    write_epw(tmp_path / "x.epw", temperature="12.5")
    assert Outdoors(ClimateFile(file="x.epw"), START, tmp_path).next_change(0.0) is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"temperature": "99.9"}, r"x\.epw:9: found '99.9' as dry bulb"),
        ({"humidity": "wet"}, r"x\.epw:9: found 'wet' as relative humidity"),
        ({"pressure": "nan"}, r"x\.epw:9: found 'nan' as pressure"),
        ({"hours": 100}, r"found 100 hours of weather, expected 8760"),
    ],
)
def test_bad_epw_files(tmp_path: Path, change: dict[str, object], expected: str) -> None:
    write_epw(tmp_path / "x.epw", **change)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=expected):
        Outdoors(ClimateFile(file="x.epw"), START, tmp_path)


def test_missing_epw_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        Outdoors(ClimateFile(file="none.epw"), START, tmp_path)


def test_leap_day_repeats_the_day_before(tmp_path: Path) -> None:
    write_epw(tmp_path / "x.epw")
    leap = datetime.fromisoformat("2028-02-29T05:00+00:00")
    assert Outdoors(ClimateFile(file="x.epw"), leap, tmp_path).weather(0.0).dry_bulb_c == 5.0


def test_weather_is_computed_the_same_way_whether_numba_is_installed_or_not(tmp_path: Path) -> None:
    (tmp_path / "numba.py").write_text("raise RuntimeError('numba was imported')\n")
    code = "import sys; from dcsim.facility.climate import wet_bulb; print(wet_bulb(20.0, 0.5), 'numba' in sys.modules)"
    path = os.pathsep.join([str(tmp_path), *sys.path])
    run = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == [repr(wet_bulb(20.0, 0.5)), "False"]
