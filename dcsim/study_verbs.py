"""The verbs of the command line that work on studies."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dcsim.command import DONE, INTERRUPTED, complain, keeping, say
from dcsim.errors import InputError
from dcsim.options import Argument, Option, Settings

if TYPE_CHECKING:
    from dcsim.scenario.study import LoadedStudy
    from dcsim.studies.evaluation import Evaluation
    from dcsim.studies.executors.base import Executor
    from dcsim.studies.point import Context
    from dcsim.studies.sweep import Done, Sweep

StudyFile = Annotated[Path, Argument(metavar="STUDY", help="A study file.")]
Asking = Annotated[Path, Argument(metavar="FILE", help="A study file, or a scenario with parallel: auto.")]
Out = Annotated[Path | None, Option(metavar="DIR", help="The study's folder; runs/<study> unless given.")]


@dataclass(frozen=True)
class Workers:
    """Where points are simulated."""

    jobs: Annotated[int | None, Option("--jobs", "-j", metavar="N", min=1, help="Processes; one a core.")] = None
    executor: Annotated[Literal["local", "dask"], Option(help="This machine, or a Dask cluster.")] = "local"
    scheduler: Annotated[str | None, Option(metavar="ADDRESS", help="Of the Dask scheduler.")] = None


@dataclass(frozen=True)
class Question:
    """Of a scenario: what is other than in its file, and for which job a plan is looked for."""

    settings: Settings = field(default_factory=list)
    job: Annotated[
        str | None, Option("--job", metavar="NAME", help="Whose plan, where several jobs leave it open.")
    ] = None


@dataclass(frozen=True)
class Consent:
    """What a study may do, and what it tells."""

    yes: Annotated[bool, Option("--yes", "-y", help="Run more points than the study's limit.")] = False
    allow_code: Annotated[bool, Option("--allow-code", help="Execute code that a scenario names as a model.")] = False
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print problems only.")] = False


def sweep(workers: Workers, consent: Consent, study: StudyFile, out: Out = None) -> int:
    """Simulate every point of a study that is not finished yet.

    Example: dcsim sweep scenarios/studies/oversubscription.yaml --out fabric
    """
    _expect(workers)
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
        from dcsim.report import html
        from dcsim.report import study as told

        say(told.summary(found, loaded.study.bounds))
        say(f"points   {folder / 'points'} (Parquet)")
        with keeping(f"the points are kept, draw them by: dcsim report {folder}"):
            say(f"report   {html.write_study(found, folder)}")
    return DONE


def optimize(workers: Workers, consent: Consent, asked: Question, study: Asking, out: Out = None) -> int:
    """Find the best points of a study, or the plan of a job.

    By the objectives and constraints of the study; of a scenario whose job has parallel: auto, the fastest plan that
    fits, and all that none beats. With several such jobs, --job says whose; the others take their fastest plan.

    Example: dcsim optimize scenarios/parallel-plan.yaml --job pretrain
    """
    from dcsim.scenario.document import says

    if says(study, "jobs"):
        return _plans(study, asked, out, consent.quiet)
    if asked.settings or asked.job is not None:
        raise InputError(f"{study}: found --set or --job with a study file, expected a scenario; write axes into it")
    from dcsim.studies import optimize as search

    return _searched(Asked(workers, consent, study, out), search.optimize)


def sensitivity(workers: Workers, consent: Consent, study: StudyFile, out: Out = None) -> int:
    """Rank the axes of a study by how much they move metrics.

    Example: dcsim sensitivity scenarios/studies/cheapest-token.yaml
    """
    from dcsim.studies import sensitivity as ranking

    return _searched(Asked(workers, consent, study, out), ranking.sensitivity)


def _plans(file: Path, asked: Question, out: Path | None, quiet: bool) -> int:
    """Search the plan of a scenario's job, and write and tell what was found."""
    from dcsim.estimate.chosen import words
    from dcsim.report import plans as told
    from dcsim.report.progress import teller
    from dcsim.scenario.load import load
    from dcsim.studies import plans

    loaded = load(str(file), asked.settings)
    tell = teller(None if quiet else sys.stderr)
    chosen = plans.search(loaded, asked.job, lambda found, place: tell(f"plan {place + 1}: {words(found, place)}"))
    text = told.write(loaded, chosen, out or Path("runs") / f"{loaded.scenario.name}-plans")
    if not quiet:
        say(text)
    return DONE


@dataclass(frozen=True)
class Asked:
    """What a search was asked for."""

    workers: Workers
    consent: Consent
    study: Path
    out: Path | None


def _searched(asked: Asked, search: Callable[[LoadedStudy, Evaluation], Any]) -> int:
    """Run a search in the study's folder, and write and tell what it found."""
    _expect(asked.workers)
    from dcsim.report import search as told
    from dcsim.scenario.study import load_study
    from dcsim.studies.sweep import opened

    loaded = load_study(asked.study)
    folder = asked.out or Path("runs") / loaded.study.study
    with opened(loaded, folder, search=True) as ready:
        for note in ready.dataset.notes:
            complain(note)
        try:
            found = _evaluated(ready, asked, search)
        except KeyboardInterrupt:
            complain(f"interrupted; {len(ready.dataset.done):,} points are kept in {folder}, run it again to go on")
            return INTERRUPTED
    from dcsim.report import html
    from dcsim.results import study as results

    with keeping(f"the points are kept in {folder}, run it again to go on"):
        text = told.write(loaded, found, folder)
        page = html.write_study(results.load(folder), folder)
    if not asked.consent.quiet:
        say(f"{text}\n\nreport   {page}")
    return DONE


def _evaluated(ready: Sweep, asked: Asked, search: Callable[[LoadedStudy, Evaluation], Any]) -> Any:
    from dcsim.report.progress import Meter, looked_at
    from dcsim.studies.evaluation import Evaluation

    executor = _executor(asked.workers, lambda: ready.context(asked.consent.allow_code))
    with Meter(ready.name, sys.stderr, looked_at) as meter:
        evaluation = Evaluation(ready, executor, (lambda _: None) if asked.consent.quiet else meter)
        try:
            return search(ready.loaded, evaluation)
        finally:
            evaluation.close()


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
        executor = _executor(workers, lambda: ready.context(consent.allow_code))
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


def _expect(workers: Workers) -> None:
    """Start the pool's fork server first of all: it imports for as long as this process does until it has points."""
    if workers.executor == "local":
        from dcsim.studies.executors import expect

        expect(_processes(workers))


def _executor(workers: Workers, make: Callable[[], Context]) -> Executor:
    if workers.executor == "dask":
        from dcsim.studies.executors.cluster import Cluster, connect

        client = connect(workers.scheduler)
        return Cluster(make(), client)
    if workers.scheduler is not None:
        raise InputError("--scheduler: found an address without --executor dask, expected both")
    from dcsim.studies.executors import local

    return local(make, _processes(workers))
