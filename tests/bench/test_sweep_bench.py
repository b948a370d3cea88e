"""What a point of a study costs beyond its simulation, and what 100,000 of them need in memory."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import pytest

from dcsim.results import study as results
from dcsim.scenario.study import load_study
from dcsim.studies.executors.cluster import Cluster
from dcsim.studies.executors.pool import Pool
from dcsim.studies.sweep import execute, opened

pytestmark = pytest.mark.bench
SMALL = Path(__file__).parents[2] / "scenarios" / "small-cluster.yaml"
STUDY = """\
dcsim: 1
study: bench
base: {base}
axes:
  jobs.pretrain.steps: {{range: [101, {last}], step: 1}}
keep: [jobs.*.step_time, site.energy, site.cost]
limit: 1000000
"""


def _study(folder: Path, points: int) -> Path:
    file = folder / "bench.yaml"
    file.write_text(STUDY.format(base=os.path.relpath(SMALL, folder), last=100 + points))
    return file


def test_a_thousand_points_of_the_smallest_scenario(tmp_path: Path) -> None:
    file = _study(tmp_path, 1000)
    with opened(load_study(file), tmp_path / "out") as sweep:
        context = sweep.context()
        began, clocks = time.perf_counter(), list[float]()
        done = execute(sweep, Pool(context, 2), lambda _: clocks.append(time.perf_counter()))
        ended = time.perf_counter()
    assert (done.finished, done.failed) == (1000, 0)
    frame = results.load(tmp_path / "out").frame
    walls_s = frame["wall_s"]
    between_s = clocks[-1] - clocks[20] - walls_s.iloc[21:].sum() / 2  # both workers are busy all that time
    start_s = clocks[0] - began - walls_s.min()
    print(f"\n{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"1,000 points in {ended - began:.1f} s, {1e3 * walls_s.mean():.0f} ms a point, 2 processes")
    print(f"start {start_s:.2f} s, {1e3 * between_s / 979:.3f} ms overhead a point, end {ended - clocks[-1]:.2f} s")


@pytest.mark.parametrize("early", [True, False], ids=["as dcsim sweep starts it", "from nothing"])
def test_how_long_a_pool_takes_to_its_first_point(tmp_path: Path, early: bool) -> None:
    file, started = _study(tmp_path, 40), list[float]()
    for number in range(5):
        code = f"""
import time
from pathlib import Path
from dcsim.studies.executors import expect
if {early}:
    expect(2)
from dcsim.scenario.study import load_study
from dcsim.studies.executors.pool import Pool
from dcsim.studies.sweep import execute, opened

with opened(load_study(Path({str(file)!r})), Path({str(tmp_path / f"{early}-{number}")!r})) as sweep:
    context, began, clocks = sweep.context(), time.perf_counter(), []
    execute(sweep, Pool(context, 2), lambda _: clocks.append(time.perf_counter()))
print(clocks[0] - began)
"""
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        started.append(float(run.stdout) - results.load(tmp_path / f"{early}-{number}").frame["wall_s"].min())
    how = "as dcsim sweep starts it" if early else "from nothing"
    print(f"\npool, {how}: {median(started):.2f} s to the first point")


def test_what_a_worker_imports_before_its_first_point() -> None:
    code = "import sys, time, dcsim.studies.executors.preload; print(time.process_time(), 'pandas' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    spent, pandas = run.stdout.split()
    print(f"\nfork server: {float(spent):.2f} s CPU from the start of Python to all that simulating imports")
    assert pandas == "False"


def test_three_hundred_points_on_dask(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    file = _study(tmp_path, 300)
    crew = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50)
    clocks: list[tuple[float, float]] = []
    with crew, distributed.Client(crew) as client, opened(load_study(file), tmp_path / "out") as sweep:
        idle = _cpu_share(3.0)  # Dask looks after itself at all times, points or none
        executor = Cluster(sweep.context(), client)
        done = execute(sweep, executor, lambda _: clocks.append((time.perf_counter(), time.process_time())))
    assert (done.finished, done.failed) == (300, 0)
    wall_s, cpu_s = (last - first for first, last in zip(clocks[20], clocks[-1], strict=True))
    busy_s = results.load(tmp_path / "out").frame["wall_s"].iloc[21:].sum() / 2
    print(f"\nDask, 2 workers: {1e3 * (wall_s - busy_s) / 279:.2f} ms overhead a point, of which")
    clockwork = f"{1e3 * idle * wall_s / 279:.2f} ms of it spent when idle too"
    print(f"{1e3 * cpu_s / 279:.2f} ms CPU in the process of sweep and scheduler, {clockwork}")


def _cpu_share(wall_s: float) -> float:
    """Return the CPU time of this process a second of doing nothing."""
    began = time.process_time()
    time.sleep(wall_s)
    return (time.process_time() - began) / wall_s


def test_a_hundred_thousand_points_in_the_parent(tmp_path: Path) -> None:
    file = _study(tmp_path, 100_000)
    code = f"""
import resource, time
from pathlib import Path
from dcsim.results.rows import Row
from dcsim.scenario.study import load_study
from dcsim.studies.sweep import execute, opened

class Instant:
    workers = 1
    def run(self, points):
        metrics = {{"site.energy": (1.0, "J", None, None), "site.cost": (2.0, "USD", None, None)}}
        for point in points:
            yield Row(point.key, point.number, point.changes, 0.0, "d" * 40, 1, "", metrics)
    def close(self):
        pass

began = time.process_time()
with opened(load_study({str(file)!r}), Path({str(tmp_path / "out")!r})) as sweep:
    done = execute(sweep, Instant(), lambda _: None)
assert done.finished == 100_000
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"100,000 points: peak {{peak:.0f}} MiB, {{1e3 * (time.process_time() - began) / 1e5:.3f}} ms CPU a point")
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    print("\n" + run.stdout.strip())
    assert float(run.stdout.split("peak ")[1].split()[0]) <= 400.0
