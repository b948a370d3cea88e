"""Comparisons: differences to the first result and the inputs that differ."""

from __future__ import annotations

import json
import math

import pytest

from dcsim.errors import InputError
from dcsim.results import Metric, Result, compare

BASE = """
name: base
cluster:
  network: {link: 400 Gbit/s}
  servers:
    - {name: train, count: 16}
jobs:
  - {name: pretrain, steps: 100}
record: {series: [power, temperature]}
"""


def result(name: str, text: str, **values: float) -> Result:
    return Result(
        name, "d" + name, {key.replace("__", "."): Metric(value, "s") for key, value in values.items()}, {}, {}, text
    )


def test_differences_are_relative_to_the_first() -> None:
    comparison = compare(
        [result("a", BASE, site__energy=2.0, site__pue=0.0), result("b", BASE, site__energy=3.0, site__pue=1.0)]
    )
    energy, pue = comparison.rows
    assert (energy.name, energy.values, energy.differences) == ("site.energy", (2.0, 3.0), (0.0, 0.5))  # 3 / 2 - 1
    assert pue.differences == (0.0, None)  # nothing is relative to zero
    assert energy.differs()
    assert not energy.differs(0.5)


def test_a_metric_that_one_result_lacks_stays() -> None:
    comparison = compare([result("a", BASE), result("b", BASE, site__energy=math.nan)])
    assert comparison.rows[0].differences == (None, None)
    assert json.loads(json.dumps(comparison.as_dict(), allow_nan=False))["metrics"]["site.energy"]["values"] == [
        None,
        None,
    ]


def test_inputs_that_differ_are_named_by_path() -> None:
    other = (
        BASE.replace("400", "200").replace("count: 16", "count: 8").replace("[power, temperature]", "[power]")
        + "seed: 3\n"
    )
    comparison = compare([result("a", BASE), result("b", other)])
    assert {row.path: row.values for row in comparison.inputs} == {
        "cluster.network.link": ("400 Gbit/s", "200 Gbit/s"),
        "cluster.servers.train.count": ("16", "8"),
        "record.series": ("power, temperature", "power"),
        "seed": ("-", "3"),
    }


def test_labels_tell_equal_names_apart() -> None:
    assert compare([result("a", BASE), result("b", BASE)]).labels == ("a", "b")
    assert compare([Result("a", "1" * 20, {}, {}), Result("a", "2" * 20, {}, {})]).labels == (
        "a 11111111",
        "a 22222222",
    )
    assert compare([Result("a", "", {}, {}), Result("a", "", {}, {})]).labels == ("a #1", "a #2")
    assert compare([result("a", BASE)], ["link=1"]).labels == ("link=1",)


def test_wrong_calls_are_told() -> None:
    with pytest.raises(InputError, match="nothing to compare"):
        compare([])
    with pytest.raises(InputError, match="2 labels"):
        compare([result("a", BASE)], ["x", "y"])
    with pytest.raises(InputError, match="no YAML"):
        compare([result("a", "{")])


def test_a_single_axis_is_known_by_its_values() -> None:
    pair = [result("a", BASE), result("b", BASE.replace("count: 16", "count: 8"))]
    assert compare(pair, ["16.0", "8"]).axis == "cluster.servers.train.count"
    assert compare(pair).axis == ""


def test_what_rounding_leaves_of_no_time_is_no_difference() -> None:
    assert (
        not compare([result("a", BASE, run__duration=0.0), result("b", BASE, run__duration=4.4e-17)]).rows[0].differs()
    )


def test_metrics_are_frames_with_units() -> None:
    costs = {"a": 1.0, "b": 3.0}
    runs = [Result(name, name, {"site.cost": Metric(value, "USD", 0.5)}, {}) for name, value in costs.items()]
    assert runs[0].frame.loc["site.cost", ["value", "unit", "low"]].tolist() == [1.0, "USD", 0.5]
    frame = compare(runs).frame
    assert frame["site.cost"].to_dict() == costs
    assert frame.attrs["units"] == {"site.cost": "USD"}
    assert list(Result("x", "", {}, {}).frame.columns)[:2] == ["value", "unit"]
