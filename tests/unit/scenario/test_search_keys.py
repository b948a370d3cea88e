"""The key search of a job: what it may hold, and what is told where it does not fit."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from dcsim.errors import InputError
from dcsim.scenario.search import Range, Search, put
from dcsim.scenario.workload import Job

JOB = {
    "name": "tune",
    "model": {"family": "mlp", "inputs": 4, "hidden": [8], "classes": 3},
    "batch": {"global": 16, "micro": 4},
    "parallel": {"data": 2},
    "steps": 20,
    "launch": "1 ms",
    "execute": {"data": "iris", "validate": {"every": "5 steps"}},
}
RATE = {"optimizer.learning_rate": {"from": 1e-3, "to": 1e-1, "log": True}}


def job(search: Any, **other: Any) -> Job:
    return Job.model_validate(JOB | {"search": search} | other)


def test_a_grid_is_even_by_the_logarithm_where_it_is_told_so() -> None:
    assert Range.model_validate({"from": 0, "to": 1, "points": 3}).grid == (0.0, 0.5, 1.0)
    logs = Range.model_validate({"from": 1e-4, "to": 1e-2, "points": 3, "log": True}).grid
    assert logs == pytest.approx((1e-4, 1e-3, 1e-2), rel=1e-12)
    whole = Range.model_validate({"from": 1, "to": 4, "points": 7, "whole": True})
    assert whole.grid == (1, 2, 3, 4), "equal ones once"
    assert (whole.limits, [type(value) for value in whole.grid]) == ((1, 4), [int] * 4)


def test_a_grid_counts_its_points_and_others_their_trials() -> None:
    space = {"optimizer.learning_rate": [0.1, 0.2, 0.3], "batch.global": [16, 32]}
    assert Search.model_validate({"method": "grid", "space": space}).count == 6
    assert Search.model_validate({"method": "grid", "space": space, "trials": 4}).count == 4
    assert Search.model_validate({"method": "random", "space": space, "trials": 40}).count == 40


def test_settings_are_put_at_their_paths() -> None:
    data: dict[str, Any] = {"a": {"b": 1}, "c": None}
    assert put(data, {"a.b": 2, "a.new": 3}) is None
    assert data == {"a": {"b": 2, "new": 3}, "c": None}
    assert put(data, {"c.d": 1}) == "c.d"


def test_a_trial_is_the_job_with_other_settings() -> None:
    whole = job({"space": RATE, "trials": 3})
    trial = whole.varied("tune/2", 7.5, {"optimizer.learning_rate": 0.02, "model.hidden": [4, 4]})
    assert (trial.name, trial.origin, trial.arrive, trial.search) == ("tune/2", "tune", 7.5, None)
    assert (trial.optimizer.learning_rate, trial.model.hidden) == (0.02, (4, 4))  # type: ignore[union-attr]
    assert trial.launch == whole.launch
    assert trial.execute == whole.execute
    with pytest.raises(InputError, match=r"batch.*: expected a multiple of batch.micro x parallel.data = 4 x 2 = 8"):
        whole.varied("tune/3", 0.0, {"batch.global": 12})


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"space": RATE}, "the key trials"),
        ({"space": {}, "trials": 2}, "at least 1 item"),
        ({"space": {"batch.global": []}, "trials": 2}, "at least one choice"),
        ({"space": {"batch.global": [16, 12]}, "trials": 2}, "values that the job can have"),
        ({"space": {"optimizer.schedule.final": [0.1]}, "trials": 2}, "values that the job can have"),
        ({"space": {"optimizer.rate": [0.1]}, "trials": 2}, "values that the job can have"),
        ({"method": "grid", "space": RATE}, "a number of points"),
        ({"space": {"optimizer.learning_rate": {"from": 1.0, "to": 0.1}}, "trials": 2}, "a number above 1"),
        ({"space": {"optimizer.learning_rate": {"from": 0.0, "to": 1, "log": True}}, "trials": 2}, "above zero"),
        ({"space": {"batch.global": {"from": 0.5, "to": 8, "whole": True}}, "trials": 2}, "two whole numbers"),
    ],
)
def test_what_cannot_be_searched_is_told(search: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        job(search)


def test_trials_must_be_judged() -> None:
    with pytest.raises(ValidationError, match="the keys execute and validate too"):
        job({"space": RATE, "trials": 2}, execute={"data": "iris"})
