"""The verb ``dcsim compare``: scenarios and runs beside each other."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from dcsim.command import DONE, INTERRUPTED, complain
from dcsim.errors import InputError, RunError
from dcsim.options import (
    Argument,
    Growths,
    Html,
    Json,
    Option,
    Quiet,
    Reading,
    check_files,
    outlook_of,
    simulate_shown,
    write_text,
)

if TYPE_CHECKING:
    from dcsim.results.comparison import Comparison
    from dcsim.results.result import Result
    from dcsim.scenario.load import Loaded
    from dcsim.simulate import Prepared


@dataclass(frozen=True)
class CompareOutput:
    """What ``dcsim compare`` writes and prints."""

    html: Html = None
    json: Json = None
    markdown: Annotated[Path | None, Option(metavar="FILE", help='Write it as Markdown; "-" is standard output.')] = (
        None
    )
    csv: Annotated[Path | None, Option(metavar="FILE", help='Write it as CSV; "-" is standard output.')] = None
    objective: Annotated[
        list[str], Option(metavar="METRIC", help="What to choose by, such as site.cost; may be repeated.")
    ] = field(default_factory=list)
    growth: Growths = field(default_factory=list)
    quiet: Quiet = False

    @property
    def files(self) -> tuple[Path | None, ...]:
        """Where it writes."""
        return self.html, self.json, self.markdown, self.csv

    @property
    def silent(self) -> bool:
        """Whether nothing else may be printed."""
        return self.quiet or Path("-") in self.files


@dataclass(frozen=True)
class Varied:
    """How a scenario is varied and repeated."""

    vary: Annotated[
        list[str], Option(metavar="PATH=a,b,c", help="Simulate with each of these values; may be repeated.")
    ] = field(default_factory=list)
    replications: Annotated[
        int | None, Option(metavar="N", min=1, help="Simulate each N times with common random numbers.")
    ] = None


def compare(
    output: CompareOutput,
    reading: Reading,
    varied: Varied,
    inputs: Annotated[
        list[Path], Argument(metavar="FILE_OR_RUN...", help="Scenario files, run folders, or a comparison file.")
    ],
) -> int:
    """Compare scenarios or runs, and say which is best.

    Example: dcsim compare small.yaml --vary site.climate=stockholm,singapore
    """
    from dcsim.results import comparison

    check_files(*output.files)
    outlook_of(output.growth)
    named, by = _named(inputs, reading, varied)
    work = named or _work(inputs, varied, reading)
    results = _results(work, output.quiet)
    if results is None:
        complain("interrupted; nothing was compared")
        return INTERRUPTED
    _show(comparison.compare(list(results.values()), list(results)), by, output)
    return DONE


def _named(inputs: list[Path], reading: Reading, varied: Varied) -> tuple[dict[str, Path | Prepared], tuple[str, ...]]:
    """Return the variants of a comparison file and what it chooses by; nothing where the inputs are no such file."""
    from dcsim import simulate
    from dcsim.scenario.comparison import is_comparison, load_comparison

    files = [path for path in inputs if path.is_file() and is_comparison(path)]
    if not files:
        return {}, ()
    if len(inputs) > 1 or varied.vary or reading.settings:
        raise InputError(f"{files[0]}: found a comparison file and more, expected it alone, without --vary and --set")
    found, scenarios = load_comparison(files[0])
    count = varied.replications or found.replications
    prepared = {name: simulate.prepare(_repeated(one, count), reading.allow_code) for name, one in scenarios}
    return dict(prepared), tuple(f"{metric}:{direction}" for metric, direction in found.objectives.items())


def _repeated(loaded: Loaded, replications: int | None) -> Loaded:
    return loaded if replications is None else loaded.replace({"replications": replications}, "--replications")


def _work(inputs: list[Path], varied: Varied, reading: Reading) -> dict[str, Path | Prepared]:
    """Return what to compare by label, with every scenario found to be right before any is simulated."""
    from dcsim import simulate

    work: dict[str, Path | Prepared] = {}
    for path in inputs:
        if path.is_dir():
            work[_fresh(path.name, work)] = path
            continue
        for label, loaded in _variants(path, varied, reading):
            several = len(inputs) > 1 and bool(varied.vary)
            label = _fresh(f"{path.stem}: {label}" if several else label, work)
            work[label] = simulate.prepare(loaded, reading.allow_code)
    if len(work) < 2:
        raise InputError("compare: found one scenario, expected several scenarios or runs, or --vary PATH=a,b")
    return work


def _variants(path: Path, varied: Varied, reading: Reading) -> list[tuple[str, Loaded]]:
    from dcsim.scenario.load import load
    from dcsim.studies.variants import vary

    loaded = load(str(path), reading.settings, reading.seed)
    return vary(_repeated(loaded, varied.replications), varied.vary)


def _results(work: dict[str, Path | Prepared], quiet: bool) -> dict[str, Result] | None:
    """Load the run folders and simulate the scenarios; None if interrupted."""
    from dcsim.results import store

    results: dict[str, Result] = {}
    for label, item in work.items():
        results[label] = store.load(item) if isinstance(item, Path) else simulate_shown(item, label, quiet)
        if results[label].partial and not isinstance(item, Path):
            if results[label].manifest.get("stopped"):
                raise RunError(f"{label}: {results[label].manifest['stopped']}; nothing was compared")
            return None
    return results


def _fresh(label: str, taken: Container[str]) -> str:
    """Return ``label``, numbered if it is taken."""
    names = (label, *(f"{label} ({number})" for number in range(2, 10_000)))
    return next(name for name in names if name not in taken)


def _show(compared: Comparison, by: Sequence[str], output: CompareOutput) -> None:
    """Write the comparison wherever it was asked for; objectives on the command line come before those of a file."""
    from dcsim.report import plain
    from dcsim.results.standing import objectives

    chosen = objectives(compared, output.objective or by)
    if output.html is not None:
        from dcsim.report import html

        html.write(compared, output.html, chosen, outlook_of(output.growth))
    if output.json is not None:
        import json

        write_text(json.dumps(compared.as_dict(), indent=1), output.json)
    if output.markdown is not None:
        write_text(plain.markdown(compared, chosen).rstrip(), output.markdown)
    if output.csv is not None:
        write_text(plain.comma_separated(compared).rstrip(), output.csv)
    if not output.silent:
        from dcsim.report import terminal

        terminal.write(terminal.comparison(compared, chosen))
