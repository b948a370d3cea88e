"""The kernels of a program in the order in which they run, and when the arrays that others wait for are done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from dcsim.workload.attention import Internal
from dcsim.workload.charges import operation_of
from dcsim.workload.fusion import Unit
from dcsim.workload.graph import Loop, Node, Value, walk
from dcsim.workload.mesh import group_of, payload_bytes
from dcsim.workload.operation import Exchange, Group, Operation
from dcsim.workload.primitives import COLLECTIVES

_BACKWARD = frozenset({"backward", "recompute"})
_NEVER = -1


@dataclass(slots=True)
class Tally:
    """The distinct operations met so far and how often they run."""

    inside: Internal
    warnings: dict[str, None] = field(default_factory=dict)
    _index: dict[Operation, int] = field(default_factory=dict)
    _counts: list[int] = field(default_factory=list)
    _known: dict[int, int] = field(default_factory=dict)

    def add(self, unit: Unit, times: int) -> int:
        """Count ``times`` executions of ``unit`` and return the index of its operation."""
        index = self._known.get(id(unit))
        if index is None:
            found, unknown = operation_of(unit, self.inside)
            self.warnings.update(dict.fromkeys(unknown))
            index = self._known[id(unit)] = self._index.setdefault(found, len(self._index))
            if index == len(self._counts):
                self._counts.append(0)
        self._counts[index] += times
        return index

    def finished(self) -> tuple[Operation, ...]:
        """Return the distinct operations with their counts."""
        return tuple(replace(found, count=count) for found, count in zip(self._index, self._counts, strict=True))


@dataclass(slots=True)
class Emitted:
    """A program of one rank: its backward pass is listed in order, so that gradients become ready one by one."""

    tally: Tally
    order: list[int] = field(default_factory=list)
    _made: dict[Value, int] = field(default_factory=dict)
    _slices: dict[Value, list[int]] = field(default_factory=dict)

    def run(self, units: Sequence[Unit], times: int = 1) -> None:
        """Execute ``units`` in order; the trips of a backward loop one by one, those of others by count."""
        for unit in units:
            loop = unit.nodes[0].loop
            if loop is None:
                self._execute(unit, times)
            elif unit.label[0] in _BACKWARD:
                self._unroll(unit, loop, times)
            else:
                self.run(unit.body, times * loop.trips)

    def ready(self, value: Value) -> tuple[int, ...]:
        """Return the positions in the order after which ``value``, or each of its slices, is complete."""
        storage = value.storage
        if storage in self._slices:
            return tuple(self._slices[storage])
        return (self._made.get(storage, 0),)

    def _execute(self, unit: Unit, times: int) -> None:
        index = self.tally.add(unit, times)
        if unit.label[0] in _BACKWARD:
            self.order.append(index)
        self._made.update(dict.fromkeys(unit.writes, self._last))

    def _unroll(self, unit: Unit, loop: Loop, times: int) -> None:
        node = unit.nodes[0]
        slices: dict[Value, list[int]] = {outside: [] for _, outside in loop.stacked(node)}
        for _ in range(loop.trips):
            self.run(unit.body, times)
            for inside, outside in loop.stacked(node):
                slices[outside].append(self._made.get(inside.storage, self._last))
        for inside, outside in zip(loop.body.outputs, node.outputs, strict=True):
            self._made[outside] = self._made.get(inside.storage, self._last)
        self._slices.update((array, found[::-1] if loop.reverse else found) for array, found in slices.items())

    @property
    def _last(self) -> int:
        return max(0, len(self.order) - 1)


@dataclass(slots=True)
class _Pending:
    """A collective under way: what it is, where it may begin and stands, the first reader, those it follows from."""

    group: Group
    size_bytes: float
    ready: int
    issued: int
    needed: int
    after: list[int]


@dataclass(frozen=True, slots=True)
class _State:
    """Where an array stands: complete after ``ready`` entries of the sequence, or when collective ``comes`` is done."""

    ready: int = 0
    comes: int = _NEVER


@dataclass(slots=True)
class MeshEmitted:
    """A program of every rank of a mesh: all of it is listed in order, with its collectives beside.

    Loops with collectives in them are listed trip by trip, others by count.
    """

    tally: Tally
    mesh: Mapping[str, int]
    sequence: list[tuple[int, int]] = field(default_factory=list)
    _pending: list[_Pending] = field(default_factory=list)
    _states: dict[Value, _State] = field(default_factory=dict)

    def run(self, units: Sequence[Unit]) -> None:
        """Execute ``units`` in order."""
        for unit in units:
            node = unit.nodes[0]
            if node.loop is not None and any(inner.primitive in COLLECTIVES for inner in walk(node.loop.body)):
                self._unroll(unit, node.loop)
            elif node.loop is not None:
                self._repeat(unit, node.loop)
            elif node.primitive in COLLECTIVES:
                self._send(unit, node)
            else:
                self._compute(unit)

    def exchanges(self) -> tuple[Exchange, ...]:
        """Return the collectives in program order; one that others follow from is needed when the first of them is."""
        end = len(self.sequence)
        for pending in self._pending:
            pending.needed = end if pending.needed == _NEVER else pending.needed
        for pending in reversed(self._pending):
            for earlier in pending.after:
                self._pending[earlier].needed = min(self._pending[earlier].needed, pending.needed)
        return tuple(Exchange(p.group, p.size_bytes, p.ready, p.issued, p.needed) for p in self._pending)

    def _compute(self, unit: Unit) -> None:
        self._await(unit.reads)
        self.sequence.append((self.tally.add(unit, 1), 1))
        self._states.update(dict.fromkeys(unit.writes, _State(len(self.sequence))))

    def _send(self, unit: Unit, node: Node) -> None:
        self.tally.add(unit, 1)
        group = group_of(node, self.mesh)
        read = [self._states.get(value.storage, _State()) for value in node.inputs]
        state = _State(
            max((state.ready for state in read), default=0), max((state.comes for state in read), default=_NEVER)
        )
        if group is not None:
            now = len(self.sequence)
            after = sorted({found.comes for found in read} - {_NEVER})
            self._pending.append(_Pending(group, payload_bytes(node), state.ready, now, _NEVER, after))
            state = _State(now, len(self._pending) - 1)
        self._states.update(dict.fromkeys(node.outputs, state))

    def _repeat(self, unit: Unit, loop: Loop) -> None:
        """Execute a loop without collectives: its operations by count, its results ready at its end."""
        node = unit.nodes[0]
        self._await(node.inputs)
        self._count(unit.body, loop.trips)
        self._states.update(dict.fromkeys(node.outputs, _State(len(self.sequence))))

    def _count(self, units: Sequence[Unit], times: int) -> None:
        for unit in units:
            loop = unit.nodes[0].loop
            if loop is None:
                self.sequence.append((self.tally.add(unit, times), times))
            else:
                self._count(unit.body, times * loop.trips)

    def _unroll(self, unit: Unit, loop: Loop) -> None:
        node, body = unit.nodes[0], loop.body
        given = [self._states.get(value.storage, _State()) for value in node.inputs]
        carried = slice(loop.constants, loop.constants + loop.carries)
        for _ in range(loop.trips):
            self._states.update(zip((value.storage for value in body.inputs), given, strict=True))
            self.run(unit.body)
            given[carried] = [self._states.get(value.storage, _State()) for value in body.outputs[: loop.carries]]
        for inside, outside in zip(body.outputs, node.outputs, strict=True):
            self._states[outside] = self._states.get(inside.storage, _State())

    def _await(self, values: Sequence[Value]) -> None:
        """Note that what is executed next reads ``values``, some of which collectives may still be bringing."""
        for value in values:
            comes = self._states.get(value.storage, _State()).comes
            if comes != _NEVER and self._pending[comes].needed == _NEVER:
                self._pending[comes].needed = len(self.sequence)
