"""Demand against capacity: percentiles weighted by time, and which limits of a run grow with its load."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from dcsim.results import Metric, Result
from dcsim.results.capacity import held_percentile, resources

LIMITS = [
    ("power feed", 80.0, 100.0, "W", 0.2, "a larger feed"),
    ("cooling plant", 50.0, 200.0, "W", 0.75, "a larger plant"),
    ("server inlet", 24.0, 35.0, "degC", 0.5, ""),
    ("accelerator memory of a", 3.0, 4.0, "B", 0.25, ""),
    ("accelerators in use", 6.0, 8.0, "1", 0.25, "more servers"),
    ("busiest link of tier host, on average", 3.0, 10.0, "B/s", 0.7, "faster cards"),
    ("busiest link of tier disk read, on average", 1.0, 10.0, "B/s", 0.9, "more disks"),
    ("storage space", math.nan, 10.0, "B", math.nan, "more disks"),
]
SERIES = [
    ("power", "accelerators", "W", 0.0, 20.0),
    ("power", "accelerators", "W", 6.0, 70.0),
    ("power", "psu", "W", 0.0, 10.0),
    ("power", "ups", "W", 0.0, 20.0),
    ("power", "chiller", "W", 0.0, 999.0),
    ("link_load", "host", "1", 0.0, 0.5),
    ("utilization", "in use", "1", 0.0, 0.75),
    ("utilization", "in use", "1", 9.0, 0.25),
]


def _result() -> Result:
    limits = pd.DataFrame(LIMITS, columns=["what", "used", "capacity", "unit", "headroom", "lifted_by"])
    series = pd.DataFrame(SERIES, columns=["series", "name", "unit", "time_s", "value"])
    return Result("a", "", {"run.duration": Metric(10.0, "s")}, {"limits": limits, "series": series})


def test_a_percentile_counts_how_long_a_value_holds() -> None:
    """1 for 5 s, 4 for 4 s, 2 for 1 s: at most 1 for 50 % of the time, 2 for 60 %, 4 for all."""
    times, values = np.array([0.0, 5.0, 9.0]), np.array([1.0, 4.0, 2.0])
    found = [held_percentile(times, values, 10.0, percent) for percent in (10.0, 50.0, 51.0, 60.0, 61.0, 100.0)]
    assert found == [1.0, 1.0, 2.0, 2.0, 4.0, 4.0]
    assert held_percentile(np.array([3.0]), np.array([7.0]), 3.0, 95.0) == 7.0


def test_memory_and_temperature_do_not_grow_with_the_load() -> None:
    found = {resource.name: resource for resource in resources(_result())}
    assert list(found) == ["power feed", "cooling plant", "accelerators", "link host", "link disk read"]
    assert [resource.role for resource in found.values()] == ["power", "cooling", "compute", "communication", "storage"]
    assert found["power feed"].used == 0.8


def test_shares_follow_the_recorded_series() -> None:
    """IT draws 30 W for 6 s, then 80 W of a feed of 100 W; the room gets 20 W more: 50 then 100, scaled to 25 %."""
    found = {resource.name: resource for resource in resources(_result())}
    assert found["power feed"].shares.tolist() == [0.3, 0.8]
    assert np.allclose(found["cooling plant"].shares, [0.125, 0.25], rtol=1e-12)
    assert found["power feed"].percentile(60.0) == 30.0
    assert found["power feed"].percentile(61.0) == 80.0
    assert found["accelerators"].percentile(10.0) == 2.0
    assert found["accelerators"].percentile(95.0) == 6.0


def test_links_are_full_for_instants_so_they_have_no_percentile() -> None:
    found = {resource.name: resource for resource in resources(_result())}
    assert found["link host"].averaged
    assert found["link host"].percentile(95.0) is None
    assert found["link host"].shares.tolist() == [0.5]


def test_a_run_without_tables_has_no_resources() -> None:
    assert resources(Result("a", "", {}, {})) == ()
