"""Bytes that HLO instructions read and write, in the convention of XLA's own cost analysis.

An instruction reads its operands and writes its result; slices, updates and gathers touch the part they take. A fusion
reads of an operand that it only takes slices of those slices, and where its result is an operand updated in place it
writes the update.
"""

from __future__ import annotations

from dcsim.workload.hlo.costs import FREE
from dcsim.workload.hlo.text import Computation, Instruction, Module

_SLICES = frozenset({"slice", "dynamic-slice", "gather"})


def moved_bytes(module: Module, within: Computation, instruction: Instruction) -> float:
    """Return what one execution of an instruction reads and writes [B]."""
    if instruction.opcode == "fusion":
        return _fused(module, within, instruction)
    return _plain(within, instruction)


def _plain(within: Computation, instruction: Instruction) -> float:
    if instruction.opcode in FREE:
        return 0.0
    given = [_size(within, name) for name in instruction.operands]
    out = instruction.shape.size_bytes
    if instruction.opcode in ("slice", "dynamic-slice"):
        return 2.0 * out + sum(given[1:])
    if instruction.opcode == "copy-start":
        return 2.0 * given[0]
    if instruction.opcode == "dynamic-update-slice":
        return 2.0 * given[1] + sum(given[2:])
    if instruction.opcode == "gather":
        return 2.0 * out + given[1]
    if instruction.opcode == "scatter":
        arrays = len(given) // 2
        return 3.0 * sum(given[arrays + 1 :]) + given[arrays]
    return out + sum(given)


def _fused(module: Module, within: Computation, instruction: Instruction) -> float:
    inner = module.computations[instruction.attributes["calls"].removeprefix("%")]
    read = 0.0
    for node in inner.instructions.values():
        if node.opcode == "parameter" and node.literal.strip().isdigit():
            given = _size(within, instruction.operands[int(node.literal)])
            read += min(given, _touched(inner, node))
    return read + _written(inner, inner.root)


def _touched(inner: Computation, value: Instruction) -> float:
    """Return what a fusion reads of a parameter, or of a view of it [B]."""
    total = 0.0
    for user in inner.instructions.values():
        for position, name in enumerate(user.operands):
            if name != value.name:
                continue
            if user.opcode in _SLICES and position == 0:
                total += user.shape.size_bytes
            elif user.opcode == "bitcast":
                total += _touched(inner, user)
            elif user.opcode == "dynamic-update-slice" and position == 0:
                total += 0.0  # the rest stays as it is
            else:
                return value.shape.size_bytes
    return total


def _written(inner: Computation, root: Instruction) -> float:
    """Return what a fusion writes: of an update in place the update [B]."""
    if root.opcode == "tuple":
        return sum(_written(inner, inner.instructions[name]) for name in root.operands)
    source = root
    while source.opcode == "bitcast" and source.operands[0] in inner.instructions:
        source = inner.instructions[source.operands[0]]
    if source.opcode == "dynamic-update-slice":
        return inner.instructions[source.operands[1]].shape.size_bytes
    return root.shape.size_bytes


def _size(within: Computation, name: str) -> float:
    found = within.instructions.get(name)
    return 0.0 if found is None else found.shape.size_bytes
