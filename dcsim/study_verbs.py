"""The verbs of the command line that work on studies."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dcsim.command import DONE, INTERRUPTED, complain, say
from dcsim.errors import InputError

if TYPE_CHECKING:
    from dcsim.studies.executors.base import Executor
    from dcsim.studies.point import Context
    from dcsim.studies.sweep import Done, Sweep

Argument = partial(typer.Argument, show_default=False)
Option = partial(typer.Option, show_default=False)

StudyFile = Annotated[Path, Argument(metavar="STUDY", help="A study file.")]


@dataclass(frozen=True)
class Workers:
    """Where points are simulated."""

    jobs: Annotated[int | None, Option("--jobs", "-j", metavar="N", min=1, help="Processes; one a core.")] = None
    executor: Annotated[Literal["local", "dask"], Option(help="This machine, or a Dask cluster.")] = "local"
    scheduler: Annotated[str | None, Option(metavar="ADDRESS", help="Of the Dask scheduler.")] = None


@dataclass(frozen=True)
class Consent:
    """What a study may do, and what it tells."""

    yes: Annotated[bool, Option("--yes", "-y", help="Run more points than the study's limit.")] = False
    allow_code: Annotated[bool, Option("--allow-code", help="Execute code that a scenario names as a model.")] = False
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print problems only.")] = False


def sweep(
    workers: Workers,
    consent: Consent,
    study: StudyFile,
    out: Annotated[Path | None, Option(metavar="DIR", help="The study's folder; runs/<study> unless given.")] = None,
) -> int:
    """Simulate every point of a study; what is finished already is not run again."""
    from dcsim.results import study as results
    from dcsim.scenario.study import load_study
    from dcsim.studies.sweep import opened

    loaded = load_study(study)
    folder = out or Path("runs") / loaded.study.study
    with opened(loaded, folder) as ready:
        for note in ready.dataset.notes:
            complain(note)
        _announce(ready, workers, consent)
        interrupted = not _execute(ready, workers, consent)
    if interrupted:
        kept = f"{len(ready.dataset.done):,} of {ready.total:,} points are kept in {folder}"
        complain(f"interrupted; {kept}, run it again for the rest")
        return INTERRUPTED
    found = results.load(folder)
    if "csv" in loaded.study.outputs:
        found.frame.to_csv(folder / "points.csv", index=False)
    if not consent.quiet:
        from dcsim.report import study as told

        say(told.summary(found, loaded.study.bounds))
        say(f"points   {folder / 'points'} (Parquet)")
    return DONE


def _announce(ready: Sweep, workers: Workers, consent: Consent) -> None:
    """Say how many points there are before any runs, and refuse more than the limit unless it was agreed to."""
    from dcsim import units

    limit = ready.loaded.study.limit
    if ready.todo > limit and not consent.yes:
        found = f"found {ready.todo:,} points to run, expected at most {limit:,}"
        raise InputError(f"{ready.loaded.path}: {found}; add --yes to run them all")
    text = f"{ready.name}: {ready.total:,} points, {ready.total - ready.todo:,} done, {ready.todo:,} to run"
    if ready.mean_s and ready.todo and workers.executor == "local":
        text += f", about {units.show(ready.todo * ready.mean_s / _processes(workers), 's')}"
    if not consent.quiet:
        typer.echo(text, err=True)


def _execute(ready: Sweep, workers: Workers, consent: Consent) -> bool:
    """Run what is to be run; return whether all of it was."""
    from dcsim.report.progress import Meter, count
    from dcsim.studies.sweep import execute

    if not ready.todo:
        return True
    try:
        executor = _executor(workers, ready.context(consent.allow_code))
        if consent.quiet:
            execute(ready, executor, lambda _: None)
            return True
        with Meter(ready.name, sys.stderr, count) as meter:
            execute(ready, executor, _first_told(ready, executor, meter))
    except KeyboardInterrupt:
        return False
    return True


def _first_told(ready: Sweep, executor: Executor, meter: Callable[[Done], None]) -> Callable[[Done], None]:
    """Return what is told of progress; the first point says how long all will take where nothing was known."""
    from dcsim import units

    known = [ready.mean_s is not None]

    def tell(done: Done) -> None:
        if not known[0] and ready.mean_s:
            known[0] = True
            left_s = (done.total - done.finished) * ready.mean_s / max(1, executor.workers)
            took = f"the first point took {units.show(ready.mean_s, 's')}, the rest about {units.show(left_s, 's')}"
            typer.echo(f"{ready.name}: {took}", err=True)
        meter(done)

    return tell


def _processes(workers: Workers) -> int:
    return workers.jobs or os.cpu_count() or 1


def _executor(workers: Workers, context: Context) -> Executor:
    if workers.executor == "dask":
        from dcsim.studies.executors.cluster import Cluster, connect

        return Cluster(context, connect(workers.scheduler))
    if workers.scheduler is not None:
        raise InputError("--scheduler: found an address without --executor dask, expected both")
    from dcsim.studies.executors import local

    return local(context, _processes(workers))
