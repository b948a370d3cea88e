"""The command ``dcsim``: its verbs, which compose the packages below.

Exit status: 0 done; 1 the run failed; 2 the input is wrong; 130 interrupted. Heavy modules are imported inside the
verbs, so that help and completion answer at once.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Container
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from functools import partial
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from dcsim.errors import CodeRefusedError, InputError, RunError, ScenarioError

if TYPE_CHECKING:
    from dcsim.results.comparison import Comparison
    from dcsim.results.result import Result
    from dcsim.scenario.load import Loaded
    from dcsim.simulate import Prepared

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130

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

    prepared = simulate.prepare(load(str(file), reading.settings, reading.seed), reading.allow_code)
    folder = store.prepare(out or Path("runs") / prepared.folder_name)
    result = _simulate(prepared, prepared.loaded.scenario.name, output.quiet)
    folder = store.save(result, folder)
    _draw(result, folder, output)
    _write_json(result, output.json)
    if not output.quiet and output.json != Path("-"):
        _show(result, folder, output.verbose)
    if result.partial:
        _complain(f"interrupted; what was simulated is kept in {folder}")
    return INTERRUPTED if result.partial else DONE


def check(
    files: Annotated[list[Path], Argument(metavar="FILE...", help="Scenario files.")], allow_code: AllowCode = False
) -> int:
    """Validate scenario files without running them."""
    from dcsim import simulate
    from dcsim.scenario.load import load

    status = DONE
    for file in files:
        try:
            simulate.prepare(load(str(file)), allow_code)
        except InputError as error:
            _complain_of(error)
            status = WRONG_INPUT
        else:
            _say(f"{file}: ok")
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

    work = _work(inputs, vary, reading)
    results = _results(work, output.quiet)
    if results is None:
        _complain("interrupted; nothing was compared")
        return INTERRUPTED
    _show_comparison(comparison.compare(list(results.values()), list(results)), output)
    return DONE


def report(run: Run, timeline: Timeline = False) -> int:
    """Draw the figures and the page of a run folder again."""
    from dcsim.results import store

    _draw(store.load(run), run, RunOutput(timeline=timeline))
    _say(f"report   {run / 'report.html'}")
    return DONE


def trace(file: File, settings: Settings = [], json: Json = None, allow_code: AllowCode = False) -> int:  # noqa: B006
    """Print the operations of a scenario's training steps."""
    from dcsim.report import traced
    from dcsim.scenario.load import load

    steps = traced.steps(load(str(file), settings), allow_code)
    if json is not None:
        _write_text(traced.to_json(steps), json)
    if json != Path("-"):
        _say("\n\n".join(map(traced.text, steps)))
    return DONE


def catalogue(
    kind: Annotated[str | None, Argument(metavar="KIND", help="Such as accelerators.")] = None,
    name: Annotated[str | None, Argument(metavar="NAME", help="Such as h100-sxm.")] = None,
) -> int:
    """List the known parts, or one with its sources."""
    from dcsim.report import parts

    _say(parts.text(kind, name))
    return DONE


def schema() -> int:
    """Print the JSON schema of scenario files, with which an editor completes."""
    import json

    from dcsim.scenario.schema import json_schema

    _say(json.dumps(json_schema(), indent=2))
    return DONE


def explain(metric: Annotated[str, Argument(metavar="METRIC", help="Such as jobs.pretrain.mfu.")]) -> int:
    """Say what a metric means, its unit and its equation."""
    from dcsim.report import explained

    _say(explained.text(metric))
    return DONE


def calibrate(out: Annotated[Path, Option(metavar="FILE")] = Path("this-cpu.yaml"), quiet: Quiet = False) -> int:
    """Measure one thread of this machine's CPU into a catalogue entry, this-cpu.yaml unless --out names another."""
    from dcsim.accuracy import entry, machine
    from dcsim.report.progress import teller

    name = entry.name_of(out)
    measured = machine.calibrate_machine(name, teller(None if quiet else sys.stderr))
    _write_text(measured.text.rstrip(), out)
    if not quiet and out != Path("-"):
        _say(f"fitted on {measured.fit}\nentry    {out}")
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
        _say(score.table(rows))
    return DONE


def application() -> typer.Typer:
    """Return the command line with its verbs."""
    app = typer.Typer(name="dcsim", rich_markup_mode=None, pretty_exceptions_enable=False)
    app.callback(invoke_without_command=True)(_bare)
    for verb in (run, check, show, compare, report, trace, catalogue, schema, explain, calibrate, accuracy):
        app.command(verb.__name__, help=verb.__doc__)(_command(verb))
    return app


def main() -> None:
    """Run the command line and end the process with its exit status."""
    try:
        application()(prog_name="dcsim")
    finally:
        _flush()


def _bare(
    context: typer.Context, version: Annotated[bool, Option("--version", help="Print the version.")] = False
) -> None:
    """Simulate AI data centers: time, energy, carbon, water and cost from one file."""
    if version:
        import dcsim

        _say(f"dcsim {dcsim.__version__}")
        raise typer.Exit(DONE)
    if context.invoked_subcommand is None:
        _say(context.get_help())


def _command(verb: Callable[..., int]) -> Callable[..., None]:
    """Return ``verb`` as Typer calls it: a parameter that is a dataclass becomes one parameter a field."""
    hints = get_type_hints(verb, include_extras=True)
    groups = {name: kind for name, kind in hints.items() if isinstance(kind, type) and is_dataclass(kind)}

    def command(**given: Any) -> None:
        values = {name: kind(**{f.name: given.pop(f.name) for f in fields(kind)}) for name, kind in groups.items()}
        raise typer.Exit(_guarded(partial(verb, **given, **values)))

    plain = [p.replace(annotation=hints[p.name]) for p in signature(verb).parameters.values() if p.name not in groups]
    grouped = [_parameter(field, kind) for kind in groups.values() for field in fields(kind)]
    parameters = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in (*plain, *grouped)]
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def _parameter(field: Field[Any], owner: Any) -> Parameter:
    default = field.default if field.default_factory is MISSING else field.default_factory()
    default = Parameter.empty if default is MISSING else default
    annotation = get_type_hints(owner, include_extras=True)[field.name]
    return Parameter(field.name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _guarded(verb: Callable[[], int]) -> int:
    """Run a verb; what is wrong becomes lines on standard error and an exit status."""
    try:
        status = verb()
        sys.stdout.flush()
    except InputError as error:
        _complain_of(error)
        return WRONG_INPUT
    except RunError as error:
        _complain(f"the run failed: {error}")
        return FAILED
    except BrokenPipeError:
        # Whoever read our output has seen enough; that is no failure.
        _flush()
        return DONE
    except OSError as error:
        _complain(str(error))
        return FAILED
    return status


def _flush() -> None:
    """Flush standard output; without a reader drop what is left, or the interpreter complains at exit."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(text: str) -> None:
    typer.echo(text)


def _complain(text: str) -> None:
    typer.echo(f"dcsim: {text}", err=True)


def _complain_of(error: InputError) -> None:
    if isinstance(error, ScenarioError):
        typer.echo(str(error), err=True)
        if isinstance(error, CodeRefusedError):
            _complain(f"to execute it, write: {shlex.join(['dcsim', *sys.argv[1:], '--allow-code'])}")
    else:
        _complain(str(error))


def _simulate(prepared: Prepared, name: str, quiet: bool) -> Result:
    from dcsim import simulate
    from dcsim.report.progress import Meter

    if quiet:
        return simulate.run(prepared, None)
    with Meter(name, sys.stderr) as meter:
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
            return None
    return results


def _fresh(label: str, taken: Container[str]) -> str:
    """Return ``label``, numbered if it is taken."""
    names = (label, *(f"{label} ({number})" for number in range(2, 10_000)))
    return next(name for name in names if name not in taken)


def _draw(result: Result, folder: Path, output: RunOutput) -> None:
    """Write what is drawn from the results, which are safe in the folder by now."""
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
        _say(text)
    else:
        path.write_text(text + "\n", encoding="utf-8")


def _show(result: Result, folder: Path, verbose: bool) -> None:
    from dcsim.report import terminal

    _render(terminal.summary(result))
    if verbose:
        _render(terminal.details(result))
    page = folder / "report.html"
    _say(f"report   {page}" if page.exists() else f"results  {folder}")


def _show_comparison(compared: Comparison, output: CompareOutput) -> None:
    if output.html is not None:
        from dcsim.report import html

        html.write(compared, output.html)
    if output.json is not None:
        import json

        _write_text(json.dumps(compared.as_dict(), indent=1), output.json)
    if not output.quiet and output.json != Path("-"):
        from dcsim.report import terminal

        _render(terminal.comparison(compared))


def _render(renderable: Any) -> None:
    from rich.console import Console

    Console(highlight=False, markup=False, soft_wrap=True).print(renderable)
