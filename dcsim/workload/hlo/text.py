"""The text of a compiled HLO module as computations of instructions, each with its line.

The grammar is that of ``jax.stages.Compiled.as_text()``: https://openxla.org/xla/hlo_to_thunks and
https://openxla.org/xla/operation_semantics.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dcsim.errors import InputError, Problem, ScenarioError
from dcsim.workload.hlo.scanner import SyntaxProblem, end_of, split, uncommented
from dcsim.workload.hlo.shapes import Shape, shape_at

_HEADER = re.compile(r"^(ENTRY\s+)?%?([A-Za-z_][\w.\-]*)\s*(\(.*\)\s*->\s*.*)?\{$")
_RESULT = re.compile(r"^(ROOT\s+)?%?([A-Za-z_][\w.\-]*)\s*=\s*")
_OPCODE = re.compile(r"\s*([a-z][a-z0-9\-]*)\(")
_CLOSED = re.compile(r"^\}(,\s*execution_thread=\"[^\"]*\")?$")
_TABLES = frozenset({"FileNames", "FunctionNames", "FileLocations", "StackFrames"})
_ROW = re.compile(r"^\d+\s")
_WHOLE = "the text of one compiled module, HloModule first: jax.jit(f).lower(...).compile().as_text()"
_EXPECTED = 'an instruction such as "%sum = f32[8]{0} add(%a, %b)"'


@dataclass(frozen=True, slots=True)
class Instruction:
    """One line of a computation; ``literal`` is what stands between its parentheses where that are no operands."""

    name: str
    opcode: str
    shape: Shape
    operands: tuple[str, ...]
    attributes: Mapping[str, str]
    line: int
    root: bool
    literal: str = ""


@dataclass(slots=True)
class Computation:
    """Instructions by name, in the order in which they are written."""

    name: str
    instructions: dict[str, Instruction] = field(default_factory=dict)

    @property
    def root(self) -> Instruction:
        """The instruction whose result is that of the computation."""
        found = list(self.instructions.values())
        return next((instruction for instruction in found if instruction.root), found[-1])


@dataclass(slots=True)
class Module:
    """A whole file: its computations by name, the one that is executed, and how many devices take part."""

    file: str
    computations: dict[str, Computation] = field(default_factory=dict)
    entry: str = ""
    devices: int = 1

    def problem(self, line: int, found: str, expected: str) -> Problem:
        """Return a problem at a line of the file."""
        return Problem(self.file, line, "", found, expected)


def parse(text: str, file: str) -> Module:
    """Return the module written in ``text``; ``file`` is its name in messages.

    Raises
    ------
    ScenarioError
        For every line that is not understood.
    """
    module = Module(file)
    problems: list[Problem] = []
    if not text.lstrip().startswith("HloModule"):
        first = next(iter(text.split("\n", 1)), "")
        raise ScenarioError([module.problem(1, f'"{first[:40]}"', _WHOLE)])
    current: Computation | None = None
    for number, raw in enumerate(text.splitlines(), 1):
        line = uncommented(raw.strip())
        try:
            current = _read(module, current, line, number)
        except SyntaxProblem as error:
            problems.append(module.problem(number, error.found, error.expected))
    if not problems and not module.entry:
        problems.append(module.problem(1, "no ENTRY computation", _WHOLE))
    if problems:
        raise ScenarioError(problems)
    return module


def read(path: Path) -> Module:
    """Return the module written in a file.

    Raises
    ------
    InputError
        If there is no such file.
    ScenarioError
        If the file is no text, or has lines that are not understood.
    """
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ScenarioError(
            [Problem(str(path), None, "", "a file that is no text", "the text of an HLO module")]
        ) from None


def _read(module: Module, current: Computation | None, line: str, number: int) -> Computation | None:
    """Take in one line and return the computation that goes on after it."""
    if not line:
        return current
    if current is not None:
        if _CLOSED.match(line):
            if not current.instructions:
                raise SyntaxProblem(f"the computation {current.name} without instructions", _EXPECTED)
            return None
        instruction = _instruction(line, number)
        current.instructions[instruction.name] = instruction
        return current
    if line.startswith("HloModule "):
        if module.computations:
            raise SyntaxProblem("a second module", "one module a file")
        module.devices = _devices(line)
    elif (header := _HEADER.match(line)) is not None:
        name = header[2]
        if header[1]:
            module.entry = name
        return module.computations.setdefault(name, Computation(name))
    elif line not in _TABLES and not _ROW.match(line):
        raise SyntaxProblem(f'"{line[:60]}"', 'a computation such as "%name (a: f32[8]) -> f32[8] {"')
    return None


def _devices(line: str) -> int:
    """Return the product of replicas and partitions that the head of a module states."""
    total = 1
    for piece in split(line):
        name, _, value = piece.partition("=")
        if name in ("num_partitions", "replica_count") and value.isdigit():
            total *= int(value)
    return total


def _instruction(line: str, number: int) -> Instruction:
    found = _RESULT.match(line)
    if found is None:
        raise SyntaxProblem(f'"{line[:60]}"', _EXPECTED)
    shape, end = shape_at(line, found.end())
    opcode = _OPCODE.match(line, end)
    if opcode is None:
        raise SyntaxProblem(f'"{line[end : end + 40].strip()}" after the shape of {found[2]}', _EXPECTED)
    close = end_of(line, opcode.end() - 1)
    inside = line[opcode.end() : close - 1]
    plain = opcode[1] in ("constant", "parameter")
    operands = () if plain else tuple(_operand(piece) for piece in split(inside))
    attributes = dict(_attribute(piece) for piece in split(line[close:]))
    return Instruction(
        found[2], opcode[1], shape, operands, attributes, number, bool(found[1]), inside if plain else ""
    )


def _operand(text: str) -> str:
    """Return the name of an operand, before which its shape may stand."""
    return text.split()[-1].removeprefix("%")


def _attribute(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z_][\w\-]*", name.strip()):
        raise SyntaxProblem(f'the attribute "{text[:60]}"', "name=value")
    return name.strip(), value.strip()
