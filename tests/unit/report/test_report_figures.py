"""Every figure: as usual, with nothing, one point, constant values, ten thousand points, zeros, very long names."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from dcsim.report import figures, svg
from dcsim.report.figures.drawing import Drawing, spread, thin
from dcsim.report.figures.learning import curve
from dcsim.report.figures.panels import visible
from dcsim.report.figures.sankey import Flow, layers
from dcsim.report.figures.series import Line, held, lines, power_stack, steps
from dcsim.results import Metric, Result, compare
from dcsim.results.tables import TABLES

FIGURES: dict[str, Callable[[Result], Drawing]] = {
    "over_time": figures.over_time,
    "time_by_part": figures.time_by_part,
    "one_step": figures.one_step,
    "energy_flow": figures.energy_flow,
    "learning": figures.learning,
    "link_load": figures.link_load,
    "link_heat": figures.link_heat,
    "operations": lambda result: figures.operations(result, LONG if LONG in result.jobs else "pretrain"),
    "variants": lambda result: figures.variants(compare([result, result])),
}
LONG = "a-very-long-name-of-a-job-that-nobody-should-have-given-but-somebody-did-" + "x" * 27


def frame(name: str, rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(TABLES[name].columns))


def one_point() -> Result:
    """One row in every table, at time zero."""
    tables = {
        "spans": frame("spans", [("pretrain", 1, "run", 0.0, 0.0, "")]),
        "learning": frame("learning", [("pretrain", 1, 0, 0.0, 0.0, 1.0)]),
        "breakdown": frame("breakdown", [("pretrain", "compute", 1.0)]),
        "step": frame("step", [("pretrain", "kernels", "forward", 0.0, 1e-3)]),
        "energy": frame("energy", [("grid", "servers", 1.0)]),
        "links": frame("links", [("a out", "host", 1e9, 1.0, 0.5, 0.5, 0.25)]),
        "operations": frame("operations", [("pretrain", "x", "matmul", "forward", "", 1, 1.0, 1.0, 1.0, "compute")]),
        "series": frame(
            "series",
            [
                ("power", "accelerators", "W", 0.0, 1.0),
                ("temperature", "inlet", "degC", 0.0, 20.0),
                ("link_load", "host", "1", 0.0, 0.1),
            ],
        ),
        "events": frame("events", [(0.0, "fault", "train/0", "")]),
        "limits": frame("limits", [("power", 1.0, 2.0, "W", 0.5, "")]),
    }
    return Result("one", "", {"jobs.pretrain.finish": Metric(0.0, "s")}, tables)


def many_points(value: Callable[[int], float]) -> Result:
    """Ten thousand points in every table."""
    count = 10_000
    series = [("power", name, "W", float(i), value(i)) for name in ("accelerators", "ups") for i in range(count)]
    series += [("temperature", "inlet", "degC", float(i), value(i)) for i in range(count)]
    series += [("link_load", "host", "1", float(i), min(1.0, value(i) / 1e4)) for i in range(count)]
    tables = {
        "spans": frame("spans", [("pretrain", 1, "checkpoint", float(i), i + 0.5, "") for i in range(count)]),
        "learning": frame("learning", [("pretrain", 1, i, float(i), float(i), value(i)) for i in range(count)]),
        "breakdown": frame("breakdown", [(f"job-{i}", "compute", value(i)) for i in range(count)]),
        "step": frame("step", [("pretrain", "kernels", "forward", float(i), i + 1.0) for i in range(count)]),
        "energy": frame("energy", [("grid", f"server {i % 40}", value(i)) for i in range(count)]),
        "links": frame("links", [(f"{i} out", f"tier {i % 30}", 1e9, 1.0, 0.5, 0.5, 0.25) for i in range(count)]),
        "operations": frame(
            "operations",
            [("pretrain", f"x{i}", "matmul", "forward", "", 1, 1.0, 1.0, value(i), "memory") for i in range(count)],
        ),
        "series": frame("series", series),
        "events": frame("events", [(float(i), "checkpoint", "pretrain", "") for i in range(count)]),
    }
    return Result("many", "", {}, tables)


def zero() -> Result:
    """Rows whose every quantity is zero."""
    tables = {
        "spans": frame("spans", [("pretrain", 1, "run", 0.0, 0.0, "")]),
        "breakdown": frame("breakdown", [("pretrain", "compute", 0.0)]),
        "step": frame("step", [("pretrain", "kernels", "forward", 0.0, 0.0)]),
        "energy": frame("energy", [("grid", "servers", 0.0)]),
        "links": frame("links", [("a out", "host", 1e9, 0.0, 0.0, 0.0, 0.0)]),
        "operations": frame("operations", [("pretrain", "x", "matmul", "forward", "", 1, 0.0, 0.0, 0.0, "compute")]),
        "series": frame("series", [("power", "ups", "W", t, 0.0) for t in (0.0, 1.0)]),
        "learning": frame("learning", [("pretrain", 1, 0, 0.0, 0.0, 0.0)]),
    }
    return Result("zero", "", {}, tables)


def long_names(synthetic: ModuleType) -> Result:
    """The synthetic run with names as long as the scenario allows and with signs that mean something to XML."""
    evil = LONG + "<&\"'$x^2$]]>"
    tables = {}
    for name, table in synthetic.tables().items():
        changed = table.copy()
        for column in ("job", "target", "source", "link", "tier", "what", "item", "label"):
            if column in changed:
                changed[column] = [LONG if text == "pretrain" else f"{text}{evil}" for text in changed[column]]
        tables[name] = changed
    metrics = {name.replace("pretrain", LONG): metric for name, metric in synthetic.metrics().items()}
    return Result(LONG, "", metrics, tables)


CASES = ("real", "empty", "one", "constant", "ten thousand", "zero", "long")


@pytest.fixture(scope="module")
def cases(synthetic: ModuleType, result: Result) -> dict[str, Result]:
    return {
        "real": result,
        "empty": Result("empty", "", {}, {}),
        "one": one_point(),
        "constant": many_points(lambda _: 7.0),
        "ten thousand": many_points(lambda i: 1e6 * (1 + math.sin(i / 100))),
        "zero": zero(),
        "long": long_names(synthetic),
    }


def texts(markup: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(markup).iter() if element.tag == "text"]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_copes(name: str, case: str, cases: dict[str, Result]) -> None:
    drawing = FIGURES[name](cases[case])
    assert drawing.title
    assert len(drawing.title) < 200
    markup = svg.inline(drawing)
    if drawing.figure is None:
        assert markup == ""
        return
    assert drawing.subtitle or name == "over_time"
    assert drawing.description
    assert len(markup) < 700_000
    written = texts(markup)
    assert written
    for text in written:
        assert "1e6" not in text
        assert "nan" not in text
    # nothing is written outside of the figure
    width, height = (float(number) for number in ElementTree.fromstring(markup).attrib["viewBox"].split()[2:])
    for element in ElementTree.fromstring(markup).iter("text"):
        if "x" in element.attrib:
            assert -1.0 <= float(element.attrib["x"]) <= width + 1.0
            assert -1.0 <= float(element.attrib["y"]) <= height + 1.0


def test_colors_are_variables_and_ids_belong_to_the_figure(result: Result) -> None:
    for figure in FIGURES.values():
        drawing = figure(result)
        markup = svg.inline(drawing)
        for element in ElementTree.fromstring(markup or "<svg/>").iter():
            assert "#" not in element.attrib.get("style", "").replace("url(#", "")
            assert element.attrib.get("id", drawing.name).startswith(drawing.name)
            assert element.tag in {
                "svg",
                "title",
                "desc",
                "g",
                "path",
                "text",
                "use",
                "defs",
                "clipPath",
                "rect",
                "pattern",
                "tspan",
            }


def test_a_file_stands_alone(result: Result) -> None:
    markup = svg.standalone(figures.energy_flow(result))
    root = ElementTree.fromstring(markup)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "prefers-color-scheme:dark" in markup
    assert "of 2.48 kwh from the grid" in markup.lower()


def test_png_is_drawn(result: Result, tmp_path: Any) -> None:
    svg.write_png(figures.time_by_part(result), tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_user_text_is_no_markup(cases: dict[str, Result]) -> None:
    markup = svg.inline(figures.energy_flow(cases["long"]))
    assert "<&" not in markup
    assert any("$" in text for text in texts(markup)) or "…" in markup


def test_titles_state_findings(result: Result) -> None:
    # pretrain: 54.8 of 86.9 s compute, 20 of 86.9 s launch
    assert figures.one_step(result).title == "For 20 % of a step of pretrain, 2 ms, no kernel runs"
    assert figures.time_by_part(result).title == "pretrain spends 63 % of its time on compute and 23 % on launch"
    # 61 + 6.4 + 3.1 + ... = 105.6 kW while all runs, 105.6 / 94.5 = 1.12
    assert "106 kW" in figures.over_time(result).title
    assert "1.12 times its mean" in figures.over_time(result).title
    assert (
        figures.operations(result, "pretrain").title
        == "Memory bandwidth bounds 75 % of the operations' time of pretrain"
    )
    assert figures.learning(result).title.startswith("learn: loss goes from 4.86 to 2.09 in 200 steps, 70.1 s")


def test_nothing_gives_a_sentence() -> None:
    empty = Result("empty", "", {}, {})
    for name, figure in FIGURES.items():
        drawing = figure(empty)
        assert drawing.figure is None, name
        assert drawing.title.endswith((".", "series."))


def test_thinning_keeps_peaks() -> None:
    times = np.arange(100_000, dtype=float)
    values = np.zeros(100_000)
    values[54_321], values[77_777] = 9.0, -3.0
    kept_times, kept = thin(times, values, 500)
    assert len(kept) <= 2 * 500 + 2
    assert kept.max() == 9.0
    assert kept.min() == -3.0
    assert kept_times[kept.argmax()] == 54_321.0
    assert (np.diff(kept_times) > 0).all()


def test_labels_move_apart() -> None:
    placed = spread([5.0, 5.0, 5.1], 2.0, 0.0, 8.0)
    assert sorted(placed) == placed
    assert min(b - a for a, b in pairwise(placed)) == pytest.approx(2.0)
    assert max(placed) <= 8.0


def test_columns_of_the_energy_flow() -> None:
    flows = [Flow("grid", "ups", 1), Flow("ups", "servers", 1), Flow("grid", "servers", 1), Flow("servers", "idle", 1)]
    assert layers(flows) == {"grid": 0, "ups": 1, "servers": 2, "idle": 3}
    circle = [Flow("a", "b", 1), Flow("b", "c", 1), Flow("c", "a", 1)]
    assert set(layers(circle).values()) <= {0, 1, 2}


def test_a_stack_holds_values_and_sums_to_the_total() -> None:
    table = frame(
        "series",
        [
            ("power", "accelerators", "W", 0.0, 10.0),
            ("power", "accelerators", "W", 5.0, 20.0),
            ("power", "ups", "W", 2.0, 1.0),
        ],
    )
    stack = power_stack(lines(table, "power"))
    assert stack is not None
    assert stack.names == ("accelerators", "power chain losses")
    assert stack.times.tolist() == [0.0, 2.0, 5.0]
    assert stack.total.tolist() == [10.0, 11.0, 21.0]
    assert stack.it.tolist() == [10.0, 10.0, 20.0]
    line = Line("x", "W", np.array([1.0, 3.0]), np.array([4.0, 5.0]))
    assert held(line, np.array([0.0, 1.0, 2.9, 3.0])).tolist() == [0.0, 4.0, 4.0, 5.0]
    corners = steps(line.times, line.values, 6.0)
    assert corners[0].tolist() == [1.0, 3.0, 3.0, 6.0]
    assert corners[1].tolist() == [4.0, 4.0, 5.0, 5.0]


def test_very_many_spans_fill_the_pixels_they_cover() -> None:
    # 8,000 spans of 0.06 s, one every 0.1 s, fill 60 % of every pixel of 1 s: one bar
    starts = np.arange(8000.0) / 10
    assert [edge.tolist() for edge in visible(starts, starts + 0.06, 800.0)] == [[0.0], [800.0]]
    # spans that fill 10 % leave the pixels to what happens most of the time
    assert len(visible(starts, starts + 0.01, 800.0)[0]) == 0
    # few spans are drawn one by one, at least half a pixel wide
    left, right = visible(np.array([5.0]), np.array([5.0]), 800.0)
    assert (left[0], right[0]) == (5.0, 5.5)


def test_waiting_is_cut_out_of_the_loss_curve() -> None:
    # steps 0 to 2 at 10, 11, 12 s; a failure; steps 1 and 2 again at 50 and 51 s: 38 s passed, of which a step takes 1
    rows = [("a", 1, step, 10.0 + step, 0.0, 3.0 - step) for step in range(3)]
    rows += [("a", 2, step, 49.0 + step, 0.0, 3.0 - step) for step in (1, 2)]
    found = curve(frame("learning", rows), "time_s")
    assert found.x.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert found.undone.tolist() == [0.0, 1.0, 1.0, 0.0, 0.0]
    assert found.restarts == ((2.5, 37.0),)


def test_the_target_is_marked_in_the_measure_of_the_axis(synthetic: ModuleType) -> None:
    # The job begins its steps at 20 s and ran at 70 to 78.2 s again: what is cut out is not in the annotation either.
    text = synthetic.SCENARIO.replace("    steps: 200\n", "    steps: 200\n    execute: {target: {loss: 2.4}}\n")
    figure = figures.learning(synthetic.result(scenario_text=text)).figure
    assert figure is not None
    words = [note.get_text() for axes in figure.axes for note in axes.texts if "target" in note.get_text()]
    assert [each.split(" after ")[0] for each in words] == ["target 2.4 reached"] * 2
    seconds = float(words[0].split(" after ")[1].split(" s ")[0])
    assert 0.0 < seconds <= figure.axes[0].get_xlim()[1]
