"""The table of models on the terminal and in the documentation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dcsim import units
from dcsim.catalogue.shelf import Shelf
from dcsim.report import parts
from dcsim.workload.closed_form import training

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "explanation" / "presets.md"
SHELF = Shelf()


def page() -> dict[str, list[str]]:
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    return {row[0]: row[1:] for row in rows if row[0] in SHELF.names("models")}


@pytest.mark.parametrize("name", SHELF.names("models"))
def test_the_page_says_what_the_catalogue_says(name: str) -> None:
    """Run analysis/model_presets.py again after a change of a model or of the tracer."""
    published, traced, flops, off, *_ = page()[name]
    facts, model = SHELF.fields("models", name), SHELF.model(name)
    assert published == str(getattr(facts.get("published"), "value", "-"))
    assert int(traced.replace(",", "")) == getattr(facts["parameters"], "value", None)
    form = training(model).total / model.tokens_per_sample
    assert units.parse(flops.replace("FLOP", "B"), "data") == pytest.approx(form, rel=1e-3)
    assert abs(float(off.rstrip("%"))) < 0.1


def test_the_catalogue_lists_sizes_and_flops_without_tracing() -> None:
    text = parts.text("models", None)
    row = next(line for line in text.splitlines() if line.startswith("llama3-405b"))
    assert "405,853,388,800" in row and "2.63 TFLOP" in row
    code = "import sys; from dcsim.report import parts; parts.text('models', None); print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "False"


def test_the_script_traces_what_it_prints() -> None:
    command = [sys.executable, str(ROOT / "analysis" / "model_presets.py"), "mlp-mnist"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1].startswith("| mlp-mnist | 267K | 266,610 | 1.129 MFLOP | -0.00")
    wrong = subprocess.run([*command[:2], "gpt9"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert wrong.returncode == 2 and "gpt9" in wrong.stderr
