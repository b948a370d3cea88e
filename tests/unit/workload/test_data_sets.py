"""Data sets: what is trained on, what is held out, and that both are drawn the same way again."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from dcsim.engine.streams import Streams
from dcsim.errors import InputError
from dcsim.scenario.datasets import TABLES
from dcsim.scenario.workload import CnnModel, MlpModel, TransformerModel
from dcsim.workload.data import Shards, source
from dcsim.workload.datasets.tables import Rows
from dcsim.workload.datasets.texts import Text

TEXT = TransformerModel(family="transformer", layers=1, hidden=8, heads=1, context=4, vocabulary=128)


def mlp(inputs: int, classes: int) -> MlpModel:
    return MlpModel.model_validate({"family": "mlp", "inputs": inputs, "hidden": (4,), "classes": classes})


def draws(seed: int = 1) -> np.random.Generator:
    return Streams(seed).generator("held out")


@pytest.mark.parametrize("name", [name for name, table in TABLES.items() if table.classes])
def test_a_table_has_the_shape_that_is_stated(name: str) -> None:
    table = TABLES[name]
    assert table.classes is not None
    found = source(name, mlp(table.features, table.classes), 0.25, draws())
    apart = found.held_out()
    total = found.places + len(apart["labels"])
    assert len(apart["labels"]) == round(0.25 * total)
    train = found.samples(np.arange(found.places))
    assert train["inputs"].shape == (found.places, table.features)
    assert (train["inputs"].dtype, train["labels"].dtype) == (np.float32, np.int32)
    assert set(np.unique(train["labels"])) == set(range(table.classes))
    assert np.abs(train["inputs"].mean(axis=0)).max() < 1e-5
    deviations = train["inputs"].std(axis=0)
    assert np.all((np.abs(deviations - 1) < 1e-4) | (deviations == 0))


def test_images_come_in_the_shape_that_the_model_takes() -> None:
    spec = CnnModel(family="cnn", image=8, channels=(1, 4), classes=10)
    batch = source("digits", spec, 0.0, draws()).samples(np.arange(3))
    assert batch["inputs"].shape == (3, 8, 8, 1)


def test_what_is_held_out_follows_from_the_draws() -> None:
    first, again, other = (source("iris", mlp(4, 3), 0.2, draws(seed)).held_out()["inputs"] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_scaling_sees_no_held_out_sample() -> None:
    inputs = np.array([[0.0, 5.0], [2.0, 5.0], [100.0, 7.0]])
    rows = Rows(inputs, np.zeros(3, np.int32), np.array([2]))
    assert rows.samples(np.arange(2))["inputs"].tolist() == [[-1.0, 0.0], [1.0, 0.0]]
    assert rows.held_out()["inputs"].tolist() == [[99.0, 0.0]]


def test_the_end_of_a_text_is_held_out() -> None:
    text = Text(np.arange(100, dtype=np.uint8), 4, 0.3)
    assert text.places == 70 - 4
    last = text.samples(np.array([text.places - 1]))
    assert last["labels"][0].tolist() == [66, 67, 68, 69]
    apart = text.held_out()
    assert apart["inputs"].shape == (26, 4)
    assert apart["inputs"].min() == 70
    assert apart["labels"].max() < 100
    assert len(Text(np.arange(100, dtype=np.uint8), 4, 0.0).held_out()["labels"]) == 0


def test_shares_of_ranks_follow_from_step_and_rank() -> None:
    whole = source("wine", mlp(13, 3), 0.0, draws())
    shards = Shards(whole, Streams(3), "job")
    one, two = shards.batch(5, 0, 8), shards.batch(5, 1, 8)
    assert np.array_equal(shards.batch(5, 0, 8)["inputs"], one["inputs"])
    assert not np.array_equal(one["inputs"], two["inputs"])
    own = Shards(whole, Streams(3), "job", [np.array([4, 5]), np.array([9])])
    assert {tuple(row) for row in own.batch(0, 1, 6)["inputs"].tolist()} == {
        tuple(whole.samples(np.array([9]))["inputs"][0].tolist())
    }


def test_what_does_not_fit_is_told() -> None:
    with pytest.raises(InputError, match='found the data set "mnist", expected one of python-docs, python-topics'):
        source("mnist", TEXT, 0.0, draws())
    with pytest.raises(InputError, match="found a model with inputs 5 numbers, expected a size of 4 numbers"):
        source("iris", mlp(5, 3), 0.0, draws())
    with pytest.raises(InputError, match="predicts numbers"):
        source("diabetes", mlp(10, 3), 0.0, draws())


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(InputError, match=r'python -m pip install "dcsim\[data\]"'):
        source("iris", mlp(4, 3), 0.0, draws())


def test_a_missing_package_is_found_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    from dcsim.errors import Problem
    from dcsim.estimate import feasibility

    monkeypatch.setattr(feasibility, "find_spec", lambda name: None)
    job: Any = type("J", (), {"name": "j", "execute": type("E", (), {"data": "digits"})})
    report = lambda path, found, expected: Problem("f", 1, path, found, expected)  # noqa: E731
    (problem,) = feasibility._data(job, report)
    assert 'found "digits" without scikit-learn' in str(problem)
