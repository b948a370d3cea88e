"""From a jaxpr to plain blocks: calls inlined, scans kept as loops, the costliest branch taken, labels inherited."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from jax.extend import core

from dcsim.errors import InputError
from dcsim.workload import rules
from dcsim.workload.graph import Block, Loop, Node, Value, dtype_name, walk
from dcsim.workload.phases import Context

_BODIES = ("jaxpr", "call_jaxpr", "fun_jaxpr", "body_jaxpr")


def read(closed: Any, context: Context) -> Block:
    """Return the program of a closed jaxpr.

    Raises
    ------
    InputError
        For a loop whose number of trips the trace does not know.
    """
    inputs = tuple(_value(variable.aval) for variable in closed.jaxpr.invars)
    block = Block(inputs, [], ())
    block.outputs = _Reader(block.nodes, context).inline(closed, inputs, context)
    return block


class _Reader:
    """Appends the nodes of one jaxpr, and of the calls in it, to ``nodes``."""

    def __init__(self, nodes: list[Node], context: Context) -> None:
        self._nodes, self._context = nodes, context

    def inline(self, jaxpr: Any, inputs: Sequence[Value], context: Context) -> tuple[Value, ...]:
        """Append the equations of ``jaxpr`` with ``inputs`` bound to its arguments; return its results."""
        plain, constants = (jaxpr.jaxpr, jaxpr.consts) if hasattr(jaxpr, "consts") else (jaxpr, ())
        bound: dict[Any, Value] = dict(zip(plain.invars, inputs, strict=True))
        bound.update((variable, _value(variable.aval)) for variable in plain.constvars)
        del constants  # only their shapes matter, and the variables carry those
        for equation in plain.eqns:
            taken = tuple(_look_up(bound, variable) for variable in equation.invars)
            made = self._apply(equation, taken, context.of(str(equation.source_info.name_stack)))
            bound.update(zip(equation.outvars, made, strict=True))
        return tuple(_look_up(bound, variable) for variable in plain.outvars)

    def _apply(self, equation: Any, inputs: tuple[Value, ...], context: Context) -> tuple[Value, ...]:
        name = equation.primitive.name
        if name in rules.VIEWS:
            return tuple(_value(variable.aval, inputs[0]) for variable in equation.outvars)
        if name == "scan":
            return self._scan(equation, inputs, context)
        if name == "cond":
            return self._branch(equation, inputs, context)
        if name == "while":
            raise InputError(_endless(equation))
        body = next((equation.params[key] for key in _BODIES if _is_jaxpr(equation.params.get(key))), None)
        if body is not None:
            return self.inline(body, inputs, context)
        return self._node(equation, inputs, context, None)

    def _node(self, equation: Any, inputs: tuple[Value, ...], context: Context, loop: Loop | None) -> tuple[Value, ...]:
        outputs = tuple(_value(variable.aval) for variable in equation.outvars)
        name = equation.primitive.name
        node = Node(name, equation.params, inputs, outputs, context.phase, context.scope, _place(equation), loop)
        self._nodes.append(node)
        return outputs

    def _scan(self, equation: Any, inputs: tuple[Value, ...], context: Context) -> tuple[Value, ...]:
        given = equation.params
        body = read(given["jaxpr"], context)
        loop = Loop(body, int(given["length"]), bool(given["reverse"]), given["num_consts"], given["num_carry"])
        return self._node(equation, inputs, context, loop)

    def _branch(self, equation: Any, inputs: tuple[Value, ...], context: Context) -> tuple[Value, ...]:
        """Take the branch with the most operations: the cost of a step is an upper bound over data."""
        branches = equation.params["branches"]
        costliest = max(branches, key=lambda branch: _flops(read(branch, context)))
        return self.inline(costliest, inputs[1:], context)


def _flops(block: Block) -> float:
    charges = ((rules.charge(node), node) for node in walk(block) if node.loop is None)
    total = sum(found.flops + found.transcendentals for found, _ in charges if found is not None)
    return total + sum((node.loop.trips - 1) * _flops(node.loop.body) for node in block.nodes if node.loop is not None)


def _look_up(bound: dict[Any, Value], variable: Any) -> Value:
    if isinstance(variable, core.Literal):
        return Value((), dtype_name(getattr(variable.aval, "dtype", "")), 1, 0.0)
    return bound[variable]


def _value(aval: Any, view_of: Value | None = None) -> Value:
    shape = tuple(int(size) for size in getattr(aval, "shape", ()))
    dtype = getattr(aval, "dtype", None)
    elements = prod(shape)
    width = 0 if dtype is None else getattr(dtype, "itemsize", 4)
    return Value(shape, dtype_name(dtype), elements, float(elements * width), view_of)


def _is_jaxpr(candidate: Any) -> bool:
    return hasattr(candidate, "eqns") or hasattr(candidate, "jaxpr")


def _endless(equation: Any) -> str:
    return (
        f"{_place(equation) or 'the traced program'}: found a while loop whose number of trips depends on data, "
        "expected a loop of known length such as jax.lax.scan, or jax.lax.fori_loop with constant bounds"
    )


def _place(equation: Any) -> str:
    """Return "file:line" of the user's code that made the equation, "" where it is not known."""
    traceback = equation.source_info.traceback
    if traceback is None:
        return ""
    for frame in traceback.frames:
        name = frame.file_name.replace("\\", "/")
        if "/jax/" not in name and "/optax/" not in name and "<" not in name:
            return f"{frame.file_name}:{frame.line_num}"
    return ""
