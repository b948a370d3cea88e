"""Where the energy goes: a Sankey diagram from the grid to the last use, laid out and drawn here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dcsim.report import style
from dcsim.report.figures.drawing import Box, Drawing, axes_at, canvas, styled
from dcsim.report.numbers import percent, scale, shorten, show
from dcsim.results.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_WIDTH, _TOP, _NODE, _LABEL = style.WIDE_PX, 8.0, 11.0, 27.0
_LEAST_HEIGHT, _LAST_COLUMN = 300.0, 128.0
_CHARACTER = 6.3  # pixels of an average character of a label


@dataclass(frozen=True)
class Flow:
    """Energy from one node to another."""

    source: str
    target: str
    joules: float


@dataclass(frozen=True)
class Node:
    """Where a node stands [px] and how much flows through it [J]."""

    name: str
    column: int
    joules: float
    x: float
    y: float
    height: float


def energy_flow(result: Result) -> Drawing:
    """Energy from the grid through the power chain to its last uses."""
    flows = _flows(result.table("energy"))
    if not flows:
        return Drawing("energy-flow", "No energy was used.")
    columns = layers(flows)
    nodes = layout(flows, columns)
    height = max(node.y + max(node.height, _LABEL) for node in nodes.values()) + _TOP
    with styled():
        figure = canvas(_WIDTH, height)
        axes = axes_at(figure, Box(0.0, 0.0, _WIDTH, height))
        axes.set_axis_off()
        axes.set_xlim(0.0, _WIDTH)
        axes.set_ylim(height, 0.0)
        _ribbons(axes, flows, nodes)
        total = sum(node.joules for node in nodes.values() if node.column == 0)
        _labels(axes, nodes, total)
    leaves = sorted(_leaves(flows, nodes), key=lambda node: -node.joules)
    largest = leaves[0]
    title = (
        f"Of {show(total, 'J')} from the grid, {percent(largest.joules / total, 2)} ends in {shorten(largest.name, 40)}"
    )
    if len(leaves) > 1:
        title += f" and {percent(leaves[1].joules / total, 2)} in {shorten(leaves[1].name, 40)}"
    described = "; ".join(
        f"{node.name} {show(node.joules, 'J')}, {percent(node.joules / total, 2)}" for node in leaves[:20]
    )
    subtitle = "Widths are proportional to energy; each label has the energy and its share of what came from the grid"
    return Drawing("energy-flow", title, subtitle, f"Last uses of the energy: {described}", figure)


def _flows(table: pd.DataFrame) -> list[Flow]:
    """Return the flows above zero, several between the same nodes summed, none from a node to itself."""
    summed = table.groupby(["source", "target"], sort=False)["joules"].sum()
    rows = [Flow(str(key[0]), str(key[1]), float(joules)) for key, joules in summed.items() if isinstance(key, tuple)]
    return [row for row in rows if row.joules > 0.0 and math.isfinite(row.joules) and row.source != row.target]


def layers(flows: Iterable[Flow]) -> dict[str, int]:
    """Return the column of every node: one right of the furthest node that feeds it.

    A flow that closes a circle moves nothing.
    """
    targets: dict[str, list[str]] = {}
    for flow in flows:
        targets.setdefault(flow.source, []).append(flow.target)
        targets.setdefault(flow.target, [])
    fed = {target for each in targets.values() for target in each}
    columns = dict.fromkeys(targets, 0)
    starts = [name for name in targets if name not in fed] or list(targets)[:1]
    for name in _ordered(targets, starts):
        for target in targets[name]:
            if columns[target] <= columns[name] and not _reaches(targets, target, name):
                columns[target] = columns[name] + 1
    return columns


def _ordered(targets: Mapping[str, list[str]], starts: list[str]) -> list[str]:
    """Return the nodes in topological order (reversed postorder of a depth-first walk)."""
    done: dict[str, None] = {}
    entered: set[str] = set()
    stack = [(name, False) for name in reversed([*starts, *targets])]
    while stack:
        name, leaving = stack.pop()
        if leaving:
            done[name] = None
        elif name not in entered:
            entered.add(name)
            stack.append((name, True))
            stack.extend((target, False) for target in targets[name] if target not in entered)
    return list(reversed(done))


def _reaches(targets: Mapping[str, list[str]], start: str, end: str) -> bool:
    seen, stack = {start}, [start]
    while stack:
        for target in targets[stack.pop()]:
            if target == end:
                return True
            if target not in seen:
                seen.add(target)
                stack.append(target)
    return False


def layout(flows: list[Flow], columns: Mapping[str, int]) -> dict[str, Node]:
    """Place the nodes: columns left to right, the most energy on top, with room for every label."""
    inward: dict[str, float] = {}
    outward: dict[str, float] = {}
    for flow in flows:
        outward[flow.source] = outward.get(flow.source, 0.0) + flow.joules
        inward[flow.target] = inward.get(flow.target, 0.0) + flow.joules
    joules = {name: max(inward.get(name, 0.0), outward.get(name, 0.0)) for name in columns}
    stacks = [[name for name in columns if columns[name] == place] for place in range(max(columns.values()) + 1)]
    height = max(_LEAST_HEIGHT, *(len(stack) * (_LABEL + 6.0) + 60.0 for stack in stacks))
    per_joule = min((height - _LABEL * len(stack)) / sum(joules[name] for name in stack) for stack in stacks)
    pitch = (_WIDTH - _LAST_COLUMN - 8.0) / max(1, len(stacks) - 1)
    nodes: dict[str, Node] = {}
    for place, stack in enumerate(stacks):
        y = _TOP
        for name in sorted(stack, key=lambda each: _rank(each, flows, nodes, joules)):
            tall = max(1.0, joules[name] * per_joule)
            nodes[name] = Node(name, place, joules[name], 4.0 + place * pitch, y, tall)
            y += max(tall + 8.0, _LABEL)
    return nodes


def _rank(name: str, flows: list[Flow], nodes: Mapping[str, Node], joules: Mapping[str, float]) -> tuple[float, float]:
    """Sort by the height of the node that feeds ``name`` most, then by energy: ribbons cross little."""
    feeders = [flow for flow in flows if flow.target == name and flow.source in nodes]
    main = max(feeders, key=lambda flow: flow.joules, default=None)
    return (nodes[main.source].y if main else 0.0), -joules[name]


def _ribbons(axes: Axes, flows: list[Flow], nodes: Mapping[str, Node]) -> None:
    from matplotlib.patches import PathPatch, Rectangle
    from matplotlib.path import Path

    out = {name: node.y for name, node in nodes.items()}
    into = dict(out)
    for flow in sorted(flows, key=lambda each: (nodes[each.target].y, -each.joules)):
        source, target = nodes[flow.source], nodes[flow.target]
        tall = flow.joules / source.joules * source.height
        wide = flow.joules / target.joules * target.height
        x0, x1, y0, y1 = source.x + _NODE, target.x, out[flow.source], into[flow.target]
        middle = (x0 + x1) / 2
        points = [(x0, y0), (middle, y0), (middle, y1), (x1, y1), (x1, y1 + wide)]
        points += [(middle, y1 + wide), (middle, y0 + tall), (x0, y0 + tall), (x0, y0)]
        codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
        color = style.color(style.role_of(flow.target))
        axes.add_patch(PathPatch(Path(points, codes), facecolor=color, edgecolor="none", alpha=0.28))
        out[flow.source] += tall
        into[flow.target] += wide
    for node in nodes.values():
        color = style.color(style.role_of(node.name))
        axes.add_patch(Rectangle((node.x, node.y), _NODE, node.height, facecolor=color, edgecolor="none"))


def _labels(axes: Axes, nodes: Mapping[str, Node], total: float) -> None:
    last, unit = max(node.column for node in nodes.values()), scale([total], "J")
    room = (_WIDTH - _LAST_COLUMN - 8.0) / max(1, last) - _NODE - 8.0
    for node in nodes.values():
        x = node.x + _NODE + 4.0
        characters = int((room if node.column < last else _LAST_COLUMN - _NODE - 8.0) / _CHARACTER)
        middle = node.y + max(node.height, _LABEL - 6.0) / 2 if node.height > 60.0 else node.y + 9.0
        axes.text(
            x, middle - 1.0, shorten(node.name, characters), va="bottom", fontsize=style.SMALL_PX, fontweight="bold"
        )
        text = f"{show(node.joules / unit.divisor, '1')} {unit.unit} · {percent(node.joules / total, 2)}"
        axes.text(x, middle, text, va="top", fontsize=style.SMALL_PX, color=style.color("muted"))


def _leaves(flows: list[Flow], nodes: Mapping[str, Node]) -> list[Node]:
    sources = {flow.source for flow in flows}
    return [node for node in nodes.values() if node.name not in sources]
