"""Sweeps end to end: the same results from every executor, and nothing lost or doubled whoever is killed."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from dcsim.errors import RunError
from dcsim.results import dataset
from dcsim.results import study as results
from dcsim.scenario.study import load_study
from dcsim.studies.executors.base import Executor
from dcsim.studies.executors.cluster import Cluster, connect
from dcsim.studies.executors.pool import Pool
from dcsim.studies.executors.serial import Serial
from dcsim.studies.sweep import Done, execute, opened

SCENARIO = """\
dcsim: 1
name: tiny
cluster:
  servers: [{name: train, type: dgx-h100, count: 2}]
jobs:
  - {name: digits, model: mlp-mnist, batch: {global: 64, micro: 4}, parallel: {data: 16}, steps: 4}
"""
POINTS = 72
MANY = 5000  # that nobody waits for
STUDY = f"""\
dcsim: 1
study: tiny-study
base: tiny.yaml
axes:
  jobs.digits.steps: {{range: [1, {POINTS}], step: 1}}
keep: [jobs.*.step_time, site.energy, run.duration]
"""


@pytest.fixture(scope="module")
def study_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    (folder / "tiny.yaml").write_text(SCENARIO)
    (folder / "study.yaml").write_text(STUDY)
    return folder / "study.yaml"


def _sweep(file: Path, folder: Path, executor: type[Serial] | None = None, processes: int = 2) -> list[Done]:
    told: list[Done] = []
    with opened(load_study(file), folder) as sweep:
        context = sweep.context()
        execute(sweep, executor(context) if executor else Pool(context, processes), told.append)
    return told


@pytest.fixture(scope="module")
def expected(study_file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[float, ...]]:
    """What the points are, by key, as one process finds them."""
    folder = tmp_path_factory.mktemp("serial")
    told = _sweep(study_file, folder, Serial)
    assert told[-1] == Done(POINTS, POINTS, 0, POINTS)
    return _metrics(folder)


def _metrics(folder: Path) -> dict[str, tuple[float, ...]]:
    """The metrics of every point by key, and that no key is there twice."""
    found = results.load(folder)
    assert found.frame["key"].is_unique
    assert not len(found.failed)
    names = ["digest", *found.metrics]
    rows = found.frame[["key", *names]].itertuples(index=False, name=None)
    return {key: tuple(values) for key, *values in rows}


def test_a_pool_finds_the_same_to_the_last_bit(
    study_file: Path, expected: dict[str, tuple[float, ...]], tmp_path: Path
) -> None:
    _sweep(study_file, tmp_path / "pool")
    assert _metrics(tmp_path / "pool") == expected


def test_a_killed_worker_loses_no_point(
    study_file: Path, expected: dict[str, tuple[float, ...]], tmp_path: Path
) -> None:
    killed: list[int] = []

    def kill(done: Done) -> None:
        if done.fresh == 2:
            killed.extend(process.pid or 0 for process in multiprocessing.active_children()[:1])
            os.kill(killed[0], signal.SIGKILL)

    with opened(load_study(study_file), tmp_path / "killed") as sweep:
        done = execute(sweep, Pool(sweep.context(), 2), kill)
    assert killed
    assert (done.finished, done.failed) == (POINTS, 0)
    assert _metrics(tmp_path / "killed") == expected


def test_a_killed_parent_loses_no_finished_point_and_leaves_no_worker(
    study_file: Path, expected: dict[str, tuple[float, ...]], tmp_path: Path
) -> None:
    folder = tmp_path / "parent"
    command = [sys.executable, "-m", "dcsim", "sweep", str(study_file), "--out", str(folder), "-j", "2", "-q"]
    journal = folder / dataset.JOURNAL
    with subprocess.Popen(command, start_new_session=True) as parent:
        _wait(lambda: journal.is_file() and journal.read_text().count("\n") >= 2)
        parent.kill()
    _wait(lambda: not _group(parent.pid))
    before = {row.key: row for row in dataset.rows(folder)}
    assert 2 <= len(before) < POINTS
    assert subprocess.run(command, check=False).returncode == 0
    assert _metrics(folder) == expected
    frame = results.load(folder).frame.set_index("key")
    assert all(frame.loc[key, "wall_s"] == row.wall_s for key, row in before.items())  # none of them ran again


def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(study_file: Path, tmp_path: Path) -> None:
    folder, many = tmp_path / "interrupted", study_file.parent / "many.yaml"
    many.write_text(STUDY.replace(f"[1, {POINTS}]", f"[1, {MANY}]"))
    command = [sys.executable, "-m", "dcsim", "sweep", str(many), "--out", str(folder), "-j", "2"]
    journal = folder / dataset.JOURNAL
    # Shells start what runs in the background deaf to interrupts, and so its children.
    heeding = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        command, start_new_session=True, stderr=subprocess.PIPE, text=True, preexec_fn=heeding
    ) as parent:
        _wait(lambda: journal.is_file() and journal.read_text().count("\n") >= 2)
        os.killpg(parent.pid, signal.SIGINT)
        _, said = parent.communicate(timeout=60)
    assert parent.returncode == 130
    assert "run it again for the rest" in said
    assert "Traceback" not in said
    assert 2 <= len(list(dataset.rows(folder))) < MANY


def test_a_point_that_cannot_be_is_a_row_with_its_reason(study_file: Path, tmp_path: Path) -> None:
    text = STUDY.replace(f"{{range: [1, {POINTS}], step: 1}}", "[1, 0, 2]")
    file = study_file.parent / "failing.yaml"
    file.write_text(text)
    _sweep(file, tmp_path / "out", Serial)
    found = results.load(tmp_path / "out")
    assert list(found.frame["status"]) == ["done", "failed", "done"]
    assert "jobs.digits.steps" in found.failed["reason"].iloc[0]


def test_a_point_that_kills_its_worker_each_time_is_found_and_the_others_are_not_blamed(
    study_file: Path, tmp_path: Path
) -> None:
    (study_file.parent / "deadly.py").write_text("import os\n\n\ndef step(x):\n    os._exit(9)\n")
    file = study_file.parent / "deadly.yaml"
    user = '{function: "deadly:step", arguments: {x: "float32[micro, 8]"}}'
    file.write_text(STUDY.replace(f"{{range: [1, {POINTS}], step: 1}}", "[1, 2]") + f"  # {user}\n")
    text = file.read_text().replace("axes:\n", f"axes:\n  jobs.digits.model: [mlp-mnist, {user}]\n")
    file.write_text(text)
    with opened(load_study(file), tmp_path / "out") as sweep:
        context = replace(sweep.context(), allow_code=True)  # traced without leave, so that it dies in the workers
        execute(sweep, Pool(context, 2), lambda _: None)
    found = results.load(tmp_path / "out")
    assert list(found.frame["status"]) == ["done", "done", "failed", "failed"]
    assert all("died each time" in reason for reason in found.failed["reason"])


def test_replications_go_on_until_the_interval_is_narrow(study_file: Path, tmp_path: Path) -> None:
    text = STUDY.replace(f"{{range: [1, {POINTS}], step: 1}}", "[3]")
    text += "replications: {until: {metric: jobs.digits.step_time, half_width: 50 %, at_most: 5}}\n"
    file = study_file.parent / "replicated.yaml"
    file.write_text(text)
    _sweep(file, tmp_path / "out", Serial)
    row = results.load(tmp_path / "out").frame.iloc[0]
    assert row["replications"] == 2
    assert row["jobs.digits.step_time.low"] <= row["jobs.digits.step_time"] <= row["jobs.digits.step_time.high"]


def test_more_points_than_the_limit_need_yes(study_file: Path, tmp_path: Path) -> None:
    file = study_file.parent / "limited.yaml"
    file.write_text(STUDY + "limit: 10\n")
    command = [sys.executable, "-m", "dcsim", "sweep", str(file), "--out", str(tmp_path / "out")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert f"found {POINTS} points to run, expected at most 10; add --yes" in run.stderr


def test_dask_loses_no_point_when_a_worker_is_killed(
    study_file: Path, expected: dict[str, tuple[float, ...]], tmp_path: Path
) -> None:
    with _dask(tmp_path) as (address, workers, _), opened(load_study(study_file), tmp_path / "dask") as sweep:
        client = connect(address)
        client.wait_for_workers(2, timeout=90)

        def kill(done: Done) -> None:
            if done.fresh == 2:
                os.killpg(workers[0].pid, signal.SIGKILL)

        executor: Executor = Cluster(sweep.context(), client)
        done = execute(sweep, executor, kill)
        client.close()
    assert (done.finished, done.failed) == (POINTS, 0)
    assert _metrics(tmp_path / "dask") == expected


def test_a_killed_scheduler_is_told_and_loses_no_finished_point(
    study_file: Path, expected: dict[str, tuple[float, ...]], tmp_path: Path
) -> None:
    folder = tmp_path / "dask"
    with _dask(tmp_path) as (address, _, scheduler), opened(load_study(study_file), folder) as sweep:
        client = connect(address)
        client.wait_for_workers(2, timeout=90)
        kept: list[Done] = []

        def kill(done: Done) -> None:
            kept.append(done)
            if done.fresh == 2:
                os.killpg(scheduler.pid, signal.SIGKILL)

        with pytest.raises(RunError, match=r"scheduler at tcp://.* was lost"):
            execute(sweep, Cluster(sweep.context(), client), kill)
        client.close()
    before = kept[-1].finished
    assert 2 <= before < POINTS
    told = _sweep(study_file, folder, Serial)
    assert told[-1] == Done(POINTS, POINTS - before, 0, POINTS)
    assert _metrics(folder) == expected


def test_a_scheduler_that_does_not_answer_is_told(study_file: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dcsim", "sweep", str(study_file), "--out", str(tmp_path / "out")]
    command += ["--executor", "dask", "--scheduler", "tcp://127.0.0.1:9"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "no scheduler answered within 10 s" in run.stderr
    assert "Traceback" not in run.stderr


@contextmanager
def _dask(folder: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]], subprocess.Popen[bytes]]]:
    """A real scheduler and two worker processes on the loopback interface: its address, the workers, the scheduler."""
    file = folder / "scheduler.json"
    tool = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    started = [_quiet([*tool, "--scheduler-file", str(file), "--no-dashboard"], folder)]
    try:
        _wait(file.is_file)
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file), "--no-dashboard"]
        worker += ["--nthreads", "1", "--no-nanny", "--local-directory", str(folder)]
        started += [_quiet(worker, folder) for _ in range(2)]
        yield json.loads(file.read_text())["address"], started[1:], started[0]
    finally:
        for process in started:
            process.kill()
            process.wait()


def _quiet(command: list[str], folder: Path) -> subprocess.Popen[bytes]:
    with (folder / f"dask-{time.monotonic_ns()}.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)


def _group(leader: int) -> list[int]:
    """The living processes of a process group."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue
        if entry.name.isdecimal() and fields[2] == str(leader) and fields[0] != "Z":
            found.append(int(entry.name))
    return found


def _wait(until: object, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not until():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise TimeoutError("what the test waits for did not come")
        time.sleep(0.02)


@pytest.mark.parametrize("file", sorted((Path(__file__).parents[2] / "scenarios" / "studies").glob("*.yaml")), ids=str)
def test_the_shipped_studies_can_be_run(file: Path, tmp_path: Path) -> None:
    loaded = load_study(file)
    with opened(loaded, tmp_path / "out", search=bool(loaded.study.objectives)) as ready:
        assert ready.todo > 1 or loaded.study.objectives
