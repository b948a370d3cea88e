"""Which nodes run as one kernel: elementwise work and reductions merge with their neighbours, the rest stands alone.

Levels decide: the level of a node is that of its inputs, one higher after a kernel of its own kind (matrix product,
gather, loop), after a reduction, and where the phase or the named part of the model changes. Connected fusible nodes
of one level are one kernel, which reads what comes from outside once and writes what is used outside. A reduction
along the last axis whose rows fit on the chip ends no kernel, as in the usual kernels of softmax and layer norm. What
depends on the inputs of the program alone (a converted weight, a mask) is computed where it is used first, and
arithmetic on single numbers comes before everything else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from dcsim.workload import compiled, rules
from dcsim.workload.graph import Block, Loop, Node, Value
from dcsim.workload.primitives import REDUCTIONS

_FIRST = -1  # the level of arithmetic on single numbers
_ROW_BYTES = 65536.0  # rows up to this size stay on the chip during a reduction: an assumption


@dataclass(eq=False, slots=True)
class Unit:
    """What runs as one kernel, or a loop with the units of its body.

    ``slices`` are the arrays of a loop's body that are slices of stacked ones outside; ``looped``: it is in one.
    """

    nodes: list[Node]
    fusible: bool
    body: list[Unit] = field(default_factory=list)
    reads: list[Value] = field(default_factory=list)
    writes: list[Value] = field(default_factory=list)
    slices: frozenset[Value] = frozenset()
    looped: bool = False
    compiled_bytes: float = 0.0

    @property
    def label(self) -> tuple[str, str]:
        """Phase and scope; only what consists of recomputation alone counts as such."""
        phases = dict.fromkeys(node.phase for node in self.nodes)
        phases.pop("recompute", None)
        return next(iter(phases), "recompute"), self.nodes[0].scope

    def depends_on(self) -> Iterator[Value]:
        """Yield the storages the unit reads."""
        for node in self.nodes:
            for value in node.inputs:
                yield value.storage


def fuse(block: Block) -> list[Unit]:
    """Return the units of ``block`` in an order in which they can run, as close to the program's as possible."""
    unit_of = _units(block)
    units = list(dict.fromkeys(unit_of[id(node)] for node in reversed(block.nodes)))[::-1]
    maker = {value: unit_of[id(node)] for node in block.nodes for value in node.outputs}
    for unit in units:
        if unit.nodes[0].loop is not None:
            unit.body = _body(unit.nodes[0].loop)
    _connect(block, units, maker)
    stored = compiled.traffic(block)
    for unit in units:
        unit.compiled_bytes = sum(stored.get(id(node), 0.0) for node in unit.nodes)
    return _ordered(units, maker)


def _body(loop: Loop) -> list[Unit]:
    units = fuse(loop.body)
    sliced = (*loop.body.inputs[loop.constants + loop.carries :], *loop.body.outputs[loop.carries :])
    slices = frozenset(value.storage for value in sliced)
    for unit in units:
        unit.slices, unit.looped = slices, True
    return units


def _units(block: Block) -> dict[int, Unit]:
    """Assign every node its unit; fusible nodes of one level join through what they make or share."""
    placed = _sunk(block, _levels(block))
    groups = _Groups()
    for node, place in zip(block.nodes, placed, strict=True):
        groups.add(node, place)
    unit_of: dict[int, Unit] = {}
    for members, fusible in groups.members():
        unit = Unit(members, fusible)
        unit_of.update((id(node), unit) for node in members)
    return unit_of


@dataclass(slots=True)
class _Place:
    """The level of a node. ``ends``: its readers are one level up. ``early``: it reads the program's inputs alone."""

    level: int
    label: tuple[str, str]
    fusible: bool
    ends: bool
    early: bool

    def next_level(self, value: Value, label: tuple[str, str]) -> int:
        """Return the lowest level of a node with ``label`` that reads ``value`` from here."""
        return self.level + (self.ends or self.label != label or value.storage.elements == 1) if self.level >= 0 else 0


def _levels(block: Block) -> list[_Place]:
    """Return the lowest possible place of every node."""
    maker: dict[Value, _Place] = {}
    places = []
    for node in block.nodes:
        made = [(maker[value.storage], value) for value in node.inputs if value.storage in maker]
        fusible = node.loop is None and rules.is_fusible(node)
        place = _Place(0, _label(node), fusible, not fusible or _ends(node), fusible and all(m.early for m, _ in made))
        single = all(value.elements == 1 for value in (*node.inputs, *node.outputs))
        if fusible and single and all(m.level < 0 for m, _ in made):
            place.level = _FIRST
        else:
            place.level = max((m.next_level(value, place.label) for m, value in made), default=0)
        maker.update(dict.fromkeys(node.outputs, place))
        places.append(place)
    return places


def _sunk(block: Block, places: list[_Place]) -> list[_Place]:
    """Raise what depends on the inputs alone to the level of its first reader."""
    readers: dict[Value, list[_Place]] = {}
    escaping = {value.storage for value in block.outputs}
    for node, place in zip(reversed(block.nodes), reversed(places), strict=True):
        found = [reader for value in node.outputs for reader in readers.get(value, ())]
        if place.early and not place.ends and place.level >= 0 and found and not escaping.intersection(node.outputs):
            single = any(value.elements == 1 for value in node.outputs)
            first = min(reader.level - (single or reader.label != place.label) for reader in found)
            place.level = max(place.level, first)
        for value in node.inputs:
            readers.setdefault(value.storage, []).append(place)
    return places


def _label(node: Node) -> tuple[str, str]:
    """Phase and scope of a kernel; what is recomputed in the backward pass merges with it."""
    return ("backward" if node.phase == "recompute" else node.phase), node.scope


def _ends(node: Node) -> bool:
    """Whether a kernel ends at ``node``: at a reduction, unless it is along rows that fit on the chip."""
    if node.primitive not in REDUCTIONS:
        return False
    operand = node.inputs[0]
    along = node.parameters.get("axes", node.parameters.get("dimensions", ()))
    row_bytes = operand.size_bytes / max(1, node.outputs[0].elements)
    return tuple(along) != (len(operand.shape) - 1,) or row_bytes > _ROW_BYTES


class _Groups:
    """Fusible nodes joined by the arrays they share on one level."""

    def __init__(self) -> None:
        self._nodes: list[tuple[Node, bool]] = []
        self._parents: list[int] = []
        self._meeting: dict[tuple[Value | None, int, tuple[str, str]], int] = {}

    def add(self, node: Node, place: _Place) -> None:
        """Join ``node`` with those of its place that made or read the same arrays; single numbers join their like."""
        index = len(self._nodes)
        self._nodes.append((node, place.fusible))
        self._parents.append(index)
        if place.level < 0:
            self._join(index, (None, _FIRST, ("", "")))
        elif place.fusible:
            for value in (*node.inputs, *node.outputs):
                if value.storage.elements > 1:
                    self._join(index, (value.storage, place.level, place.label))

    def members(self) -> list[tuple[list[Node], bool]]:
        """Return the groups, their nodes in program order, and whether they are fused ones."""
        found: dict[int, list[Node]] = {}
        for index, (node, _) in enumerate(self._nodes):
            found.setdefault(self._root(index), []).append(node)
        return [(nodes, self._nodes[root][1]) for root, nodes in found.items()]

    def _join(self, index: int, meeting: tuple[Value | None, int, tuple[str, str]]) -> None:
        self._parents[self._root(index)] = self._root(self._meeting.setdefault(meeting, index))

    def _root(self, index: int) -> int:
        while self._parents[index] != index:
            self._parents[index] = self._parents[self._parents[index]]
            index = self._parents[index]
        return index


def _connect(block: Block, units: list[Unit], maker: dict[Value, Unit]) -> None:
    """Fill in what each unit reads from outside (once an array) and writes for others."""
    escaping = {value.storage for value in block.outputs}
    for unit in units:
        reads: dict[Value, Value] = {}
        for node in unit.nodes:
            for value in node.inputs:
                storage = value.storage
                if maker.get(storage) is unit:
                    continue
                escaping.add(storage)
                known = reads.get(storage)
                if known is None or value.touched_bytes > known.touched_bytes:
                    reads[storage] = value
        unit.reads = list(reads.values())
    for unit in units:
        unit.writes = [value for node in unit.nodes for value in node.outputs if value in escaping]


def _ordered(units: list[Unit], maker: dict[Value, Unit]) -> list[Unit]:
    """Order by the last node of each unit, but what a unit reads is made before it."""
    placed: dict[int, None] = {}
    order: list[Unit] = []
    for first in units:
        stack = [first]
        while stack:
            unit = stack[-1]
            if id(unit) in placed:
                stack.pop()
                continue
            needed = [maker[value] for value in unit.depends_on() if value in maker]
            missing = [other for other in needed if other is not unit and id(other) not in placed]
            if missing:
                stack.extend(reversed(missing))
            else:
                placed[id(unit)] = None
                order.append(unit)
                stack.pop()
    return order
