"""What jobs and the traffic of others cost each other, as the terminal and the page show it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from dcsim.report import beside, html
from dcsim.results import Result


def text_of(made: Result) -> str:
    from rich.console import Console

    console = Console(width=100, highlight=False)
    with console.capture() as taken:
        console.print(beside.sharing(made))
    return taken.get()


@pytest.fixture
def shared(result: Result, synthetic: ModuleType) -> Result:
    frame = synthetic.frame
    rows = [("pretrain", "learn", 40, 4.0, 2.0, 2.0), ("learn", "pretrain", 40, 2.001, 2.0, 1.0005)]
    nan = float("nan")
    traffic = [
        ("backup", "pair", 75e9, 50e9, 25e9, 0, nan, nan, 1.5),
        ("burst", "incast", 4e9, 0.0, 0.0, 0, nan, nan, nan),
    ]
    return replace(
        result,
        tables={**result.tables, "sharing": frame("sharing", rows), "background": frame("background", traffic)},
    )


def test_the_terminal_names_what_matters_and_nothing_else(shared: Result) -> None:
    lines = [line.rstrip() for line in text_of(shared).splitlines() if line.strip()]
    assert lines[0].split("  ")[0] == "transfers of"
    assert lines[1].split() == ["pretrain", "learn", "40", "4", "s", "2", "s", "2.00"]
    assert len(lines) == 5  # a job that lost nothing has no line
    assert lines[3].split() == ["backup", "pair", "75", "GB", "50", "GB", "25", "GB/s", "1.50"]
    assert lines[4].split()[-1] == "0"  # none has ended, so nothing is said of their times


def test_a_run_in_which_nobody_met_prints_nothing(result: Result) -> None:
    assert not text_of(result).strip()


def test_the_page_has_the_tables(shared: Result, tmp_path: Path) -> None:
    html.write(shared, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text("utf-8")
    for words in ("What sharing links cost", "Background traffic", "times as long", "Network"):
        assert words in page


def test_the_figure_over_time_paints_what_failed_and_who_stood_still(result: Result, synthetic: ModuleType) -> None:
    rows = [(f"edge 0.{i} > agg 0.0", "link", ("down", "slower")[i % 2], 5.0 * i, 5.0 * i + 3.0, "") for i in range(14)]
    rows.append(("pretrain", "job", "stalled", 30.0, 31.0, "at edge 0.0 > agg 0.0"))
    made = replace(result, tables={**result.tables, "outages": synthetic.frame("outages", rows)})
    svg = html.draw(made)["over-time"]
    assert svg.figure is not None
    assert "Links and switches that failed (the first 12 of 14)" in svg.description
    legends = [axes.get_legend() for axes in svg.figure.axes if axes.get_legend()]
    words = {text.get_text() for legend in legends for text in legend.get_texts()}
    assert {"stalled", "down", "slower", "run"} <= words
    quiet = html.draw(result)["over-time"]
    assert "failed" not in quiet.description
