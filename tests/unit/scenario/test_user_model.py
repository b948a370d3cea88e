"""The keys of a model that is a function of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dcsim.errors import CodeRefusedError, ScenarioError
from dcsim.scenario.dump import dump
from dcsim.scenario.load import load
from dcsim.scenario.user import UserModel, array
from dcsim.simulate import prepare

TEXT = """dcsim: 1
name: mine
cluster:
  servers:
    - {name: train, type: dgx-h100, count: 1}
jobs:
  - name: train
    model:
      function: mine:step
      arguments: {w: "float32[4, 4]", x: "float32[micro, 4]"}
    batch: {global: 8, micro: 1}
    parallel: {data: 8}
    steps: 2
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text("def step(w, x):\n    return x @ w\n")
    path = tmp_path / "mine.yaml"
    path.write_text(TEXT)
    return path


def problems(file: Path, old: str, new: str) -> str:
    file.write_text(TEXT.replace(old, new))
    with pytest.raises(ScenarioError) as caught:
        load(file)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("float32[micro, 784]", ("float32", ("micro", 784))),
        ("int32[]", ("int32", ())),
        ("key[]", ("key", ())),
        ("float32[0]", None),
        ("float33[2]", None),
        ("float32", None),
        ("float32[batch]", None),
    ],
)
def test_arrays_are_written_as_format_and_shape(text: str, found: Any) -> None:
    assert array(text) == found


def test_a_scenario_with_code_is_written_and_read_again(file: Path) -> None:
    loaded = load(file, ["jobs.train.model.tokens=7"])
    again = file.with_name("again.yaml")
    again.write_text(dump(loaded.scenario))
    model = load(again).scenario.jobs[0].model
    assert isinstance(model, UserModel)
    assert model == loaded.scenario.jobs[0].model
    assert (model.function, model.tokens) == ("mine:step", 7)


def test_code_is_refused_unless_it_is_allowed(file: Path) -> None:
    with pytest.raises(CodeRefusedError, match=r'mine\.yaml:9: jobs\.train\.model\.function: found "mine:step", code'):
        prepare(load(file))
    (file.parent / "mine.py").write_text("def step(w, x):\n    return x @ w @ w\n")
    assert prepare(load(file), allow_code=True).jobs[0].program.ranks == 8


def test_the_digest_of_a_run_covers_the_code(file: Path) -> None:
    before = prepare(load(file), allow_code=True).digest
    (file.parent / "mine.py").write_text("def step(w, x):\n    return 2 * x @ w\n")
    assert prepare(load(file), allow_code=True).digest != before


def test_what_is_wrong_is_told_at_its_line(file: Path) -> None:
    text = problems(file, "mine:step", "mine.step")
    assert 'mine.yaml:9: jobs.train.model.function: found "mine.step", expected a function such as' in text
    text = problems(file, "float32[4, 4]", "float32[4, batch]")
    assert 'mine.yaml:10: jobs.train.model.arguments.w: found "float32[4, batch]", expected an array such as' in text
    text = problems(file, "function: mine:step", "function: mine:step\n      shapes: 1")
    assert "jobs.train.model.shapes: found an unknown key" in text
    text = problems(file, "    steps: 2", "    steps: 2\n    execute: {data: python-docs}")
    assert 'jobs.train.model.function: found "mine:step", expected a model with a family' in text


def test_a_module_that_is_nowhere_is_told_at_the_line_of_the_scenario(file: Path) -> None:
    file.write_text(TEXT.replace("mine:step", "absent:step"))
    with pytest.raises(ScenarioError, match=r"mine\.yaml:9: jobs\.train\.model\.function: found no file of the module"):
        prepare(load(file), allow_code=True)
