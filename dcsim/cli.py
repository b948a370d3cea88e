"""The command ``dcsim``: its verbs, which compose the packages below.

Exit status: 0 done; 1 the run failed; 2 the input is wrong; 130 interrupted. Heavy modules are imported inside the
verbs, so that help and completion answer at once.
"""

from __future__ import annotations

import sys
from collections.abc import Container
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcsim.command import (
    DONE,
    FAILED,
    INTERRUPTED,
    WRONG_INPUT,
    command,
    complain,
    complain_of,
    complain_of_interrupt,
    flush,
    keeping,
    say,
)
from dcsim.errors import InputError, RunError
from dcsim.study_verbs import sweep

if TYPE_CHECKING:
    from dcsim.results.comparison import Comparison
    from dcsim.results.result import Result
    from dcsim.scenario.load import Loaded
    from dcsim.simulate import Prepared

# What a figure may raise; results outlive it.
_DRAWING_ERRORS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError, RunError)

Argument = partial(typer.Argument, show_default=False)
Option = partial(typer.Option, show_default=False)

File = Annotated[Path, Argument(metavar="FILE", help="A scenario file.")]
Run = Annotated[Path, Argument(metavar="RUN", help="A run folder.")]
Settings = Annotated[
    list[str], Option("--set", metavar="PATH=VALUE", help="Change a key of the scenario; may be repeated.")
]
Seed = Annotated[int | None, Option(metavar="N", min=0, help="Replace the seed of the scenario.")]
Json = Annotated[
    Path | None, Option("--json", metavar="FILE", help='Write the numbers as JSON; "-" is standard output.')
]
Html = Annotated[Path | None, Option(metavar="FILE", help="Write the comparison as a page.")]
Hlo = Annotated[Path | None, Option("--hlo", metavar="FILE", help="The text of a compiled HLO module instead.")]
Timeline = Annotated[bool, Option("--timeline", help="Also write timeline.json.gz, which Perfetto opens.")]
Quiet = Annotated[bool, Option("--quiet", "-q", help="Print problems only.")]
Verbose = Annotated[bool, Option("--verbose", "-v", help="Print every metric and check.")]
AllowCode = Annotated[bool, Option("--allow-code", help="Execute code that the scenario names as a model.")]


@dataclass(frozen=True)
class Reading:
    """How a scenario is read."""

    settings: Settings = field(default_factory=list)
    seed: Seed = None
    allow_code: AllowCode = False


@dataclass(frozen=True)
class RunOutput:
    """What ``dcsim run`` writes and prints."""

    timeline: Timeline = False
    no_report: Annotated[bool, Option("--no-report", help="Write no figures and no report.html.")] = False
    json: Json = None
    quiet: Quiet = False
    verbose: Verbose = False


@dataclass(frozen=True)
class CompareOutput:
    """What ``dcsim compare`` writes and prints."""

    html: Html = None
    json: Json = None
    quiet: Quiet = False


def run(
    output: RunOutput,
    reading: Reading,
    file: File,
    out: Annotated[
        Path | None, Option(metavar="DIR", help="The run folder itself; runs/<name>-<digest> unless given.")
    ] = None,
) -> int:
    """Simulate a scenario into a run folder with a report."""
    from dcsim import simulate
    from dcsim.results import store
    from dcsim.scenario.load import load

    _check_files(output.json)
    prepared = simulate.prepare(load(str(file), reading.settings, reading.seed), reading.allow_code)
    folder = store.prepare(out or Path("runs") / prepared.folder_name)
    result = _simulate(prepared, prepared.loaded.scenario.name, output.quiet)
    folder, drawn = _save(result, folder, output)
    with keeping(f"the results are in {folder}"):
        _write_json(result, output.json)
        if not output.quiet and output.json != Path("-"):
            _show(result, folder, output.verbose)
    if result.partial:
        stopped = result.manifest.get("stopped")
        reason = f"the run failed: {stopped}" if stopped else "interrupted"
        complain(f"{reason}; what was simulated is kept in {folder}")
        return FAILED if stopped else INTERRUPTED
    return DONE if drawn else FAILED


def check(
    files: Annotated[list[Path], Argument(metavar="FILE...", help="Scenario and study files.")],
    allow_code: AllowCode = False,
) -> int:
    """Validate scenario and study files without running them."""
    from dcsim import simulate
    from dcsim.scenario.load import load
    from dcsim.scenario.study import is_study, load_study

    status = DONE
    for file in files:
        try:
            if is_study(file):
                from dcsim.studies.sweep import check_points

                check_points(load_study(file))
            else:
                simulate.prepare(load(str(file)), allow_code)
        except InputError as error:
            complain_of(error)
            status = WRONG_INPUT
        else:
            say(f"{file}: ok")
    return status


def show(run: Run, json: Json = None, verbose: Verbose = False) -> int:
    """Print the summary of a run folder."""
    from dcsim.results import store

    result = store.load(run)
    _write_json(result, json)
    if json != Path("-"):
        _show(result, run, verbose)
    return DONE


def compare(
    output: CompareOutput,
    reading: Reading,
    inputs: Annotated[list[Path], Argument(metavar="FILE_OR_RUN...", help="Scenario files and run folders.")],
    vary: Annotated[
        list[str], Option(metavar="PATH=a,b,c", help="Simulate with each of these values; may be repeated.")
    ] = [],  # noqa: B006  # Typer reads it as "none given" and hands over a new list
) -> int:
    """Compare scenarios or runs, metric by metric."""
    from dcsim.results import comparison

    _check_files(output.html, output.json)
    work = _work(inputs, vary, reading)
    results = _results(work, output.quiet)
    if results is None:
        complain("interrupted; nothing was compared")
        return INTERRUPTED
    _show_comparison(comparison.compare(list(results.values()), list(results)), output)
    return DONE


def report(run: Run, timeline: Timeline = False) -> int:
    """Draw the figures and the page of a run folder again."""
    from dcsim.results import store

    with keeping(_results_in(run)):
        _draw(store.load(run), run, RunOutput(timeline=timeline))
    say(f"report   {run / 'report.html'}")
    return DONE


def trace(
    file: Annotated[Path | None, Argument(metavar="FILE", help="A scenario file.")] = None,
    settings: Settings = [],  # noqa: B006
    hlo: Hlo = None,
    json: Json = None,
    allow_code: AllowCode = False,
) -> int:
    """Print the operations of a scenario's steps, or of a compiled HLO module."""
    if hlo is not None and file is None:
        return _trace_module(hlo, json)
    if file is None or hlo is not None:
        raise InputError(f"trace: found {'no file' if file is None else 'two files'}, expected FILE or --hlo FILE")
    return _trace_scenario(file, settings, json, allow_code)


def _trace_scenario(file: Path, settings: list[str], json: Path | None, allow_code: bool) -> int:
    from dcsim.report import traced
    from dcsim.scenario.load import load

    steps = traced.steps(load(str(file), settings), allow_code)
    if json is not None:
        _write_text(traced.to_json(steps), json)
    if json != Path("-"):
        say("\n\n".join(map(traced.text, steps)))
    return DONE


def _trace_module(file: Path, json: Path | None) -> int:
    from dcsim.report import compiled
    from dcsim.workload.hlo import program

    found = program.load(file)
    if json is not None:
        _write_text(compiled.to_json(found), json)
    if json != Path("-"):
        say(compiled.text(found))
    return DONE


def catalogue(
    kind: Annotated[str | None, Argument(metavar="KIND", help="Such as accelerators.")] = None,
    name: Annotated[str | None, Argument(metavar="NAME", help="Such as h100-sxm.")] = None,
) -> int:
    """List the known parts, or one with its sources."""
    from dcsim.report import parts

    say(parts.text(kind, name))
    return DONE


def schema() -> int:
    """Print the JSON schema of scenario files, with which an editor completes."""
    import json

    from dcsim.scenario.schema import json_schema

    say(json.dumps(json_schema(), indent=2))
    return DONE


def explain(metric: Annotated[str, Argument(metavar="METRIC", help="Such as jobs.pretrain.mfu.")]) -> int:
    """Say what a metric means, its unit and its equation."""
    from dcsim.report import explained

    say(explained.text(metric))
    return DONE


def calibrate(out: Annotated[Path, Option(metavar="FILE")] = Path("this-cpu.yaml"), quiet: Quiet = False) -> int:
    """Measure one thread of this machine's CPU into a catalogue entry, this-cpu.yaml unless --out names another."""
    from dcsim.accuracy import entry, machine
    from dcsim.report.progress import teller

    name = entry.name_of(out)
    measured = machine.calibrate_machine(name, teller(None if quiet else sys.stderr))
    _write_text(measured.text.rstrip(), out)
    if not quiet and out != Path("-"):
        say(f"fitted on {measured.fit}\nentry    {out}")
    return DONE


def accuracy(
    domain: Annotated[str, Argument(metavar="DOMAIN", help="What is predicted: compute.")],
    calibration: Annotated[Path | None, Option(metavar="FILE", help="Of dcsim calibrate; anew if not given.")] = None,
    json: Json = None,
    quiet: Quiet = False,
) -> int:
    """Hold predictions against measurements: the steps of models on this machine's CPU."""
    from dcsim.accuracy import compute, score
    from dcsim.report.progress import teller

    if domain != "compute":
        raise InputError(f'accuracy: found "{domain}", expected compute')
    rows, facts = compute.score_machine(calibration, teller(None if quiet else sys.stderr))
    if json is not None:
        _write_text(score.to_json(rows, facts), json)
    if not quiet and json != Path("-"):
        say(score.table(rows))
    return DONE


def application() -> typer.Typer:
    """Return the command line with its verbs."""
    app = typer.Typer(name="dcsim", rich_markup_mode=None, pretty_exceptions_enable=False)
    app.callback(invoke_without_command=True)(_bare)
    for verb in (run, check, show, compare, sweep, report, trace, catalogue, schema, explain, calibrate, accuracy):
        app.command(verb.__name__, help=verb.__doc__)(command(verb))
    return app


def main() -> None:
    """Run the command line and end the process with its exit status."""
    try:
        application()(prog_name="dcsim")
    except KeyboardInterrupt as interrupt:
        complain_of_interrupt(interrupt)
        sys.exit(INTERRUPTED)
    finally:
        flush()


def _bare(
    context: typer.Context, version: Annotated[bool, Option("--version", help="Print the version.")] = False
) -> None:
    """Simulate AI data centers: time, energy, carbon, water and cost from one file."""
    if version:
        import dcsim

        say(f"dcsim {dcsim.__version__}")
        raise typer.Exit(DONE)
    if context.invoked_subcommand is None:
        say(context.get_help())


def _results_in(folder: Path) -> str:
    return f"the results are in {folder}, draw them by: dcsim report {folder}"


def _check_files(*paths: Path | None) -> None:
    """Refuse before simulating what could not be written after it."""
    from dcsim.results import store

    for path in paths:
        if path is not None and path != Path("-"):
            store.prepare_file(path)


def _save(result: Result, folder: Path, output: RunOutput) -> tuple[Path, bool]:
    """Save the results and what is drawn from them, or these alone if that fails; return where, and whether drawn."""
    from dcsim.results import store

    try:
        return store.save(result, folder, lambda place: _draw(result, place, output)), True
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_results_in(store.save(result, folder))) from None
    except _DRAWING_ERRORS as error:
        kept = store.save(result, folder)
        complain(f"the report could not be drawn ({error}); {_results_in(kept)}")
        return kept, False


def _simulate(prepared: Prepared, name: str, quiet: bool) -> Result:
    from dcsim import simulate
    from dcsim.report.progress import Meter, describe

    if quiet:
        return simulate.run(prepared, None)
    with Meter(name, sys.stderr, describe) as meter:
        return simulate.run(prepared, meter)


def _work(inputs: list[Path], vary: list[str], reading: Reading) -> dict[str, Path | Prepared]:
    """Return what to compare by label, with every scenario found to be right before any is simulated."""
    from dcsim import simulate

    work: dict[str, Path | Prepared] = {}
    for path in inputs:
        if path.is_dir():
            work[_fresh(path.name, work)] = path
            continue
        for label, loaded in _variants(path, vary, reading):
            several = len(inputs) > 1 and bool(vary)
            label = _fresh(f"{path.stem}: {label}" if several else label, work)
            work[label] = simulate.prepare(loaded, reading.allow_code)
    if len(work) < 2:
        raise InputError("compare: found one scenario, expected several scenarios or runs, or --vary PATH=a,b")
    return work


def _variants(path: Path, axes: list[str], reading: Reading) -> list[tuple[str, Loaded]]:
    from dcsim.scenario.load import load
    from dcsim.studies.variants import vary

    return vary(load(str(path), reading.settings, reading.seed), axes)


def _results(work: dict[str, Path | Prepared], quiet: bool) -> dict[str, Result] | None:
    """Load the run folders and simulate the scenarios; None if interrupted."""
    from dcsim.results import store

    results: dict[str, Result] = {}
    for label, item in work.items():
        results[label] = store.load(item) if isinstance(item, Path) else _simulate(item, label, quiet)
        if results[label].partial and not isinstance(item, Path):
            if results[label].manifest.get("stopped"):
                raise RunError(f"{label}: {results[label].manifest['stopped']}; nothing was compared")
            return None
    return results


def _fresh(label: str, taken: Container[str]) -> str:
    """Return ``label``, numbered if it is taken."""
    names = (label, *(f"{label} ({number})" for number in range(2, 10_000)))
    return next(name for name in names if name not in taken)


def _draw(result: Result, folder: Path, output: RunOutput) -> None:
    """Write to ``folder`` what is drawn from its results."""
    if output.timeline:
        from dcsim.results import timeline

        timeline.write(result, folder / "timeline.json.gz")
    if not output.no_report:
        from dcsim.report import html

        html.write(result, folder / "report.html")


def _write_json(result: Result, path: Path | None) -> None:
    if path is not None:
        from dcsim.results import store

        _write_text(store.metrics_json(result.metrics).rstrip(), path)


def _write_text(text: str, path: Path) -> None:
    if path == Path("-"):
        say(text)
    else:
        path.write_text(text + "\n", encoding="utf-8")


def _show(result: Result, folder: Path, verbose: bool) -> None:
    from dcsim.report import terminal

    terminal.write(terminal.summary(result))
    if verbose:
        terminal.write(terminal.details(result))
    page = folder / "report.html"
    say(f"report   {page}" if page.exists() else f"results  {folder}")


def _show_comparison(compared: Comparison, output: CompareOutput) -> None:
    if output.html is not None:
        from dcsim.report import html

        html.write(compared, output.html)
    if output.json is not None:
        import json

        _write_text(json.dumps(compared.as_dict(), indent=1), output.json)
    if not output.quiet and output.json != Path("-"):
        from dcsim.report import terminal

        terminal.write(terminal.comparison(compared))
