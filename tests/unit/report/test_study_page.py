"""The page of a study: what its figure and tables say, and that names from users stay text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from dcsim.report import figures, html, study
from dcsim.report.study_page import of_study
from dcsim.results.study import FIXED, StudyResult
from dcsim.scenario.study import constraint

AXES = ("cluster.network.oversubscription", "jobs.a.model")


def _study(name: str = "fabrics") -> StudyResult:
    rows = []
    for number, (lean, model) in enumerate(
        (lean, model) for lean in (1.0, 2.0, 4.0) for model in ("<b>small", "large")
    ):
        failed = (lean, model) == (4.0, "large")
        fixed = (
            number,
            f"{number:032x}",
            "failed" if failed else "done",
            "too large" if failed else "",
            "d",
            1,
            0.5,
            "",
        )
        energy = None if failed else lean * (2.0 if model == "large" else 1.0)
        rows.append((*fixed, lean, model, energy, 1.2))
    frame = pd.DataFrame(rows, columns=[*FIXED, *AXES, "site.energy", "site.pue"])
    frame.attrs["units"] = {"site.energy": "J", "site.pue": "1"}
    return StudyResult(name, AXES, frame)


def test_the_figure_names_the_strongest_axis_and_what_its_lines_are() -> None:
    drawing = figures.points(_study())
    assert drawing.figure is not None
    assert drawing.title.startswith("cluster.network.oversubscription moves")
    assert "one line for each jobs.a.model" in drawing.subtitle
    assert len(drawing.figure.axes) == 1  # PUE never changes


def test_the_tables_hold_every_point_and_the_reasons() -> None:
    values = of_study(_study())
    assert len(values["table_view"].rows) == 5
    assert [cell.text for cell in values["failed"].rows[0]] == ["4", "large", "too large"]
    (row,) = values["ranges"].rows
    assert [cell.text for cell in row][::2][:2] == ["Energy", "1 J"]
    assert row[6].text == "network.oversubscription=2, a.model=large"  # the first of two at 4 J


def test_names_of_users_are_escaped(tmp_path: Path) -> None:
    page = html.write_study(_study("a<script>"), tmp_path).read_text("utf-8")
    assert "<b>small" not in page
    assert "a<script>" not in page
    assert (tmp_path / "figures" / "points.svg").is_file()


def test_the_terminal_counts_what_keeps_the_constraints_and_why_points_failed() -> None:
    text = study.summary(_study(), (constraint("site.energy <= 2 J"),))
    assert "6 points, 1 failed, 3 of 5 keep the constraints" in text
    assert "1 failed: too large" in text


def test_names_in_a_figure_of_objectives_hide_neither_points_nor_each_other() -> None:
    """Two points 20 px apart with names of 54 px: one name goes to the left."""
    columns = [("site.cost", "USD", np.array([1.0, 1.03, 2.0])), ("site.energy", "J", np.array([1.0, 1.03, 2.0]))]
    drawing = figures.frontier(columns, ["a" * 10, "b" * 10, "c"], np.ones(3, dtype=bool), ["minimize"] * 2, "one, two")
    assert drawing.subtitle.endswith("labels: one, two")
    assert drawing.figure is not None
    names = {text.get_text(): text.xyann[0] for text in drawing.figure.axes[0].texts}
    assert names["a" * 10] < 0 < names["b" * 10]
