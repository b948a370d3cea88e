"""The scripts of analysis/ turn run folders into reports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from dcsim.results import store

ROOT = Path(__file__).parents[3]


def script(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "analysis" / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}, check=False)


@pytest.fixture(scope="module")
def runs(synthetic: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    return [store.save(result, folder / result.name) for result in synthetic.variants()[:2]]


def test_capacity_report(runs: list[Path]) -> None:
    done = script("capacity_report.py", str(runs[0]))
    assert done.returncode == 0, done.stderr
    assert "2.42 kWh" in done.stdout
    assert (runs[0] / "report.html").is_file()
    assert (runs[0] / "figures" / "over-time.svg").is_file()
    assert script("capacity_report.py", str(runs[0] / "nowhere")).returncode == 2


def test_capacity_report_of_several_runs_with_growth(runs: list[Path], tmp_path: Path) -> None:
    page = tmp_path / "both.html"
    done = script("capacity_report.py", *map(str, runs), "--growth", "plan: 41 %/year", "--compare", str(page))
    assert done.returncode == 0, done.stderr
    assert "plan, 41 %/year" in (runs[0] / "report.html").read_text("utf-8")
    assert "first to run out: accelerators" in page.read_text("utf-8")
    refused = script("capacity_report.py", str(runs[0]), "--growth", "much")
    assert refused.returncode == 2
    assert 'found "much"' in refused.stderr


def test_compare_architectures(runs: list[Path], tmp_path: Path) -> None:
    done = script("compare_architectures.py", *map(str, runs), "--out", str(tmp_path / "page.html"))
    assert done.returncode == 0, done.stderr
    assert "cluster.network.oversubscription" in done.stdout
    assert (tmp_path / "page.html").is_file()


def test_collective_bandwidth(tmp_path: Path) -> None:
    done = script("collective_bandwidth.py", "--out", str(tmp_path / "figure.svg"))
    assert done.returncode == 0, done.stderr
    drawn = (tmp_path / "figure.svg").read_text("utf-8")
    assert "72 GB200, one rack" in drawn
    assert "bus bandwidth [GB/s]" in drawn


def test_fit_collectives() -> None:
    """One evaluation: the constants of the catalogue, and how far they are off on the rows they were fitted to."""
    done = script("fit_collectives.py", "--evaluations", "1")
    assert done.returncode == 0, done.stderr
    first = done.stdout.splitlines()[0]
    assert first.startswith("164 rows, 76 constants: median error ")
    assert float(first.split("median error ")[1].split("%")[0]) < 3.0
