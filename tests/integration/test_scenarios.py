"""Every file in scenarios/ through the command line, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OPTIMIZED = ""  # flags of XLA: what a run executes, it executes often
SCENARIOS = sorted((ROOT / "scenarios").glob("*.yaml"))
DRAWN = {
    "quickstart", "small-cluster", "network-failures", "background-traffic", "learning-curves", "model-compression",
    "hyper-parameter-search", "llama3-405b", "bring-your-own-shard-map", "batch-inference",
}  # fmt: skip
"""Those whose report is drawn too: of each kind one, since drawing takes longer than most simulations."""
FEWER = {
    "quickstart": ("jobs.learn.steps=20",),
    "quickstart-failure": ("jobs.learn.steps=20",),
    "gradient-compression": ("jobs.learn.steps=20",),
    "exposed-communication": ("jobs.learn.steps=20",),
    "federated": ("jobs.together.steps=20", "jobs.mixed.steps=4", "jobs.apart.steps=4"),
    "learning-curves": tuple(f"jobs.{name}.steps=30" for name in
                             ("dense", "convolutional", "recurrent", "transformer", "recommender")),
    "model-compression": ("jobs.learn.steps=50",),
    "batch-size": ("replications=2",),
    "hyper-parameter-search": ("jobs.tune.search.trials=4",),
}  # fmt: skip
"""Shorter executed jobs: each step is real work on this machine, and ``make demo`` takes all of them."""
LONG = "detail=step", "jobs.pretrain.steps=1000000", "jobs.pretrain.checkpoint.every=1000000 steps"


def dcsim(*arguments: object, folder: Path, timeout_s: float = 300.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dcsim", *map(str, arguments)],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=timeout_s, check=False,
    )  # fmt: skip


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "XLA_FLAGS": OPTIMIZED}


def sets(changes: tuple[str, ...]) -> list[str]:
    return [word for change in changes for word in ("--set", change)]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda file: file.stem)
def test_a_scenario_runs_and_its_checks_hold(scenario: Path, tmp_path: Path) -> None:
    leave = ["--allow-code"] if scenario.stem.startswith("bring-your-own") else []
    drawn = scenario.stem in DRAWN
    leave += [] if drawn else ["--no-report"]
    changes = sets(FEWER.get(scenario.stem, ()))
    done = dcsim("run", scenario, "--timeline", *leave, *changes, "--out", "run", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "run"
    manifest = json.loads((run / "manifest.json").read_text("utf-8"))
    assert manifest["checks"], "a run without conservation checks"
    assert all(check["passed"] for check in manifest["checks"]), manifest["checks"]
    assert len(done.stdout.splitlines()) <= 27, "the summary fits a screen, and a line says where the page is"
    assert all(len(line) <= 100 for line in done.stdout.splitlines() if "/" not in line)
    for name in ("scenario.yaml", "metrics.json", "timeline.json.gz", *(["report.html"] if drawn else [])):
        assert (run / name).stat().st_size > 0
    assert list((run / "tables").glob("*.parquet"))
    assert bool(list((run / "figures").glob("*.svg"))) == drawn


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda file: file.stem)
def test_a_scenario_says_its_question_and_is_in_the_index(scenario: Path) -> None:
    first, second = scenario.read_text("utf-8").splitlines()[:2]
    assert first.startswith("# ")
    assert first.endswith("?"), "the first line asks the question"
    assert second.startswith("# ")
    assert f"({scenario.name})" in (ROOT / "scenarios" / "README.md").read_text("utf-8")


def test_the_resolved_scenario_of_a_run_gives_the_same_metrics(tmp_path: Path) -> None:
    changes = sets(("jobs.pretrain.steps=20", "jobs.learn.steps=5"))
    first = dcsim("run", ROOT / "scenarios/quickstart.yaml", *changes, "--no-report", "--out", "a", folder=tmp_path)
    assert first.returncode == 0, first.stderr
    again = dcsim("run", "a/scenario.yaml", "--no-report", "--out", "b", folder=tmp_path)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "a/metrics.json").read_bytes() == (tmp_path / "b/metrics.json").read_bytes()


def test_ctrl_c_keeps_a_partial_run(tmp_path: Path) -> None:
    arguments = ["run", ROOT / "scenarios/quickstart.yaml", *sets(LONG), "--no-report", "--out", "long"]
    process = subprocess.Popen(
        [sys.executable, "-m", "dcsim", *map(str, arguments)],
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    line = process.stderr.readline()  # progress: the simulation is under way
    assert "simulated" in line, line + process.stderr.read()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert [folder.name for folder in tmp_path.iterdir()] == ["long-partial"]
    assert json.loads((tmp_path / "long-partial/manifest.json").read_text("utf-8"))["partial"] is True
    shown = dcsim("show", "long-partial", folder=tmp_path)
    assert (shown.returncode, "partial" in shown.stdout.lower()) == (0, True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_an_unwritable_folder_is_told_before_simulating(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    done = dcsim("run", ROOT / "scenarios/quickstart.yaml", "--out", "locked/run", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "locked" in done.stderr


def test_a_reader_that_stops_reading_is_no_failure() -> None:
    command = f"{sys.executable} -m dcsim catalogue servers | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "budget_s"),
    [(["--help"], 0.15), (["check", "scenarios/quickstart.yaml"], 0.3)],
    ids=["help", "check"],
)
@pytest.mark.bench
def test_start_up_budgets(arguments: list[str], budget_s: float) -> None:
    """CPU seconds, the least of five, traced costs cached."""
    code = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True); "
    code += "used = resource.getrusage(resource.RUSAGE_CHILDREN); print(used.ru_utime + used.ru_stime)"
    command = [sys.executable, "-c", code, sys.executable, "-m", "dcsim", *arguments]
    used = [float(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout) for _ in range(5)]
    assert min(used) <= budget_s, used
