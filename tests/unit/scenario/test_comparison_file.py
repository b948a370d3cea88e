"""Comparison files: variants by name, all slips at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcsim.errors import ScenarioError
from dcsim.scenario.comparison import is_comparison, load_comparison

BASE = "dcsim: 1\nname: tiny\ncluster:\n  servers: [{name: train, type: dgx-h100, count: 2}]\njobs:\n"
BASE += "  - {name: digits, model: mlp-mnist, batch: {global: 64, micro: 4}, parallel: {data: 16}, steps: 4}\n"
FILE = "dcsim: 1\ncomparison: sizes\nbase: tiny.yaml\nvariants:\n  short: {}\n  long: {jobs.digits.steps: 8, seed: 3}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "tiny.yaml").write_text(BASE)
    (tmp_path / "sizes.yaml").write_text(FILE)
    return tmp_path / "sizes.yaml"


def test_variants_are_the_base_with_what_they_set(file: Path) -> None:
    assert is_comparison(file)
    assert not is_comparison(file.parent / "tiny.yaml")
    _, scenarios = load_comparison(file)
    assert [(name, loaded.scenario.jobs[0].steps, loaded.scenario.seed) for name, loaded in scenarios] == [
        ("short", 4, 0),
        ("long", 8, 3),
    ]


def test_the_problems_of_all_variants_are_told_at_once(file: Path) -> None:
    file.write_text(FILE.replace("{}", "{jobs.digits.stepps: 1}").replace("seed: 3", "seed: no"))
    with pytest.raises(ScenarioError) as caught:
        load_comparison(file)
    assert "sizes.yaml: short" in str(caught.value)
    assert 'did you mean "steps"' in str(caught.value)
    assert "sizes.yaml: long" in str(caught.value)


def test_one_variant_is_no_comparison(file: Path) -> None:
    file.write_text(FILE.replace("  short: {}\n", ""))
    with pytest.raises(ScenarioError, match="at least 2 items"):
        load_comparison(file)
