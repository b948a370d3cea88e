"""Whole runs from the command line to written results: wall time, CPU time, peak memory, events."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.bench


def run(folder: Path, cache: Path, *arguments: str) -> dict[str, float]:
    """Run a scenario in a process of its own and return what it took."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    code = "import resource, sys; from dcsim.cli import main\ntry: main()\nexcept SystemExit: pass\n"
    code += "print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    command = [sys.executable, "-c", code, "run", *arguments, "--out", str(folder), "--quiet"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DCSIM_CACHE": str(cache)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    wall_s, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak_mib = int(done.stderr.rpartition("peak ")[2]) / 1024
    return {"wall_s": wall_s, "cpu_s": cpu_s, "peak_mib": peak_mib, "events": manifest["events"]}


def test_quickstart_first_and_cached(tmp_path: Path) -> None:
    scenario = str(ROOT / "scenarios" / "quickstart.yaml")
    first = run(tmp_path / "first", tmp_path / "cache", scenario)
    cached = run(tmp_path / "second", tmp_path / "cache", scenario)
    print(f"\nquickstart first {first}\nquickstart cached {cached}")
    assert first["events"] == cached["events"]
    assert first["peak_mib"] <= 900
    assert cached["peak_mib"] <= 500


def test_events_do_not_grow_with_steps(tmp_path: Path) -> None:
    def events(steps: int) -> float:
        changes = (
            f"jobs.pretrain.steps={steps}",
            f"jobs.pretrain.checkpoint.every={steps // 5} steps",
            "jobs.learn.steps=1",
        )
        words = [word for change in changes for word in ("--set", change)]
        return run(tmp_path / str(steps), tmp_path / "cache", str(ROOT / "scenarios" / "quickstart.yaml"), *words)[
            "events"
        ]

    few, many = events(1000), events(10_000)
    print(f"\nevents of 1,000 steps {few}, of 10,000 steps {many}, ratio {many / few:.3f}")
    assert many <= 1.2 * few
