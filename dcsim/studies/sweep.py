"""A sweep: every point of a study that is not finished yet is simulated and kept."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

from dcsim import __version__
from dcsim.errors import InputError, ScenarioError
from dcsim.results import whole
from dcsim.results.dataset import Dataset
from dcsim.scenario.study import LoadedStudy, quantity
from dcsim.studies.axes import Changes, Points
from dcsim.studies.executors.base import Executor
from dcsim.studies.point import Context, Point, identity, key
from dcsim.studies.shipping import packed_costs

ExecutorName = Literal["local", "dask"]
_TRIED_VALUES = 3
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Sweep:
    """A study that is ready to run: its points, where its results go, and what workers need to know.

    ``shared`` digests what all its points share; ``total`` counts its different points that keep the constraints on
    axes, ``todo`` those of them that are not finished; a search, which chooses its points itself, has none.
    """

    loaded: LoadedStudy
    points: Points | None
    dataset: Dataset
    shared: str
    total: int
    todo: int
    runs: Path | None

    @property
    def name(self) -> str:
        """The study's name."""
        return self.loaded.study.study

    @property
    def mean_s(self) -> float | None:
        """Mean time of a finished point [s], None where there is none."""
        return self.dataset.wall_s / len(self.dataset.done) if self.dataset.done else None

    def pending(self) -> Iterator[Point]:
        """Yield the points that are not finished, each once."""
        given = set[str]()
        for point in () if self.points is None else _different(self.loaded, self.points, self.shared):
            if point.key not in self.dataset.done and point.key not in given:
                given.add(point.key)
                yield point

    def context(self, allow_code: bool = False) -> Context:
        """Return what workers need, with the costs of all steps traced here, once."""
        study = self.loaded.study
        points = [Point(0, "", {})] if self.points is None else self.pending()
        costs = packed_costs(self.loaded.base, points, allow_code)
        return Context(self.loaded.base, study.replications, study.keep, allow_code, self.runs, costs)


@dataclass(frozen=True, slots=True)
class Done:
    """How far a sweep is: points finished in all and by this process, failed ones, and all there are."""

    finished: int
    fresh: int
    failed: int
    total: int


@contextmanager
def opened(loaded: LoadedStudy, folder: Path, search: bool = False) -> Iterator[Sweep]:
    """Open the folder of a study, made if it is not there, and hold it for this process alone.

    ``search`` leaves the points to who searches: bounds without a number of points between them are then fine.

    Raises
    ------
    ScenarioError
        If an axis names a path that does not exist, or has no values that make sense.
    InputError
        If the folder holds another study or anything else, another process sweeps in it, or it cannot be written.
    """
    check_paths(loaded)
    study, shared = loaded.study, _shared(loaded)
    points = None if search else Points(loaded)
    total = 0 if points is None else _counted(loaded, points, shared)
    mine = {"study": study.study, "shared": shared, "axes": [*study.axes], "dcsim": __version__, **_about(loaded)}
    with _held(folder, mine):
        prune = study.search.prune
        dataset = Dataset(folder, (*study.axes, *([prune.path] if prune else ())))
        try:
            runs = folder / "runs" if "runs" in study.outputs else None
            # A new folder, the usual case for many points, needs no second look at them.
            keys = _different(loaded, points, shared) if points is not None and dataset.done else ()
            known = sum(point.key in dataset.done for point in keys)
            yield Sweep(loaded, points, dataset, shared, total, total - known, runs)
        finally:
            dataset.close()


def check_study(loaded: LoadedStudy) -> None:
    """Refuse a study with a wrong axis, and one without objectives, hence for sweeps, with no points.

    Raises
    ------
    InputError
        With what is wrong; nothing is written.
    """
    check_paths(loaded)
    if not loaded.study.objectives:
        _counted(loaded, Points(loaded), _shared(loaded))


def _counted(loaded: LoadedStudy, points: Points, shared: str) -> int:
    """Return the number of different points that keep the constraints on axes; refuse none."""
    total = sum(1 for _ in _different(loaded, points, shared))
    if not total:
        raise InputError(f"{loaded.path}: found no point that keeps the constraints, expected at least one")
    return total


def execute(sweep: Sweep, executor: Executor, tell: Callable[[Done], None]) -> Done:
    """Simulate what is not finished; every row is kept as soon as it is there.

    Raises
    ------
    RunError
        If rows can no longer be kept or the executor is lost; what was kept stays.
    """
    before, failed = sweep.total - sweep.todo, sweep.dataset.failed
    done = Done(before, 0, failed, sweep.total)
    try:
        for row in executor.run(sweep.pending()):
            sweep.dataset.append(row)
            done = Done(done.finished + 1, done.fresh + 1, sweep.dataset.failed, sweep.total)
            tell(done)
        sweep.dataset.seal()
    finally:
        executor.close()
    return done


def _different(loaded: LoadedStudy, points: Points, shared: str) -> Iterator[Point]:
    """Yield the points that keep the constraints on axes, each key once."""
    bounds = [bound for bound in loaded.study.bounds if bound.name in loaded.study.axes]
    seen = set[bytes]()
    for number, changes in enumerate(points):
        if not all(bound.met(_number(changes, bound.name)) for bound in bounds):
            continue
        name = key(shared, changes, loaded.base.folder)
        short = bytes.fromhex(name)
        if short not in seen:
            seen.add(short)
            yield Point(number, name, changes)


def _number(changes: Changes, path: str) -> float:
    try:
        return quantity(str(changes[path]))
    except ValueError:
        raise InputError(f'constraints: found the axis {path} with "{changes[path]}", expected numbers') from None


def _shared(loaded: LoadedStudy) -> str:
    kept = "\0".join(sorted(loaded.study.keep))
    shared = identity(loaded.base, loaded.study.replications)
    return blake2b(f"{shared}\0{kept}".encode(), digest_size=16).hexdigest()


def check_paths(loaded: LoadedStudy) -> None:
    """Refuse an axis no value of which the base scenario can take: its path is wrong, or all values are."""
    problems = []
    for path, axis in loaded.study.axes.items():
        bounds = axis.range or axis.log or axis.log2 or ()
        found = [_refusal(loaded, path, value) for value in (*axis.values, *bounds)[:_TRIED_VALUES]]
        if all(found):
            problems += [problem for problem in found[0] if problem not in problems]
    if problems:
        raise ScenarioError(problems)


def _refusal(loaded: LoadedStudy, path: str, value: Any) -> list[Any]:
    """Return what is wrong with one value of one axis, told at the axis."""
    try:
        loaded.base.replace({path: value}, str(loaded.path))
    except ScenarioError as error:
        # An unknown key is told of the block that it stands in.
        block = path.rpartition(".")[0]
        own = [problem for problem in error.problems if problem.path == block or problem.path.startswith(path)]
        return [loaded.problem(f"axes.{path}", p.found, p.expected, p.suggestion) for p in own]
    return []


def _about(loaded: LoadedStudy) -> dict[str, Any]:
    """Return what the page of a study tells of it."""
    study = loaded.study
    return {
        "file": loaded.path.name,
        "base": study.base,
        "seed": loaded.base.scenario.seed,
        "start": loaded.base.scenario.start.isoformat(),
        "objectives": dict(study.objectives),
        "constraints": list(study.constraints),
    }


@contextmanager
def _held(folder: Path, mine: dict[str, Any]) -> Iterator[None]:
    """Make the folder or check that it is this study's, and lock it."""
    folder = folder.expanduser()
    manifest = folder / MANIFEST
    if folder.exists() and (not folder.is_dir() or (not manifest.is_file() and any(folder.iterdir()))):
        raise InputError(f"{folder}: holds something that is no study; name an empty or a new folder by --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}); name another folder by --out") from error
    try:
        _lock(lock, folder)
        _claim(manifest, mine)
        yield
    finally:
        os.close(lock)


def _lock(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        hint = "wait for it, or name another folder by --out"
        raise InputError(f"{folder}: another process sweeps in this folder; {hint}") from None


def _claim(manifest: Path, mine: dict[str, Any]) -> None:
    """Write down whose folder it is, or refuse one that is another's; axes that were added since are added."""
    try:
        found = json.loads(manifest.read_text("utf-8")) if manifest.is_file() else {**mine}
    except (OSError, ValueError) as error:
        raise InputError(f"{manifest}: cannot be read ({error}); name another folder by --out") from error
    if not isinstance(found, dict) or any(found.get(name) != mine[name] for name in ("study", "shared")):
        raise InputError(
            f"{manifest.parent}: found the results of another study, or of this one with another base scenario, other "
            f'replications, metrics to keep or version of dcsim; expected those of "{mine["study"]}" as it is now; '
            "name another folder by --out"
        )
    mine["axes"] = list(dict.fromkeys([*found.get("axes", ()), *mine["axes"]]))
    whole.write(manifest, json.dumps(mine, indent=1) + "\n")
