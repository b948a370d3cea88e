"""Points of a study: values between bounds, combinations and samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dcsim.errors import ScenarioError
from dcsim.scenario.study import Axis, constraint, load_study
from dcsim.studies.axes import Points, values


def _points(study_file: Path, axes: str, combine: str = "product") -> list[dict[str, Any]]:
    text = study_file.read_text()
    head, _, tail = text.partition("axes:\n")
    study_file.write_text(f"{head}axes:\n{axes}\ncombine: {combine}\n{tail[tail.index('keep:') :]}")
    return list(Points(load_study(study_file)))


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        ({"range": [1, 5], "points": 3}, [1, 3, 5]),
        ({"range": [1, 2], "points": 3}, [1, 2]),  # 1.5 rounds to 2: whole bounds, whole values, each once
        ({"range": [0.0, 1.0], "points": 3}, [0.0, 0.5, 1.0]),
        ({"range": [1, 2], "step": 0.5}, [1, 1.5, 2]),
        ({"log": [1, 100], "points": 3}, [1, 10, 100]),
        ({"log2": [240, 960]}, [240, 480, 960]),
        ({"log2": [3, 13]}, [3, 6, 12]),
        ({"range": ["100 Gbit/s", "400 Gbit/s"], "points": 4}, [f"{i}00 Gbit/s" for i in (1, 2, 3, 4)]),
        (["a", 2, None], ["a", 2, None]),
    ],
)
def test_values_of_an_axis(axis: Any, expected: list[Any]) -> None:
    assert values(Axis.model_validate(axis)) == expected


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        ({"range": ["1 GB", "2 Gbit/s"], "points": 2}, "same unit"),
        ({"range": [5, 1], "points": 2}, "low bound and then a higher"),
        ({"log": [0, 1], "points": 2}, "above zero"),
        ({"range": ["low", "high"], "points": 2}, "two numbers"),
        ({"range": [1, 2]}, "points: N"),
    ],
)
def test_bounds_that_make_no_sense(axis: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        values(Axis.model_validate(axis))


def test_a_product_moves_the_last_axis_fastest_and_a_zip_moves_all(study_file: Path) -> None:
    axes = "  jobs.digits.steps: [1, 2]\n  seed: [5, 6]"
    a, b = "jobs.digits.steps", "seed"
    assert _points(study_file, axes) == [{a: 1, b: 5}, {a: 1, b: 6}, {a: 2, b: 5}, {a: 2, b: 6}]
    assert _points(study_file, axes, "zip") == [{a: 1, b: 5}, {a: 2, b: 6}]


def test_a_group_is_zipped_inside_a_product(study_file: Path) -> None:
    axes = "  jobs.digits.steps: [1, 2]\n  seed: [5, 6, 7]\n  jobs.digits.batch.micro: [2, 4]"
    found = _points(study_file, axes, "{zip: [[jobs.digits.steps, jobs.digits.batch.micro]]}")
    assert [tuple(point.values()) for point in found] == [(1, s, 2) for s in (5, 6, 7)] + [(2, s, 4) for s in (5, 6, 7)]


def test_zipped_axes_of_different_length_are_refused(study_file: Path) -> None:
    with pytest.raises(ScenarioError, match=r"steps: 2, seed: 3 values, expected as many"):
        _points(study_file, "  jobs.digits.steps: [1, 2]\n  seed: [5, 6, 7]", "zip")


@pytest.mark.parametrize("method", ["sobol", "latin-hypercube", "random"])
def test_a_sample_stays_inside_the_bounds_and_repeats_with_its_seed(study_file: Path, method: str) -> None:
    axes = "  jobs.digits.steps: {range: [1, 8]}\n  cluster.network.oversubscription: [1, 2]"
    combine = f"{{sample: {method}, points: 16, seed: 3}}"
    found = _points(study_file, axes, combine)
    assert found == _points(study_file, axes, combine)
    assert len(found) == 16
    assert {point["jobs.digits.steps"] for point in found} <= set(range(1, 9))
    assert {point["cluster.network.oversubscription"] for point in found} == {1, 2}


def test_a_latin_hypercube_takes_every_stratum_once(study_file: Path) -> None:
    combine = "{sample: latin-hypercube, points: 4}"
    found = _points(study_file, "  cluster.network.oversubscription: {range: [1.0, 5.0]}", combine)
    assert sorted(int(point["cluster.network.oversubscription"]) for point in found) == [1, 2, 3, 4]


def test_a_constraint_reads_its_bound_in_any_unit() -> None:
    read = constraint("site.power_peak <= 1 MW")
    assert (read.name, read.relation, read.bound) == ("site.power_peak", "<=", 1e6)
    assert read.met(1e6)
    assert not read.met(1.1e6)
    assert not constraint("x > 3").met(3.0)
    with pytest.raises(ValueError, match="site"):
        constraint("site.power_peak about 1 MW")
