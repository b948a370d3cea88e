"""The report as one self-contained page: inline figures, style and script, no network request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dcsim import __version__
from dcsim.report import capacity, figures, page, style, svg
from dcsim.report.capacity import Outlook
from dcsim.report.figures import Drawing
from dcsim.results import whole
from dcsim.results.comparison import Comparison
from dcsim.results.result import Result
from dcsim.results.standing import Objective
from dcsim.results.study import StudyResult

_TEMPLATES = Path(__file__).parent / "templates"


def write(
    what: Result | Comparison, path: Path | str, by: Sequence[Objective] = (), outlook: Outlook | None = None
) -> None:
    """Write the page of a result or of a comparison to ``path``; demand grows as ``outlook`` says.

    If the page of a result lies in its run folder, its figures are also written to ``figures`` beside it as SVG files.
    """
    path, outlook = Path(path), outlook or Outlook()
    if isinstance(what, Comparison):
        whole.write(path, render("comparison.html.j2", page.of_comparison(what, by, outlook)))
        return
    drawings = draw(what, outlook)
    whole.write(path, render("result.html.j2", page.of_result(what, drawings, outlook)))
    if (path.parent / "manifest.json").is_file():
        write_figures(drawings, path.parent / "figures")


def write_study(
    found: StudyResult, folder: Path, outlook: Outlook | None = None, page_path: Path | None = None
) -> Path:
    """Write the page of a study, into its folder unless another place is named, and its figure; return the page."""
    from dcsim.report import study_page

    page_path = page_path or folder / "report.html"
    whole.write(page_path, render("study.html.j2", study_page.of_study(found, outlook or Outlook())))
    drawing = figures.points(found)
    write_figures({drawing.name: drawing}, folder / "figures")
    return page_path


def draw(result: Result, outlook: Outlook | None = None) -> dict[str, Drawing]:
    """Return every figure of a result by its name."""
    made = [
        *capacity.drawings(result, outlook or Outlook()),
        figures.over_time(result),
        figures.time_by_part(result),
        figures.one_step(result),
        figures.energy_flow(result),
        figures.learning(result),
        figures.link_load(result),
        figures.link_heat(result),
        *(figures.operations(result, job) for job in page.jobs_with_operations(result)),
    ]
    return {drawing.name: drawing for drawing in made}


def write_figures(drawings: Mapping[str, Drawing], folder: Path | str) -> None:
    """Write every figure that is one to ``folder`` as an SVG file that opens by itself."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for drawing in drawings.values():
        if drawing.figure is not None:
            whole.write(folder / f"{drawing.name}.svg", svg.standalone(drawing))


def render(template: str, values: Mapping[str, Any]) -> str:
    """Return a page made of a template and its values, with the style and the script of all pages."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(
        version=__version__,
        variables=style.css_variables(),
        sheet=(_TEMPLATES / "page.css").read_text("utf-8"),
        script=(_TEMPLATES / "page.js").read_text("utf-8"),
        **values,
    )
