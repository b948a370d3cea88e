"""Steps written for a mesh of ranks: what one rank holds and computes of arrays that are described as a whole.

Inside ``shard_map`` every shape is that of one rank already. Outside, where an update may follow, arrays are described
as a whole; they are divided as ``shard_map`` divides those that it takes and returns, and elementwise operations divide
all that they touch alike. Where XLA's partitioner would have to choose collectives by itself the step is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from dcsim.errors import Problem, ScenarioError
from dcsim.workload import rules
from dcsim.workload.graph import Block, Classes, Node, Value, walk
from dcsim.workload.operation import Group
from dcsim.workload.places import Place
from dcsim.workload.primitives import COLLECTIVES, REDUCTIONS
from dcsim.workload.user import shown


@dataclass(slots=True)
class Regions:
    """Where a program enters and leaves ``shard_map``.

    ``entered`` are (array as a whole, elements that one rank takes of it); ``left`` are arrays of one rank that come
    out, with the elements of the whole; ``outside`` are the operations on whole arrays.
    """

    entered: list[tuple[Value, int]] = field(default_factory=list)
    left: dict[Value, int] = field(default_factory=dict)
    outside: list[Node] = field(default_factory=list)


def group_of(node: Node, mesh: Mapping[str, int]) -> Group | None:
    """Return who takes part in the collective ``node``, None where every rank is alone.

    Raises
    ------
    ScenarioError
        If it is over anything but axes of the mesh.
    """
    given = node.parameters
    named = given.get("axes", given.get("axis_name", ()))
    axes = tuple(named) if isinstance(named, tuple | list) else (named,)
    unknown = [axis for axis in axes if axis not in mesh]
    if unknown or given.get("axis_index_groups") is not None:
        found = f"{node.primitive} over {', '.join(map(str, axes))}" + ("" if unknown else " with axis_index_groups")
        raise ScenarioError([problem_at(node.place, found, f"one over axes of the mesh: {', '.join(mesh)}")])
    if prod(mesh[axis] for axis in axes) == 1:
        return None
    pairs = tuple((int(source), int(target)) for source, target in given["perm"]) if "perm" in given else ()
    return Group(COLLECTIVES[node.primitive], tuple(axis for axis in axes if mesh[axis] > 1), pairs)


def payload_bytes(node: Node) -> float:
    """Return what a rank gives to a collective, of an all-gather what it ends up with [B]."""
    gathered = COLLECTIVES[node.primitive] == "all-gather"
    return sum(value.size_bytes for value in (node.outputs if gathered else node.inputs))


def check_mesh(equation_mesh: Any, manual: Any, mesh: Mapping[str, int], place: Place) -> None:
    """Refuse a ``shard_map`` over another mesh than the scenario's, or over some of its axes only."""
    found = {str(axis): int(size) for axis, size in equation_mesh.shape.items()}
    written = ", ".join(f"{axis}: {size}" for axis, size in found.items())
    if found != dict(mesh):
        stated = ", ".join(f"{axis}: {size}" for axis, size in mesh.items())
        expected = (
            f"the mesh of the scenario, {{{stated}}}" if mesh else f"in the scenario under model: mesh: {{{written}}}"
        )
        raise ScenarioError([problem_at(place, f"shard_map over the mesh {{{written}}}", expected)])
    automatic = [axis for axis, size in found.items() if size > 1 and axis not in manual]
    if automatic:
        text = f"shard_map that leaves the axis {', '.join(automatic)} to the compiler"
        raise ScenarioError([problem_at(place, text, "one over all axes, whose collectives are in the code")])


def problem_at(place: Place, found: str, expected: str) -> Problem:
    """Return a problem at a line of the user's code."""
    file, _, line = str(place).rpartition(":")
    return Problem(shown(file) if file else "the traced program", int(line) if file else None, "", found, expected)


def divide(block: Block, regions: Regions) -> None:
    """Reduce every array outside of ``shard_map`` to the part that one rank holds.

    Raises
    ------
    ScenarioError
        For operations outside whose collectives the compiler would choose.
    """
    alike = _alike(block, regions)
    parts: dict[Value, int] = {}
    for value, elements in _known(regions):
        root = alike.find(value)
        parts[root] = min(parts.get(root, elements), elements)
    outside = {id(node) for node in regions.outside}
    done: set[int] = set()
    for node in (node for node in walk(block) if id(node) in outside):
        _refuse(node, [parts.get(alike.find(value), 1) for value in node.inputs])
        for value in (*node.inputs, *node.outputs):
            _shrink(value, parts.get(alike.find(value), 1), regions, done)
    for value in (*block.inputs, *(value for value, _ in regions.entered)):
        _shrink(value, parts.get(alike.find(value), 1), regions, done)


def _known(regions: Regions) -> Iterator[tuple[Value, int]]:
    """Yield (array, number of parts) where ``shard_map`` says so."""
    for value, elements in regions.entered:
        yield value, max(1, value.elements // max(1, elements))
    for value, elements in regions.left.items():
        yield value, max(1, elements // max(1, value.elements))


def _alike(block: Block, regions: Regions) -> Classes:
    """Return the classes of arrays that are divided alike: what elementwise operations and loops join."""
    found = Classes()
    outside = {id(node) for node in regions.outside}
    for node in (node for node in walk(block) if id(node) in outside):
        if node.loop is not None:
            for inside, outer in node.loop.aliases(node):
                found.join(inside, outer)
        elif rules.is_fusible(node) and node.primitive not in REDUCTIONS:
            sizes = [
                (regions.left.get(value.storage, value.elements), value) for value in (*node.inputs, *node.outputs)
            ]
            largest = max(size for size, _ in sizes)
            same = [value for size, value in sizes if size == largest and size > 1]
            for value in same[1:]:
                found.join(same[0], value)
    return found


def _refuse(node: Node, parts: list[int]) -> None:
    if node.loop is None and max(parts, default=1) > 1 and not rules.is_fusible(node):
        found = f"{node.primitive} outside of shard_map on arrays that are divided over ranks"
        raise ScenarioError([problem_at(node.place, found, "it inside of shard_map, with its collectives in the code")])


def _shrink(value: Value, parts: int, regions: Regions, done: set[int]) -> None:
    """Divide an array, and those whose memory it shares, once."""
    found: Value | None = value
    while found is not None and id(found) not in done:
        done.add(id(found))
        if found not in regions.left and parts > 1 and found.elements >= parts:
            found.elements //= parts
            found.size_bytes /= parts
            first, *rest = found.shape
            found.shape = (first // parts, *rest) if first % parts == 0 else (found.elements,)
        found = found.view_of
