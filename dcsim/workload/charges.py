"""The operation record of one kernel: its nodes' costs summed, its memory traffic from what it reads and writes."""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import cast

from dcsim.workload import rules
from dcsim.workload.attention import Internal
from dcsim.workload.fusion import Unit
from dcsim.workload.graph import Node, Value
from dcsim.workload.operation import Kind, Operation, Phase
from dcsim.workload.primitives import INDEXED, REDUCTIONS, SLOW

_RANKS: tuple[Kind, ...] = ("copy", "elementwise", "random", "reduce")  # the last kind met names a fused kernel
_NAMED = 3
_UNNAMED = frozenset({"convert_element_type", "select_n", "iota"})


def operation_of(unit: Unit, inside: Internal) -> tuple[Operation, list[str]]:
    """Return the operation of ``unit`` and what could not be costed."""
    charges = [(node, rules.charge(node)) for node in unit.nodes]
    unknown = [_unknown(node) for node, found in charges if found is None]
    known = [found for _, found in charges if found is not None]
    largest = _largest(unit)
    first = known[0] if known else rules.Charge("elementwise", 0.0, shape=largest.shape)
    kind = max((found.kind for found in known), key=_RANKS.index) if unit.fusible else first.kind
    moved, fused = _traffic(unit, inside, first)
    operation = Operation(
        name=_name(unit),
        kind=kind,
        phase=cast(Phase, unit.label[0]),
        dtype=_format(unit, kind, largest),
        shape=largest.shape if unit.fusible else first.shape or largest.shape,
        flops=sum(found.flops for found in known),
        bytes=moved,
        bytes_fused=fused,
        scope=unit.label[1],
        transcendentals=sum(found.transcendentals for found in known),
        form=first.crossed if unit.looped and first.crossed else first.form,
        geometry=first.geometry,
        stacked_bytes=_stacked(unit),
        functions=_functions(unit),
        flops_again=sum(inside.again.get(id(node), 0.0) for node in unit.nodes),
        bytes_compiled=unit.compiled_bytes + (0.0 if unit.fusible else moved),
    )
    return operation, unknown


def _traffic(unit: Unit, inside: Internal, charge: rules.Charge) -> tuple[float, float]:
    """Return bytes read and written, in all and without the arrays that fused attention keeps on the chip."""
    if not unit.fusible and charge.size_bytes is not None:
        return charge.size_bytes, charge.size_bytes
    sizes = [(value, value.touched_bytes) for value in unit.reads]
    sizes += [(value, value.size_bytes) for value in unit.writes]
    return sum(size for _, size in sizes), sum(size for value, size in sizes if value not in inside)


def _stacked(unit: Unit) -> float:
    """Return what the kernel takes from, or adds to, the arrays that its loop goes through slice by slice [B]."""
    taken = sum(value.touched_bytes for value in unit.reads if value.storage in unit.slices)
    return taken + sum(value.size_bytes for value in unit.writes if value.storage in unit.slices)


def _functions(unit: Unit) -> tuple[tuple[str, float], ...]:
    """Return how often each slow elementwise primitive is evaluated, and the rows that are found by an index."""
    found: Counter[str] = Counter()
    for node in unit.nodes:
        if node.primitive in SLOW:
            found[node.primitive] += node.outputs[0].elements
        elif node.primitive in INDEXED:
            found[node.primitive] += prod(node.inputs[1].shape[:-1])
    return tuple((name, float(count)) for name, count in sorted(found.items()))


def _largest(unit: Unit) -> Value:
    made = unit.writes or [value for node in unit.nodes for value in node.outputs]
    read = [value for value in unit.reads if value.elements > 1]
    if any(node.primitive in REDUCTIONS for node in unit.nodes):
        made = [*made, *read]
    return max(made, key=lambda value: value.elements)


def _format(unit: Unit, kind: Kind, largest: Value) -> str:
    """A product counts as of its wider operand, which is the format the hardware multiplies in."""
    if kind in ("matmul", "convolution"):
        return max(unit.nodes[0].inputs[:2], key=lambda value: value.size_bytes / max(1, value.elements)).dtype
    return largest.dtype


def _name(unit: Unit) -> str:
    names = list(dict.fromkeys(node.primitive for node in unit.nodes))
    telling = [name for name in names if name not in _UNNAMED] or names
    return "+".join(telling[:_NAMED]) + ("+..." if len(telling) > _NAMED else "")


def _unknown(node: Node) -> str:
    text = f"primitive {node.primitive!r} has no cost rule; only its operands and results are counted, as bytes"
    return ": ".join(filter(None, (str(node.place), text)))
