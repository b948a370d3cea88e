"""Functions of the user's own through the command line: leave to execute them, what goes wrong, large meshes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCENARIO = """dcsim: 1
name: mine
cluster:
  servers:
    - {name: train, type: dgx-h100, count: 1}
jobs:
  - name: train
    model:
      function: mine:step
      arguments: {w: "float32[64, 64]", x: "float32[micro, 64]"}
    batch: {global: 64, micro: 8}
    parallel: {data: 8}
    steps: 3
"""


def dcsim(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "dcsim", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.yaml").write_text(SCENARIO)
    (tmp_path / "mine.py").write_text('print("loaded")\n\n\ndef step(w, x):\n    return x @ w\n')
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [("run", "--out", "a b"), ("check",), ("trace",), ("compare", "--vary", "jobs.train.batch.micro=4,8")],
    ids=lambda arguments: arguments[0],
)
def test_code_is_refused_with_the_command_to_write(folder: Path, arguments: tuple[str, ...]) -> None:
    verb, *more = arguments
    done = dcsim(verb, "mine.yaml", *more, folder=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert 'mine.yaml:9: jobs.train.model.function: found "mine:step", code that tracing would execute' in done.stderr
    quoted = [f"'{word}'" if " " in word else word for word in more]
    assert f"to execute it, write: dcsim {' '.join((verb, 'mine.yaml', *quoted))} --allow-code\n" in done.stderr
    assert "loaded" not in done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["mine.py", "mine.yaml"]


def test_what_the_code_prints_is_no_result(folder: Path) -> None:
    done = dcsim("trace", "mine.yaml", "--allow-code", "--json", "-", folder=folder)
    assert done.returncode == 0, done.stderr
    assert [row["model"] for row in json.loads(done.stdout)] == ["mine:step"]
    assert not (folder / "__pycache__").exists()


def test_a_function_that_only_computes_runs(folder: Path) -> None:
    done = dcsim("run", "mine.yaml", "--allow-code", "--no-report", "--out", "run", folder=folder)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((folder / "run" / "metrics.json").read_text("utf-8"))["metrics"]
    assert metrics["jobs.train.exposed_communication"]["value"] < 1e-12


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import absent_package", "mine.py:1: found code that is not importable (ModuleNotFoundError"),
        ("def step(w, x):\n    return x @ w.T[:, :3] @ w", "mine.py:2: found code that is not traceable (TypeError"),
        (
            "import jax\ndef step(w, x):\n    return jax.lax.while_loop(lambda c: c.sum() < 9, lambda c: c @ w, x)",
            'mine.py:3: found a while loop whose number of trips depends on data, expected a loop of known length '
            'such as jax.lax.scan, or jax.lax.fori_loop with constant bounds, or in the scenario under model, '
            'for 20 trips: trips: {"mine.py:3": 20}',
        ),
        ("def step(w, x):\n    x @ w", "mine.py:1: found a function that returns no arrays, expected its results"),
        (
            "def step(w, y):\n    return y @ w",
            "unexpected keyword argument 'x'), expected arguments by the names that the scenario gives them",
        ),
        (
            "def step(w, x):\n    for _ in range(x.sum()):\n        x = x @ w\n    return x",
            "expected code that does not read the values of arrays: jax.lax.cond",
        ),
        ("def other(w, x):\n    return x", 'mine.yaml:9: jobs.train.model.function: found no function "step" in'),
    ],
    ids=["import", "trace", "while", "nothing", "arguments", "values", "name"],
)  # fmt: skip
def test_wrong_code_is_exit_status_2_at_its_own_line(folder: Path, code: str, message: str) -> None:
    (folder / "mine.py").write_text(code)
    done = dcsim("run", "mine.yaml", "--allow-code", "--out", "run", folder=folder)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert not (folder / "run").exists()


def test_the_collectives_of_a_large_mesh_are_listed(tmp_path: Path) -> None:
    scenario = str(ROOT / "scenarios" / "bring-your-own-shard-map.yaml")
    done = dcsim("trace", scenario, "--allow-code", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "mesh data: 256, expert: 8, model: 8: one rank of 16,384" in done.stdout
    rows = [line.split()[:3] for line in done.stdout.splitlines()]
    for kind, axis in (("all-gather", "model"), ("reduce-scatter", "model"), ("all-to-all", "expert")):
        assert any(row[:2] == [kind, axis] for row in rows), kind
