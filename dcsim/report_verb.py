"""The verb ``dcsim report``: the page of a run, of a study or of a comparison."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from dcsim.command import DONE, keeping, say
from dcsim.compare_verb import CompareOutput, Varied, compare
from dcsim.errors import InputError
from dcsim.options import AllowCode, Argument, Growths, Option, Reading, check_files, outlook_of

if TYPE_CHECKING:
    from dcsim.report.capacity import Outlook


@dataclass(frozen=True)
class ReportOutput:
    """What ``dcsim report`` writes, and what it takes for granted."""

    growth: Growths = field(default_factory=list)
    percentile: Annotated[float, Option(metavar="PERCENT", help="Of demand over time, beside its peak; 95.")] = 95.0
    out: Annotated[Path | None, Option(metavar="FILE", help="The page; report.html of the folder unless given.")] = None
    interactive: Annotated[
        bool, Option("--interactive", help="Write interactive.html by Plotly (extra web, 5 MB) instead.")
    ] = False
    timeline: Annotated[bool, Option("--timeline", help="Also write timeline.json.gz, which Perfetto opens.")] = False

    def outlook(self) -> Outlook:
        """Return how demand grows."""
        return outlook_of(self.growth, self.percentile)


def report(
    output: ReportOutput,
    what: Annotated[
        list[Path],
        Argument(metavar="WHAT...", help="A run folder, a study folder, a comparison file, or several run folders."),
    ],
    allow_code: AllowCode = False,
) -> int:
    """Draw the page of a run, a study or a comparison.

    With capacities and their outlook; a study may be under way still.

    Example: dcsim report runs/first --timeline
    """
    from dcsim.results import study
    from dcsim.scenario.document import says

    output.outlook()
    check_files(output.out)
    if len(what) > 1 or (what[0].is_file() and says(what[0], "comparison")):
        return _comparison(output, what, allow_code)
    if what[0].is_file():
        expected = "expected a folder of a run or a study, or a comparison file"
        raise InputError(f"{what[0]}: found a file, {expected}; simulate it first: dcsim run {what[0]}")
    if output.interactive:
        return _interactive(output, what[0])
    page = _study(output, what[0]) if study.is_study_folder(what[0]) else _run(output, what[0])
    say(f"report   {page}")
    return DONE


def _interactive(output: ReportOutput, folder: Path) -> int:
    from dcsim.report import interactive
    from dcsim.results import store, study

    interactive.plotly()
    of_study = study.is_study_folder(folder)
    if of_study and output.growth:
        raise InputError(
            "--growth: found it with --interactive on a study, whose points are not drawn over time; "
            f"expected one of the two, such as: dcsim report {folder} --growth '{output.growth[0]}'"
        )
    found = study.load(folder) if of_study else store.load(folder)
    say(f"report   {interactive.write(found, output.out or folder / 'interactive.html', output.outlook())}")
    return DONE


def _comparison(output: ReportOutput, what: list[Path], allow_code: bool) -> int:
    """Compare runs, or simulate the variants of a comparison file, onto a page."""
    if output.interactive:
        return _interactive_comparison(output, what)
    page = output.out or Path("comparison.html")
    status = compare(CompareOutput(html=page, growth=output.growth), Reading(allow_code=allow_code), Varied(), what)
    if status == DONE:
        say(f"report   {page}")
    return status


def _interactive_comparison(output: ReportOutput, what: list[Path]) -> int:
    from dcsim.report import interactive
    from dcsim.results import comparison, store

    interactive.plotly()
    files = [path for path in what if not path.is_dir()]
    if files:
        raise InputError(
            f"{files[0]}: found a file with --interactive, expected folders of runs; run its variants first"
        )
    compared = comparison.compare([store.load(folder) for folder in what])
    page = output.out or Path("interactive.html")
    say(f"report   {interactive.write(compared, page, output.outlook())}")
    return DONE


def _study(output: ReportOutput, folder: Path) -> Path:
    from dcsim.report import html
    from dcsim.results import study

    return html.write_study(study.load(folder), folder, output.outlook(), output.out)


def _run(output: ReportOutput, folder: Path) -> Path:
    from dcsim.report import html
    from dcsim.results import store, timeline

    page = output.out or folder / "report.html"
    with keeping(f"the results are in {folder}, draw them by: dcsim report {folder}"):
        result = store.load(folder)
        if output.timeline:
            timeline.write(result, folder / "timeline.json.gz")
        html.write(result, page, outlook=output.outlook())
    return page
