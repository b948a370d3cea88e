"""Values changed by name in Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcsim.errors import ScenarioError
from dcsim.scenario.load import load, located

SAMPLE = Path(__file__).parent / "sample.yaml"


def test_values_by_name_are_those_by_path() -> None:
    loaded = load(SAMPLE)
    by_path = loaded.replace({"jobs.pretrain.batch.global": 960, "seed": 3})
    assert loaded.replace(jobs__pretrain__batch__global=960, seed=3).scenario == by_path.scenario
    assert loaded.scenario.replace(jobs__pretrain__batch__global=960, seed=3) == by_path.scenario
    assert loaded.scenario.replace({"jobs.pretrain.batch.global": 960}, seed=3) == by_path.scenario
    assert loaded.scenario.seed == 7  # nothing changes in place


def test_a_scenario_at_hand_is_the_one_that_was_read() -> None:
    loaded = load(SAMPLE)
    again = located(loaded.scenario, SAMPLE.parent)
    assert (again.scenario, again.folder) == (loaded.scenario, loaded.folder)
    assert again.replace().scenario == loaded.scenario


def test_a_name_that_does_not_exist_tells_the_nearest() -> None:
    with pytest.raises(ScenarioError) as caught:
        load(SAMPLE).scenario.replace(jobs__pretrain__stepz=3)
    (problem,) = caught.value.problems
    assert 'did you mean "steps"' in str(problem)
    with pytest.raises(ScenarioError, match="steps"):
        load(SAMPLE).scenario.replace(jobs__pretrain__steps=0)
