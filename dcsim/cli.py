"""The command ``dcsim``: its verbs, which compose the packages below.

Exit status: 0 done; 1 the run failed; 2 the input is wrong; 130 interrupted. Heavy modules are imported inside the
verbs, so that help and completion answer at once.
"""

from __future__ import annotations

import gc
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

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
from dcsim.compare_verb import compare
from dcsim.errors import InputError, RunError
from dcsim.init_verb import init
from dcsim.options import (
    AllowCode,
    Argument,
    Json,
    Option,
    Quiet,
    Reading,
    Settings,
    check_files,
    refuse_unwritable,
    simulate_shown,
    write_result,
    write_text,
)
from dcsim.report_verb import report
from dcsim.study_verbs import optimize, sensitivity, sweep

if TYPE_CHECKING:
    from dcsim.estimate.chosen import Chosen
    from dcsim.results.result import Result

# Objects between collections of garbage: what is imported and loaded lives to the end, and is seldom worth looking at.
_YOUNG = 50_000
# What a figure may raise; results outlive it.
_DRAWING_ERRORS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError, RunError)


File = Annotated[Path, Argument(metavar="FILE", help="A scenario file.")]
Run = Annotated[Path, Argument(metavar="RUN", help="A run folder.")]
Hlo = Annotated[Path | None, Option("--hlo", metavar="FILE", help="The text of a compiled HLO module instead.")]
Shell = Literal["bash", "zsh", "fish", "powershell"]
Timeline = Annotated[bool, Option("--timeline", help="Also write timeline.json.gz, which Perfetto opens.")]
Verbose = Annotated[bool, Option("--verbose", "-v", help="Print every metric and check.")]


@dataclass(frozen=True)
class RunOutput:
    """What ``dcsim run`` writes and prints."""

    timeline: Timeline = False
    no_report: Annotated[bool, Option("--no-report", help="Write no figures and no report.html.")] = False
    json: Json = None
    quiet: Quiet = False
    verbose: Verbose = False


def run(
    output: RunOutput,
    reading: Reading,
    file: File,
    out: Annotated[
        Path | None, Option(metavar="DIR", help="The run folder itself; runs/<name>-<digest> unless given.")
    ] = None,
) -> int:
    """Simulate a scenario into a run folder with a report.

    Example: dcsim run scenarios/quickstart.yaml --set jobs.pretrain.steps=200
    """
    from dcsim import simulate
    from dcsim.results import store
    from dcsim.scenario.load import load

    check_files(output.json)
    prepared = simulate.prepare(load(str(file), reading.settings, reading.seed), reading.allow_code)
    folder = store.prepare(out or Path("runs") / prepared.folder_name)
    result = simulate_shown(prepared, prepared.loaded.scenario.name, output.quiet)
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
    files: Annotated[list[Path], Argument(metavar="FILE...", help="Scenario, study and comparison files.")],
    allow_code: AllowCode = False,
) -> int:
    """Validate scenarios, studies and comparisons without running.

    Example: dcsim check scenarios/quickstart.yaml
    """
    from dcsim import simulate
    from dcsim.scenario.document import says
    from dcsim.scenario.load import load

    status = DONE
    for file in files:
        choices: tuple[Chosen, ...] = ()
        try:
            if says(file, "comparison"):
                from dcsim.scenario.comparison import load_comparison

                for _, loaded in load_comparison(file)[1]:
                    simulate.prepare(loaded, allow_code)
            elif says(file, "study"):
                from dcsim.scenario.study import load_study
                from dcsim.studies.sweep import check_study

                check_study(load_study(file))
            else:
                choices = simulate.prepare(load(str(file)), allow_code).choices
        except InputError as error:
            complain_of(error)
            status = WRONG_INPUT
        else:
            say(f"{file}: ok")
            for told in (choice.told() for choice in choices):
                say(f"  {told['job']}, its plan: {told['plan']}\n  {told['why']}")
    return status


def show(run: Run, json: Json = None, verbose: Verbose = False) -> int:
    """Print the summary of a run folder.

    With its network, the loads of its links, and what sharing them cost.

    Example: dcsim show runs/first -v
    """
    from dcsim.results import store

    result = store.load(run)
    _write_json(result, json)
    if json != Path("-"):
        from dcsim.report import beside, terminal

        _show(result, run, verbose)
        terminal.write(terminal.network(result))
        terminal.write(beside.sharing(result))
    return DONE


def trace(
    file: Annotated[Path | None, Argument(metavar="FILE", help="A scenario file.")] = None,
    settings: Settings = [],  # noqa: B006
    hlo: Hlo = None,
    json: Json = None,
    allow_code: AllowCode = False,
) -> int:
    """Print the operations of a step, or of an HLO module.

    Example: dcsim trace scenarios/small-cluster.yaml
    """
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
        write_text(traced.to_json(steps), json)
    if json != Path("-"):
        say("\n\n".join(map(traced.text, steps)))
    return DONE


def _trace_module(file: Path, json: Path | None) -> int:
    from dcsim.report import compiled
    from dcsim.workload.hlo import program

    found = program.load(file)
    if json is not None:
        write_text(compiled.to_json(found), json)
    if json != Path("-"):
        say(compiled.text(found))
    return DONE


def catalogue(
    kind: Annotated[str | None, Argument(metavar="KIND", help="Such as accelerators.")] = None,
    name: Annotated[str | None, Argument(metavar="NAME", help="Such as h100-sxm.")] = None,
) -> int:
    """List the known parts, or one with its sources.

    Example: dcsim catalogue accelerators h100-sxm
    """
    from dcsim.report import parts

    say(parts.text(kind, name))
    return DONE


def schema() -> int:
    """Print the JSON schema of scenarios, for editors.

    An editor completes keys and shows their help with it.

    Example: dcsim schema
    """
    import json

    from dcsim.scenario.schema import json_schema

    say(json.dumps(json_schema(), indent=2))
    return DONE


def explain(metric: Annotated[str, Argument(metavar="METRIC", help="Such as jobs.pretrain.mfu.")]) -> int:
    """Say what a metric means, its unit and its equation.

    Example: dcsim explain jobs.pretrain.mfu
    """
    from dcsim.report import explained

    say(explained.text(metric))
    return DONE


def completion(shell: Annotated[Shell, Argument(metavar="SHELL", help="bash, zsh, fish or powershell.")]) -> int:
    """Print the script with which a shell completes dcsim.

    Write it to a file that the shell reads at its start.

    Example: dcsim completion bash
    """
    from typer.completion import shell_complete
    from typer.main import get_command

    return shell_complete(get_command(application()), {}, "dcsim", "_DCSIM_COMPLETE", f"source_{shell}")


def calibrate(out: Annotated[Path, Option(metavar="FILE")] = Path("this-cpu.yaml"), quiet: Quiet = False) -> int:
    """Measure this machine's CPU into a part of the catalogue.

    One thread is measured, and written to this-cpu.yaml unless --out names another file.

    Example: dcsim calibrate --out this-cpu.yaml
    """
    from dcsim.accuracy import entry, machine
    from dcsim.report.progress import teller

    name = entry.name_of(out)
    refuse_unwritable(out)
    measured = machine.calibrate_machine(name, teller(None if quiet else sys.stderr))
    write_result(measured.text.rstrip(), out)
    if not quiet and out != Path("-"):
        say(f"fitted on {measured.fit}\nentry    {out}")
    return INTERRUPTED if measured.partial else DONE


def accuracy(
    domain: Annotated[str, Argument(metavar="DOMAIN", help="What is predicted: compute, training or collectives.")],
    cases: Annotated[
        Path | None, Option(metavar="FILE", help="Measurements as CSV; the shipped ones if not given.")
    ] = None,
    calibration: Annotated[Path | None, Option(metavar="FILE", help="Of dcsim calibrate; anew if not given.")] = None,
    json: Json = None,
    quiet: Quiet = False,
) -> int:
    """Hold predictions against measurements.

    Of steps on this machine's CPU (compute), of published training runs, or of collectives.

    Example: dcsim accuracy collectives --cases mine.csv
    """
    from dcsim.accuracy import domains, score
    from dcsim.report.progress import teller

    refuse_unwritable(json)
    given = domains.Given(cases, calibration, teller(None if quiet else sys.stderr))
    rows, facts = domains.score_domain(domain, given)
    if not quiet and json != Path("-"):
        say(domains.shown(domain, rows, facts))
    if json is not None:
        write_result(score.to_json(rows, facts), json)
    return INTERRUPTED if "partial" in facts else DONE


def application() -> typer.Typer:
    """Return the command line with its verbs."""
    app = typer.Typer(name="dcsim", rich_markup_mode=None, pretty_exceptions_enable=False)
    app.callback(invoke_without_command=True)(_bare)
    several = (compare, sweep, optimize, sensitivity)
    known = (catalogue, schema, explain, completion)
    for verb in (init, run, check, show, *several, report, trace, *known, calibrate, accuracy):
        app.command(verb.__name__, help=verb.__doc__)(command(verb))
    return app


def main() -> None:
    """Run the command line and end the process with its exit status."""
    _start_fast()
    try:
        application()(prog_name="dcsim")
    except KeyboardInterrupt as interrupt:
        complain_of_interrupt(interrupt)
        sys.exit(INTERRUPTED)
    finally:
        flush()


def _start_fast() -> None:
    """Leave out what a short command waits for and never needs: a fifth of the time of a check."""
    gc.set_threshold(_YOUNG)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looks into every installed package for plugins


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

        write_text(store.metrics_json(result).rstrip(), path)


def _show(result: Result, folder: Path, verbose: bool) -> None:
    from dcsim.report import terminal

    terminal.write(terminal.summary(result))
    if verbose:
        terminal.write(terminal.details(result))
    page = folder / "report.html"
    say(f"report   {page}" if page.exists() else f"results  {folder}")
