"""A compiled module as what it does: its operations with their counts, and its collectives."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, cast

from dcsim.errors import Problem, ScenarioError
from dcsim.workload.hlo.costs import ELEMENTWISE, FREE, MOVES, TRANSCENDENTAL, Work, work
from dcsim.workload.hlo.groups import Groups, groups, pairs
from dcsim.workload.hlo.labels import contexts, rest_of
from dcsim.workload.hlo.scanner import SyntaxProblem, split
from dcsim.workload.hlo.shapes import Shape
from dcsim.workload.hlo.text import Computation, Instruction, Module, read
from dcsim.workload.hlo.traffic import moved_bytes
from dcsim.workload.operation import CollectiveKind, Kind, Operation, Phase
from dcsim.workload.phases import UNKNOWN, Context

_COLLECTIVES: dict[str, CollectiveKind] = {
    "all-reduce": "all-reduce",
    "all-gather": "all-gather",
    "reduce-scatter": "reduce-scatter",
    "all-to-all": "all-to-all",
    "ragged-all-to-all": "all-to-all",
    "collective-permute": "permute",
    "collective-broadcast": "all-gather",
}
_FINISH = ("-done", "-update")
_DIRECT = frozenset({"copy", "send", "recv", "async"})  # their -start, or they themselves, carry the work
_OUTSIDE = frozenset({"send", "recv", "infeed", "outfeed"})  # the text does not say with whom
_KINDS: dict[str, Kind] = {
    "dot": "matmul",
    "convolution": "convolution",
    "gather": "gather",
    "scatter": "scatter",
    "select-and-scatter": "scatter",
    "reduce": "reduce",
    "reduce-window": "reduce",
    "sort": "sort",
    "rng": "random",
    "rng-bit-generator": "random",
    "custom-call": "custom",
}
_LEADING = ("convolution", "dot", "sort", "scatter", "gather", "reduce", "reduce-window", "rng-bit-generator")


class HloCollective(NamedTuple):
    """A collective of the module: ``groups`` of devices, or ``pairs`` (from, to) of a permutation.

    ``size_bytes`` is what a device gives, or, of an all-gather, what it ends up with [B].
    """

    kind: CollectiveKind
    groups: Groups
    pairs: tuple[tuple[int, int], ...]
    size_bytes: float


@dataclass(frozen=True)
class HloProgram:
    """What one device does: distinct operations with their counts, and collectives as (which, times) in order.

    ``warnings`` name what could only be counted in part.
    """

    file: str
    devices: int
    operations: tuple[Operation, ...]
    collectives: tuple[tuple[HloCollective, int], ...]
    warnings: tuple[str, ...]


def load(path: Path) -> HloProgram:
    """Return what the compiled module in a file does.

    Raises
    ------
    ScenarioError
        For every line that is not understood, and every loop whose number of trips is not stated.
    """
    return program(read(path))


def program(module: Module) -> HloProgram:
    """Return what a module does.

    Raises
    ------
    ScenarioError
        For every instruction without a rule, and every loop whose number of trips is not stated.
    """
    walk = _Walk(module, rest_of(module))
    walk.run(module.computations[module.entry], 1, Context(UNKNOWN))
    if walk.problems:
        raise ScenarioError(list(walk.problems))
    operations = tuple(replace(operation, count=count) for operation, count in walk.operations.items())
    return HloProgram(module.file, module.devices, operations, tuple(walk.collectives.items()), tuple(walk.warnings))


@dataclass
class _Walk:
    """Counts the instructions of the entry and of what it calls, each as often as it is executed."""

    module: Module
    rest: str
    operations: dict[Operation, int] = field(default_factory=dict)
    collectives: dict[HloCollective, int] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)
    problems: dict[Problem, None] = field(default_factory=dict)

    def run(self, computation: Computation, times: int, context: Context) -> None:
        """Execute a computation ``times`` times; what it holds without a label of its own has that of ``context``."""
        labels = contexts(computation, context, self.rest)
        for name, instruction in computation.instructions.items():
            try:
                self._execute(computation, instruction, times, labels[name])
            except SyntaxProblem as error:
                self.problems[self.module.problem(instruction.line, error.found, error.expected)] = None

    def _execute(self, within: Computation, instruction: Instruction, times: int, context: Context) -> None:
        opcode = instruction.opcode
        plain = opcode.removesuffix("-start")
        if plain in _COLLECTIVES:
            found = _collective(self.module, within, instruction, _COLLECTIVES[plain])
            if found is not None:
                self.collectives[found] = self.collectives.get(found, 0) + times
        elif opcode.endswith(_FINISH) and _begun(opcode) in {*_COLLECTIVES, *_DIRECT}:
            return
        elif opcode == "while":
            self._loop(instruction, times, context)
        elif opcode == "conditional":
            self._branch(instruction, times, context)
        elif opcode in ("call", "async-start"):
            self.run(self._called(instruction, "to_apply" if opcode == "call" else "calls"), times, context)
        elif opcode not in FREE:
            operation = self._operation(within, instruction, context)
            self.operations[operation] = self.operations.get(operation, 0) + times

    def _loop(self, instruction: Instruction, times: int, context: Context) -> None:
        trips = _trips(instruction)
        self.run(self._called(instruction, "condition"), times * (trips + 1), context)
        self.run(self._called(instruction, "body"), times * trips, context)

    def _branch(self, instruction: Instruction, times: int, context: Context) -> None:
        """Take the branch with the most operations."""
        listed = instruction.attributes.get("branch_computations", "{}")[1:-1]
        pair = [instruction.attributes.get(name, "") for name in ("true_computation", "false_computation")]
        names = [name.removeprefix("%") for name in (*split(listed), *pair) if name]
        trials = [(self._tried(self._named(name)), name) for name in names]
        if not trials:
            raise SyntaxProblem("a conditional without branches", "branch_computations={%one, %other}")
        self.run(self._named(max(trials)[1]), times, context)

    def _tried(self, computation: Computation) -> float:
        trial = _Walk(self.module, self.rest)
        trial.run(computation, 1, Context(UNKNOWN))
        return sum((found.flops + found.transcendentals) * count for found, count in trial.operations.items())

    def _operation(self, within: Computation, instruction: Instruction, context: Context) -> Operation:
        parts = self._parts(within, instruction)
        lead, computed = _leading(parts)
        out = next(instruction.shape.leaves())
        self._warn(instruction)
        moved = moved_bytes(self.module, within, instruction)
        return Operation(
            name=lead.opcode if instruction.opcode != "fusion" else _joined(parts),
            kind=_kind(lead),
            phase=cast(Phase, context.phase),
            dtype=_format(within, instruction, lead, out),
            shape=computed.shape or out.sizes,
            flops=sum(part.flops for _, part in parts),
            bytes=moved,
            bytes_fused=moved,
            bytes_compiled=moved,
            scope=context.scope,
            transcendentals=sum(part.transcendentals for _, part in parts),
        )

    def _parts(self, within: Computation, instruction: Instruction) -> list[tuple[Instruction, Work]]:
        """Return an instruction, or those of a fusion, with what each computes."""
        if instruction.opcode != "fusion":
            return [(instruction, work(self.module, within, instruction))]
        inner = self._called(instruction, "calls")
        return [pair for node in inner.instructions.values() for pair in self._parts(inner, node)]

    def _called(self, instruction: Instruction, attribute: str) -> Computation:
        return self._named(instruction.attributes.get(attribute, "").removeprefix("%"))

    def _named(self, name: str) -> Computation:
        if name not in self.module.computations:
            raise SyntaxProblem(f'the computation "{name}", which is not in the file', "a whole module")
        return self.module.computations[name]

    def _warn(self, instruction: Instruction) -> None:
        target = instruction.attributes.get("custom_call_target", "").strip('"')
        if instruction.opcode in _OUTSIDE or (target and not work_is_known(instruction)):
            named = f'custom call "{target}"' if target else instruction.opcode
            text = f"{named}: only its operands and results are counted, as bytes"
            self.warnings[f"{self.module.file}:{instruction.line}: {text}"] = None


def work_is_known(instruction: Instruction) -> bool:
    """Whether the text of a custom call tells what it computes: a product does, by the axes it states."""
    return "dot_dimension_numbers" in instruction.attributes.get("backend_config", "")


def _collective(
    module: Module, within: Computation, instruction: Instruction, kind: CollectiveKind
) -> HloCollective | None:
    """Return a collective, None where every device is alone in its group."""
    shapes = [within.instructions[name].shape for name in instruction.operands if name in within.instructions]
    given = sum(shape.size_bytes for shape in _payload(instruction, shapes))
    if kind == "permute":
        return HloCollective(kind, (), pairs(instruction.attributes.get("source_target_pairs", "{}")), given)
    members = groups(instruction.attributes.get("replica_groups", "{}"), module.devices)
    largest = max(map(len, members), default=0)
    if largest <= 1:
        return None
    return HloCollective(kind, members, (), given * (largest if kind == "all-gather" else 1))


def _payload(instruction: Instruction, shapes: list[Shape]) -> list[Shape]:
    """The arrays that travel; offsets of a ragged all-to-all and the target of a permutation do not."""
    return shapes[:1] if instruction.opcode.startswith(("ragged", "collective-permute")) else shapes


def _trips(instruction: Instruction) -> int:
    text = instruction.attributes.get("backend_config", "")
    try:
        stated = json.loads(text) if text else {}
        return int(stated["known_trip_count"]["n"])
    except (ValueError, KeyError, TypeError):
        expected = (
            'known_trip_count in its backend_config, as XLA writes for jax.lax.scan: {"known_trip_count":{"n":"20"}}'
        )
        raise SyntaxProblem("a while loop of unknown length", expected) from None


def _begun(opcode: str) -> str:
    for suffix in _FINISH:
        opcode = opcode.removesuffix(suffix)
    return opcode


def _leading(parts: list[tuple[Instruction, Work]]) -> tuple[Instruction, Work]:
    """Return the instruction that names a kernel: the product where there is one, else the last that computes."""
    for opcode in _LEADING:
        for found in parts:
            if found[0].opcode == opcode:
                return found
    computing = [found for found in parts if found[0].opcode not in FREE]
    return computing[-1] if computing else parts[-1]


def _kind(lead: Instruction) -> Kind:
    if lead.opcode in ELEMENTWISE or lead.opcode in TRANSCENDENTAL or lead.opcode == "map":
        return "elementwise"
    if lead.opcode == "custom-call" and work_is_known(lead):
        return "matmul"
    return "copy" if lead.opcode in MOVES else _KINDS.get(lead.opcode, "elementwise")


def _format(within: Computation, instruction: Instruction, lead: Instruction, out: Shape) -> str:
    """A product counts as of its wider operand, which is the format the hardware multiplies in."""
    if _kind(lead) not in ("matmul", "convolution"):
        return out.dtype
    names = [name for name in instruction.operands if name in within.instructions]
    arrays = [leaf for name in names for leaf in within.instructions[name].shape.leaves() if leaf.sizes]
    return max(arrays, key=lambda leaf: leaf.width_bytes, default=out).dtype


def _joined(parts: list[tuple[Instruction, Work]]) -> str:
    names = list(dict.fromkeys(part.opcode for part, _ in parts if part.opcode not in FREE))
    return "+".join(names[:3]) + ("+..." if len(names) > 3 else "")
