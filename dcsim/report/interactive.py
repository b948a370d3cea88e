"""The page to explore with: figures by Plotly that zoom, hide lines and tell values, with Plotly's script inside.

The script alone has about 5 MB, so this page is larger than the report and stands beside it. It loads nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from dcsim.errors import InputError
from dcsim.report import capacity, study_best, style
from dcsim.report.capacity import Outlook
from dcsim.report.figures.drawing import thin
from dcsim.report.figures.series import Line, lines, power_stack, steps
from dcsim.report.numbers import scale
from dcsim.report.outlook import described
from dcsim.report.study import varying
from dcsim.results import dictionary, whole
from dcsim.results.capacity import Resource, resources
from dcsim.results.comparison import Comparison
from dcsim.results.result import Result
from dcsim.results.study import StudyResult

_YEARS, _MOST_AXES, _HEIGHT = 10.0, 8, 420
_GRAPHS = tuple[tuple[str, str, Any], ...]  # (id, heading, figure)


def write(what: Result | Comparison | StudyResult, path: Path, outlook: Outlook) -> Path:
    """Write the page of a run, a comparison or a study to ``path`` and return it.

    Raises
    ------
    InputError
        If Plotly is not installed.
    """
    from dcsim.report.html import render

    if isinstance(what, Result):
        name, graphs = what.name, _run(what, outlook)
    elif isinstance(what, StudyResult):
        name, graphs = what.name, _study(what)
    else:
        name, graphs = f"{len(what.labels)} variants compared", _comparison(what, outlook)
    whole.write(path, render("interactive.html.j2", _values(name, graphs)))
    return path


def plotly() -> Any:
    """Return Plotly's module of figures.

    Raises
    ------
    InputError
        If it is not installed.
    """
    try:
        import plotly.graph_objects
    except ImportError:
        raise InputError('--interactive: Plotly is not installed; write: pip install "dcsim[web]"') from None
    return plotly.graph_objects


def _values(name: str, graphs: _GRAPHS) -> dict[str, Any]:
    plotly()
    from plotly.io import to_html
    from plotly.offline import get_plotlyjs

    options = {"displaylogo": False, "responsive": True, "plotlyServerURL": ""}
    parts = [
        (anchor, heading, to_html(figure, options, full_html=False, include_plotlyjs=False, default_height=_HEIGHT))
        for anchor, heading, figure in graphs
    ]
    return {
        "title": f"{name}: dcsim, interactive",
        "heading": f"{name}, to explore",
        "facts": ["drag to zoom, double-click to zoom out, click a name to hide it"],
        "badges": [],
        "sections": [(anchor, heading) for anchor, heading, _ in graphs],
        "graphs": parts,
        "library": get_plotlyjs(),
    }


def _run(result: Result, outlook: Outlook) -> _GRAPHS:
    found, start = resources(result), capacity.start_of(result)
    graphs = [("demand", "Demand against capacity", _demand(found)), ("power", "Power", _power(result))]
    if start is not None:
        curves = [(each.name, each.role, each.used) for each in found]
        graphs.append(("growth", "When it runs out", _growth(curves, outlook, _year(start))))
    graphs.append(("links", "Links and accelerators", _loads(result)))
    return tuple(graph for graph in graphs if graph[2].data)


def _figure(across: str, up: str) -> Any:
    clear = "rgba(0,0,0,0)"
    figure = plotly().Figure()
    figure.update_layout(template="plotly_white", paper_bgcolor=clear, plot_bgcolor=clear, hovermode="x unified")
    figure.update_layout(margin={"l": 60, "r": 20, "t": 40, "b": 50}, xaxis_title=across, yaxis_title=up)
    figure.update_yaxes(rangemode="tozero")
    return figure


def _demand(found: Sequence[Resource]) -> Any:
    figure = _figure("Simulated time [s]", "Load [% of capacity]")
    for resource in found:
        if len(resource.times):
            corners = steps(*thin(resource.times, resource.shares), resource.end_s)
            _line(figure, resource.name, resource.role, (corners[0], 100.0 * corners[1]))
    figure.add_hline(y=100.0, line_dash="dash", line_color=style.color("idle"))
    return figure


def _power(result: Result) -> Any:
    stack = power_stack(lines(result.table("series"), "power"))
    figure = _figure("Simulated time [s]", "Power [kW]")
    if stack is not None:
        for name, role, layer in zip(stack.names, stack.roles, stack.layers, strict=True):
            corners = steps(stack.times, layer / 1e3, float(stack.times[-1]))
            _line(figure, name, role, corners, stackgroup="power")
    return figure


def _year(start: datetime) -> float:
    return start.year + (start.month - 1) / 12.0


def _growth(curves: Sequence[tuple[str, str, float]], outlook: Outlook, start: float) -> Any:
    """Draw every (name, role, share used now) at every growth; a menu chooses the growth."""
    figure = _figure("Year", "Demand [% of capacity]")
    years = np.linspace(0.0, _YEARS, 121)
    for place, grown in enumerate(outlook.growths):
        factors = np.array([grown.factor(float(year)) for year in years])
        for name, role, used in curves:
            line = (start + years, 100.0 * used * factors)
            _line(figure, name, role, line, visible=place == len(outlook.growths) // 2)
    figure.add_hline(y=100.0, line_dash="dash", line_color=style.color("idle"))
    figure.update_yaxes(range=[0.0, 150.0])
    buttons = [
        {
            "label": escape(described(grown)),
            "method": "update",
            "args": [
                {"visible": [n // max(1, len(curves)) == place for n in range(len(curves) * len(outlook.growths))]}
            ],
        }
        for place, grown in enumerate(outlook.growths)
    ]
    menu = {"buttons": buttons, "active": len(buttons) // 2, "x": 0.0, "xanchor": "left", "y": 1.16}
    figure.update_layout(updatemenus=[menu], margin_t=80)
    return figure


def _loads(result: Result) -> Any:
    figure = _figure("Simulated time [s]", "Mean load [%]")
    table = result.table("series")
    found: list[tuple[str, Line]] = []
    for series, role in (("link_load", "communication"), ("utilization", "compute")):
        found += [("storage" if "disk" in name else role, line) for name, line in lines(table, series).items()]
    for role, line in found:
        times, values = thin(line.times, line.values)
        corners = steps(times, values, float(times[-1]))
        _line(figure, line.name, role, (corners[0], 100.0 * corners[1]))
    return figure


def _line(figure: Any, name: str, role: str, line: tuple[Any, Any], **more: Any) -> None:
    look = {"color": style.color(role), "width": 1.5}
    figure.add_scatter(
        x=line[0].round(6).tolist(), y=line[1].round(4).tolist(), name=escape(name), line=look, mode="lines", **more
    )


def _comparison(comparison: Comparison, outlook: Outlook) -> _GRAPHS:
    """Draw every metric that differs, relative to the first result, and what runs out first in each as demand grows."""
    figure = _figure("", "Relative to the first [%]")
    for place, label in enumerate(comparison.labels):
        rows = [row for row in comparison.rows if row.differs(1e-3) and row.differences[place] is not None]
        changes = [100.0 * (1.0 + (row.differences[place] or 0.0)) for row in rows]
        figure.add_bar(x=[escape(row.title) for row in rows], y=changes, name=escape(label))
    figure.update_layout(hovermode="closest", barmode="group", height=560, margin_b=160)
    graphs = (("metrics", "Metrics that differ", figure), ("growth", "When it runs out", _limits(comparison, outlook)))
    return tuple(graph for graph in graphs if graph[2].data)


def _limits(comparison: Comparison, outlook: Outlook) -> Any:
    """Draw what is used most in each result at every growth."""
    starts = [start for result in comparison.results if (start := capacity.start_of(result)) is not None]
    curves = []
    for label, result, role in zip(comparison.labels, comparison.results, cycle(style.ROLES), strict=False):
        if starts and (found := resources(result)):
            tightest = max(found, key=lambda each: each.used)
            curves.append((f"{label}: {tightest.name}", role, tightest.used))
    return _growth(curves, outlook, _year(starts[0])) if curves else _figure("", "")


def _study(found: StudyResult) -> _GRAPHS:
    """Draw a line a point through its axes and metrics, which filters by dragging along an axis."""
    aims = [name for name, _ in study_best.objectives(found)]
    names = list(dict.fromkeys([*aims, *varying(found, found.done)]))[:_MOST_AXES]
    dimensions = [_dimension(found, axis) for axis in found.axes] + [_metric(found, name) for name in names]
    figure = _figure("", "")
    if names and len(found.done):
        colors = {"color": found.done[names[0]].tolist(), "colorscale": "Viridis", "showscale": True}
        figure.add_parcoords(dimensions=dimensions, line=colors)
    figure.update_layout(margin={"l": 90, "r": 40, "t": 90, "b": 30}, height=520)
    return (("points", "Points: drag along an axis to filter", figure),)


def _dimension(found: StudyResult, axis: str) -> dict[str, Any]:
    values, label = found.done[axis], escape(axis.rpartition(".")[2])
    if values.dtype.kind == "f":
        return {"label": label, "values": values.tolist()}
    names = list(dict.fromkeys(map(str, values)))
    places = [names.index(str(value)) for value in values]
    return {"label": label, "values": places, "tickvals": list(range(len(names))), "ticktext": list(map(escape, names))}


def _metric(found: StudyResult, name: str) -> dict[str, Any]:
    values = found.done[name].to_numpy(float)
    fitted = scale(values.tolist(), "share" if dictionary.share(name) else found.unit(name))
    label = f"{dictionary.title(name)} {fitted.label}".rstrip()
    return {"label": escape(label), "values": (values / fitted.divisor).tolist()}
