"""The cache of traced costs: exact, without JAX on a hit, and unharmed by damage."""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dcsim.scenario.inference import Inference
from dcsim.scenario.workload import MlpModel
from dcsim.workload import cache
from dcsim.workload.costs import CostRequest, costs, inference_costs

MODEL = MlpModel(family="mlp", inputs=8, hidden=(4,), classes=2)
REQUEST = CostRequest(MODEL, "fp32", "adamw", 2)
AGAIN = """
import sys
from dcsim.scenario.inference import Inference
from dcsim.scenario.workload import MlpModel
from dcsim.workload.costs import CostRequest, costs, inference_costs
MODEL = MlpModel(family="mlp", inputs=8, hidden=(4,), classes=2)
costs(CostRequest(MODEL, "fp32", "adamw", 2))
if len(sys.argv) > 1:
    assert inference_costs(MODEL, "fp32", Inference(step="score"), 2).parameters == 8 * 4 + 4 + 4 * 2 + 2
print(sorted(name for name in ("jax", "optax", "jaxlib") if name in sys.modules))
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DCSIM_CACHE", str(tmp_path))
    return tmp_path


def test_the_second_answer_equals_the_first_and_needs_no_jax(folder: Path) -> None:
    first = costs(REQUEST)
    (kept,) = folder.glob("costs/*.json")
    assert costs(REQUEST) == first
    seen = subprocess.run([sys.executable, "-c", AGAIN], capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "[]"
    assert list(folder.glob("costs/*")) == [kept]


def test_what_a_model_that_serves_costs_is_kept_too(folder: Path) -> None:
    costs(REQUEST)
    first = inference_costs(MODEL, "fp32", Inference(step="score"), 2)
    assert inference_costs(MODEL, "fp32", Inference(step="score"), 2) == first
    seen = subprocess.run([sys.executable, "-c", AGAIN, "scores"], capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "[]"
    assert len(list(folder.glob("costs/*.json"))) == 2


def test_every_part_of_a_request_has_its_own_entry(folder: Path) -> None:
    for request in (
        REQUEST,
        replace(REQUEST, micro=4),
        replace(REQUEST, precision="bf16"),
        replace(REQUEST, optimizer="sgd"),
    ):
        costs(request)
    costs(replace(REQUEST, model=MODEL.model_copy(update={"classes": 3})))
    assert len(list(folder.glob("costs/*.json"))) == 5


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"operations": []}'])
def test_a_damaged_entry_is_told_and_written_anew(folder: Path, caplog: pytest.LogCaptureFixture, damage: str) -> None:
    first = costs(REQUEST)
    (kept,) = folder.glob("costs/*.json")
    whole = kept.read_text()
    kept.write_text(damage)
    with caplog.at_level(logging.WARNING):
        assert costs(REQUEST) == first
    assert "cannot be read" in caplog.text
    assert kept.read_text() == whole


def test_an_unwritable_folder_costs_only_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("DCSIM_CACHE", str(blocked))
    with caplog.at_level(logging.WARNING):
        assert costs(REQUEST).parameters == 8 * 4 + 4 + 4 * 2 + 2
    assert "traces again" in caplog.text


def test_the_default_folder_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DCSIM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache.folder() == Path("/somewhere/dcsim")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.folder() == Path.home() / ".cache" / "dcsim"
