"""From a jaxpr to plain blocks: calls inlined, scans kept as loops, the costliest branch taken, labels inherited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import PurePath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from jax.extend import core

from dcsim.errors import Problem, ScenarioError
from dcsim.workload import primitives, rules
from dcsim.workload.custom import estimate_of, kernel_name, unregistered
from dcsim.workload.graph import Block, Loop, Node, Value, dtype_name, walk
from dcsim.workload.mesh import Regions, check_mesh, problem_at
from dcsim.workload.phases import Context
from dcsim.workload.places import Place

if TYPE_CHECKING:
    from dcsim.scenario.user import KernelCost

_BODIES = ("jaxpr", "call_jaxpr", "fun_jaxpr", "body_jaxpr", "call", "callee")
_PACKED: Mapping[str, float] = MappingProxyType({"int4": 0.5, "uint4": 0.5, "float4_e2m1fn": 0.5})  # two in a byte


@dataclass(frozen=True, slots=True)
class Known:
    """What the user states because no trace can tell: trips of loops by "file:line", costs of kernels, the mesh.

    ``strict`` refuses primitives without a rule instead of counting their bytes alone. ``regions`` collects where the
    program enters and leaves ``shard_map``.
    """

    trips: Mapping[str, int] = field(default_factory=dict)
    kernels: Mapping[str, KernelCost] = field(default_factory=dict)
    mesh: Mapping[str, int] = field(default_factory=dict)
    strict: bool = False
    regions: Regions = field(default_factory=Regions)


def read(closed: Any, context: Context, known: Known | None = None, inside: bool = False) -> Block:
    """Return the program of a closed jaxpr; ``inside`` says whether it is inside of ``shard_map``.

    Raises
    ------
    ScenarioError
        For a loop whose number of trips neither the trace nor the user knows.
    """
    inputs = tuple(_value(variable.aval) for variable in closed.jaxpr.invars)
    block = Block(inputs, [], ())
    block.outputs = _Reader(block.nodes, known or Known(), inside).inline(closed, inputs, context)
    return block


class _Reader:
    """Appends the nodes of one jaxpr, and of the calls in it, to ``nodes``."""

    def __init__(self, nodes: list[Node], known: Known, inside: bool) -> None:
        self._nodes, self._known, self._inside = nodes, known, inside
        self._parts: dict[Value, tuple[Value, ...]] = {}  # of arrays stacked up by loops that are written out

    def inline(self, jaxpr: Any, inputs: Sequence[Value], context: Context) -> tuple[Value, ...]:
        """Append the equations of ``jaxpr`` with ``inputs`` bound to its arguments; return its results."""
        plain, constants = (jaxpr.jaxpr, jaxpr.consts) if hasattr(jaxpr, "consts") else (jaxpr, ())
        bound: dict[Any, Value] = dict(zip(plain.invars, inputs, strict=True))
        bound.update((variable, _value(variable.aval)) for variable in plain.constvars)
        del constants  # only their shapes matter, and the variables carry those
        for equation in plain.eqns:
            taken = tuple(_look_up(bound, variable) for variable in equation.invars)
            made = self._apply(equation, taken, context.of(str(equation.source_info.name_stack), equation))
            bound.update(zip(equation.outvars, made, strict=True))
        return tuple(_look_up(bound, variable) for variable in plain.outvars)

    def _apply(self, equation: Any, inputs: tuple[Value, ...], context: Context) -> tuple[Value, ...]:
        name = equation.primitive.name
        if name in primitives.VIEWS:
            owners = inputs if len(inputs) == len(equation.outvars) else inputs[:1] * len(equation.outvars)
            return tuple(
                _view(equation, place, variable.aval, own)
                for place, (variable, own) in enumerate(zip(equation.outvars, owners, strict=True))
            )
        special = {
            "scan": self._scan,
            "while": self._while,
            "cond": self._branch,
            "shard_map": self._sharded,
            "custom_linear_solve": self._solve,
        }
        if name in special:
            return special[name](equation, inputs, context)
        body = next((equation.params[key] for key in _BODIES if _is_jaxpr(equation.params.get(key))), None)
        if body is not None and name not in primitives.CUSTOM and name not in primitives.MUTABLE:
            return self.inline(body, _apart(equation, inputs), context)
        return self._node(equation, inputs, context, None)

    def _node(self, equation: Any, inputs: tuple[Value, ...], context: Context, loop: Loop | None) -> tuple[Value, ...]:
        outputs = tuple(_value(variable.aval) for variable in equation.outvars)
        name, parameters = equation.primitive.name, equation.params
        if loop is None and not rules.is_known(name):
            name, parameters = self._unknown(equation, context)
        node = Node(name, parameters, inputs, outputs, context.phase, context.scope, context.place, loop)
        self._nodes.append(node)
        if not self._inside:
            self._known.regions.outside.append(node)
        return outputs

    def _unknown(self, equation: Any, context: Context) -> tuple[str, dict[str, Any]]:
        """Return name and parameters of a primitive without a rule: with the cost that the user states, if any.

        Raises
        ------
        ScenarioError
            For a custom call, and in a user's step for any primitive, whose cost is not stated.
        """
        name, primitive = kernel_name(equation), equation.primitive.name
        stated = self._known.kernels.get(name) or estimate_of(equation)
        if stated is not None:
            return f"kernel {name}", {rules.REGISTERED: stated}
        free = not equation.outvars and primitive not in primitives.MUTABLE  # it prints, or checks
        if not free and (self._known.strict or primitive in primitives.CUSTOM | primitives.MUTABLE):
            raise ScenarioError([unregistered(equation, name, context.place)])
        return primitive, equation.params

    def _solve(self, equation: Any, inputs: tuple[Value, ...], context: Context) -> tuple[Value, ...]:
        """Take the solver of a linear system; the programs that differentiate it are not executed."""
        lengths, solver = equation.params["const_lengths"], equation.params["jaxprs"].solve
        first = lengths.matvec + lengths.vecmat
        right = inputs[first + lengths.solve + lengths.transpose_solve :]
        return self.inline(solver, (*inputs[first : first + lengths.solve], *right), context)

    def _sharded(self, equation: Any, inputs: tuple[Value, ...], context: Context) -> tuple[Value, ...]:
        """Take the program of one rank, whose arrays are parts of those outside."""
        given, regions = equation.params, self._known.regions
        if self._inside:
            return self.inline(given["jaxpr"], inputs, context)
        manual = given.get("newly_manual_axes", given.get("manual_axes", given["mesh"].axis_names))
        check_mesh(given["mesh"], manual, self._known.mesh, context.place)
        parts = tuple(
            _value(variable.aval, whole) for variable, whole in zip(given["jaxpr"].invars, inputs, strict=True)
        )
        regions.entered.extend((whole, part.elements) for whole, part in zip(inputs, parts, strict=True))
        self._inside = True
        made = self.inline(given["jaxpr"], parts, context)
        self._inside = False
        given_back = {whole.storage for whole in inputs}
        for part, variable in zip(made, equation.outvars, strict=True):
            if part.storage.elements == part.elements and part.storage not in given_back:
                regions.left[part.storage] = prod(variable.aval.shape)
        return made

    def _scan(self, equation: Any, inputs: tuple[Value, ...], context: Context) -> tuple[Value, ...]:
        given = equation.params
        if 0 < int(given["length"]) <= int(given["unroll"]):
            return self._written_out(equation, inputs, context)
        body = read(given["jaxpr"], context, self._known, self._inside)
        loop = Loop(body, int(given["length"]), bool(given["reverse"]), given["num_consts"], given["num_carry"])
        return self._node(equation, inputs, context, loop)

    def _written_out(self, equation: Any, inputs: tuple[Value, ...], context: Context) -> tuple[Value, ...]:
        """Take a loop that JAX writes out: trip after trip with its slices, then what the trips stack up put together.

        What a later loop takes apart again is handed on as it is.
        """
        given, jaxpr = equation.params, equation.params["jaxpr"]
        constants, carries, trips = given["num_consts"], given["num_carry"], int(given["length"])
        fixed, carried = inputs[:constants], inputs[constants : constants + carries]
        sliced = jaxpr.jaxpr.invars[constants + carries :]
        stacks: list[tuple[Value, ...]] = []
        for trip in reversed(range(trips)) if given["reverse"] else range(trips):
            slices = tuple(
                self._parts[whole][trip] if whole in self._parts else _part(variable.aval, whole, trip)
                for variable, whole in zip(sliced, inputs[constants + carries :], strict=True)
            )
            made = self.inline(jaxpr, (*fixed, *carried, *slices), context)
            carried = made[:carries]
            stacks.append(made[carries:])
        if given["reverse"]:
            stacks.reverse()
        columns = zip(*stacks, strict=True)
        stacked = zip(columns, equation.outvars[carries:], strict=True)
        return (*carried, *(self._stacked(column, out, context) for column, out in stacked))

    def _stacked(self, parts: tuple[Value, ...], variable: Any, context: Context) -> Value:
        out = _value(variable.aval)
        self._parts[out] = parts
        self._nodes.append(Node("stack", {}, parts, (out,), context.phase, context.scope, context.place))
        if not self._inside:
            self._known.regions.outside.append(self._nodes[-1])
        return out

    def _while(self, equation: Any, inputs: tuple[Value, ...], context: Context) -> tuple[Value, ...]:
        """Take a loop whose trips the user states; its condition is computed in every trip, too."""
        given = equation.params
        file, _, line = str(context.place).rpartition(":")
        trips = next((count for at, count in self._known.trips.items() if _is_same(at, file, line)), None)
        if trips is None:
            raise ScenarioError([_endless(context.place)])
        checks, constants = given["cond_nconsts"], given["body_nconsts"]
        carried = tuple(_value(variable.aval) for variable in equation.outvars)
        fixed = tuple(_value(variable.aval) for variable in equation.invars[: checks + constants])
        body = Block((*fixed, *carried), [], ())
        reader = _Reader(body.nodes, self._known, self._inside)
        stop = reader.inline(given["cond_jaxpr"], (*fixed[:checks], *carried), context)
        body.outputs = reader.inline(given["body_jaxpr"], (*fixed[checks:], *carried), context)
        return self._node(equation, inputs, context, Loop(body, trips, False, len(fixed), len(carried), stop))

    def _branch(self, equation: Any, inputs: tuple[Value, ...], context: Context) -> tuple[Value, ...]:
        """Take the branch with the most operations: the cost of a step is an upper bound over data."""
        branches = equation.params["branches"]
        trial = replace(self._known, regions=Regions())
        costliest = max(branches, key=lambda branch: _flops(read(branch, context, trial, self._inside)))
        return self.inline(costliest, inputs[1:], context)


def _flops(block: Block) -> float:
    charges = ((rules.charge(node), node) for node in walk(block) if node.loop is None)
    total = sum(found.flops + found.transcendentals for found, _ in charges if found is not None)
    return total + sum((node.loop.trips - 1) * _flops(node.loop.body) for node in block.nodes if node.loop is not None)


def _look_up(bound: dict[Any, Value], variable: Any) -> Value:
    if isinstance(variable, core.Literal):
        return Value((), dtype_name(getattr(variable.aval, "dtype", "")), 1, 0.0, origin=f"literal {variable.val}")
    return bound[variable]


def _value(aval: Any, view_of: Value | None = None) -> Value:
    shape = tuple(int(size) for size in getattr(aval, "shape", ()))
    dtype = getattr(aval, "dtype", None)
    elements = prod(shape)
    width = 0 if dtype is None else _PACKED.get(str(dtype), getattr(dtype, "itemsize", 4))
    return Value(shape, dtype_name(dtype), elements, float(elements * width), view_of)


def _apart(equation: Any, inputs: tuple[Value, ...]) -> tuple[Value, ...]:
    """Return the inputs of a program that is executed again as arrays of their own, unless compilers may merge it."""
    if not (equation.params.get("prevent_cse") and equation.params.get("differentiated")):
        return inputs
    fresh = [replace(value, view_of=value) for value in inputs]
    for value in fresh:
        value.origin = f"apart {id(value)}"
    return tuple(fresh)


def _part(aval: Any, whole: Value, index: int) -> Value:
    found = _value(aval, whole)
    found.origin = f"part {index}"
    return found


def _view(equation: Any, place: int, aval: Any, own: Value) -> Value:
    name = equation.primitive.name
    found = _value(aval, own)
    found.permuted = own.permuted != (name == "transpose" and _turns(equation))
    # what comes out of a barrier is never merged with what went in
    given = id(found) if name in primitives.BARRIERS else equation.params
    found.origin = f"{name} {place} {given}"
    return found


def _turns(equation: Any) -> bool:
    """Whether a transposition changes the order of axes longer than one."""
    shape = equation.invars[0].aval.shape
    order = [axis for axis in equation.params["permutation"] if shape[axis] > 1]
    return order != sorted(order)


def _is_jaxpr(candidate: Any) -> bool:
    return hasattr(candidate, "eqns") or hasattr(candidate, "jaxpr")


def _is_same(at: str, file: str, line: str) -> bool:
    """Whether "my_model.py:31" of a scenario, perhaps with folders before it, is that file and line."""
    name, _, number = at.rpartition(":")
    parts = PurePath(name).parts
    return number == line and PurePath(file).parts[-len(parts) :] == parts


def _endless(place: Place) -> Problem:
    file, _, line = str(place).rpartition(":")
    expected = (
        "a loop of known length such as jax.lax.scan, or jax.lax.fori_loop with constant bounds, or in the scenario "
        f'under model, for 20 trips: trips: {{"{PurePath(file).name or "FILE.py"}:{line or "LINE"}": 20}}'
    )
    return problem_at(place, "a while loop whose number of trips depends on data", expected)
