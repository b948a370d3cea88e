"""From a training step to what it costs: it is traced with abstract arrays, nothing of it is computed or allocated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING, Any

from dcsim.workload.attention import internal
from dcsim.workload.charges import operation_of
from dcsim.workload.fusion import Unit, fuse
from dcsim.workload.graph import Block, Classes, Loop, Value, classes, walk
from dcsim.workload.liveness import remove_dead
from dcsim.workload.operation import Gradient, Operation, StepCosts
from dcsim.workload.phases import UNKNOWN, Context
from dcsim.workload.steps import gradients_of, tell_phases

if TYPE_CHECKING:
    from dcsim.workload.reader import Known
    from dcsim.workload.step import Recipe

_BACKWARD = frozenset({"backward", "recompute"})


@dataclass(frozen=True, slots=True)
class Traced:
    """What a walk over one program found; ``ready`` are the positions in ``order`` after which each output is complete.

    An output that a loop makes slice by slice has one position a slice, in the order of the slices.
    """

    operations: tuple[Operation, ...]
    order: tuple[int, ...]
    ready: tuple[tuple[int, ...], ...]
    residual_bytes: float
    residual_bytes_fused: float
    warnings: tuple[str, ...]


def trace(recipe: Recipe, micro: int) -> StepCosts:
    """Return the costs of one training step of one rank at ``micro`` samples.

    Raises
    ------
    InputError
        For a loop whose number of trips the trace does not know, or a model whose sizes do not fit together.
    """
    import jax

    from dcsim.workload.step import Step

    step = Step(recipe)
    master, state = jax.eval_shape(step.init, jax.eval_shape(lambda: jax.random.key(0)))
    weights = jax.eval_shape(step.weights, master)
    backward = analyze(jax.make_jaxpr(step.gradient)(weights, step.batch(micro)), "forward")
    arrays = step.update if step.mixed else (lambda *given: step.update(*given)[1:])
    update = analyze(jax.make_jaxpr(arrays)(master, state, weights), "optimizer")
    paths, leaves = zip(*jax.tree.leaves_with_path(weights), strict=True)
    named = [
        (jax.tree_util.keystr(path, simple=True, separator="/"), leaf) for path, leaf in zip(paths, leaves, strict=True)
    ]
    kept = size_of(jax.tree.leaves(state)) + (size_of(jax.tree.leaves(master)) if step.mixed else 0.0)
    return StepCosts(
        operations=backward.operations + update.operations,
        order=backward.order,
        gradients=_gradients(named, backward.ready[1:]),
        parameters=sum(leaf.size for leaf in leaves),
        parameter_bytes=size_of(leaves),
        optimizer_bytes=kept,
        residual_bytes=backward.residual_bytes,
        sample_bytes=recipe.model.sample_bytes,
        tokens_per_sample=recipe.model.tokens_per_sample,
        warnings=backward.warnings + update.warnings,
        residual_bytes_fused=backward.residual_bytes_fused,
    )


def analyze(closed: Any, phase: str) -> Traced:
    """Return what the program of a closed jaxpr costs; ``phase`` is that of equations without a label of their own."""
    from dcsim.workload.reader import read

    return _analyzed(read(closed, Context(phase)), None)


@dataclass(frozen=True, slots=True)
class TracedStep:
    """What a walk over a whole step found: forward, backward and update in one program."""

    traced: Traced
    gradients: tuple[Gradient, ...]


def analyze_step(closed: Any, known: Known, shapes: Sequence[tuple[int, ...]]) -> TracedStep:
    """Return what a whole step costs, whose phases and gradients are read from the program itself.

    ``shapes`` are those of the weights: a gradient is what the backward pass makes in the shape of one.
    """
    from dcsim.workload.reader import read

    block = read(closed, Context(UNKNOWN), known)
    remove_dead(block)
    tell_phases(block)
    made = gradients_of(block, shapes)
    traced = _analyzed(block, tuple(made))
    named = [(f"gradient {number}", value) for number, value in enumerate(made)]
    return TracedStep(traced, _gradients(named, traced.ready))


def _analyzed(block: Block, watched: tuple[Value, ...] | None) -> Traced:
    """Return what ``block`` costs, and when the ``watched`` arrays (its outputs unless given) are ready."""
    remove_dead(block)
    same = classes(block)
    emitted = _Emitted(internal(block, same))
    units = fuse(block)
    emitted.run(units, 1)
    residuals = _residuals(block, same)
    inside = emitted.inside
    return Traced(
        emitted.finished(),
        tuple(emitted.order),
        tuple(emitted.ready(value) for value in (block.outputs if watched is None else watched)),
        sum(size for _, size in residuals),
        sum(size for value, size in residuals if value not in inside.members),
        tuple(emitted.warnings),
    )


@dataclass(slots=True)
class _Emitted:
    """The operations as they are executed: distinct ones counted, the backward pass listed in order."""

    inside: Any
    order: list[int] = field(default_factory=list)
    warnings: dict[str, None] = field(default_factory=dict)
    _index: dict[Operation, int] = field(default_factory=dict)
    _counts: list[int] = field(default_factory=list)
    _known: dict[int, Operation] = field(default_factory=dict)
    _made: dict[Value, int] = field(default_factory=dict)
    _slices: dict[Value, list[int]] = field(default_factory=dict)

    def run(self, units: Sequence[Unit], times: int) -> None:
        """Execute ``units`` in order; the trips of a backward loop one by one, those of others by count."""
        for unit in units:
            loop = unit.nodes[0].loop
            if loop is None:
                self._execute(unit, times)
            elif unit.label[0] in _BACKWARD:
                self._unroll(unit, loop, times)
            else:
                self.run(unit.body, times * loop.trips)

    def finished(self) -> tuple[Operation, ...]:
        """Return the distinct operations with their counts."""
        return tuple(replace(found, count=count) for found, count in zip(self._index, self._counts, strict=True))

    def ready(self, value: Value) -> tuple[int, ...]:
        """Return the positions in the order after which ``value``, or each of its slices, is complete."""
        storage = value.storage
        if storage in self._slices:
            return tuple(self._slices[storage])
        return (self._made.get(storage, 0),)

    def _execute(self, unit: Unit, times: int) -> None:
        found = self._known.get(id(unit))
        if found is None:
            found, unknown = operation_of(unit, self.inside)
            self._known[id(unit)] = found
            self.warnings.update(dict.fromkeys(unknown))
        index = self._index.setdefault(found, len(self._index))
        if index == len(self._counts):
            self._counts.append(0)
        self._counts[index] += times
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


def _residuals(block: Block, same: Classes) -> list[tuple[Value, float]]:
    """Return (class, bytes) of every array made in the forward pass and read in the backward pass.

    A class spans the boundaries of loops, so the array counted is the stacked one that holds all trips.
    """
    made: dict[Value, float] = {}
    for value in (output for node in walk(block) if node.phase == "forward" for output in node.outputs):
        made[same.find(value)] = max(made.get(same.find(value), 0.0), value.size_bytes)
    given: dict[Value, float] = {}
    for value in block.inputs:
        given[same.find(value)] = max(given.get(same.find(value), 0.0), value.size_bytes)
    read = {same.find(value): None for node in walk(block) if node.phase in _BACKWARD for value in node.inputs}
    return [(value, made[value]) for value in read if value in made and made[value] > given.get(value, 0.0)]


def _gradients(named: list[tuple[str, Any]], ready: Sequence[tuple[int, ...]]) -> tuple[Gradient, ...]:
    """One record an array, or a layer's slice of a stacked array, in the order in which they are ready."""
    found: list[Gradient] = []
    for (name, leaf), positions in zip(named, ready, strict=True):
        elements = prod(leaf.shape)
        width = leaf.size_bytes / elements if isinstance(leaf, Value) else leaf.dtype.itemsize
        if len(positions) > 1 and leaf.shape[0] == len(positions):
            share = elements // len(positions)
            found.extend(Gradient(f"{name}[{layer}]", share, after, width) for layer, after in enumerate(positions))
        else:
            found.append(Gradient(name, elements, max(positions), width))
    return tuple(sorted(found, key=lambda gradient: gradient.after))


def size_of(leaves: Sequence[Any]) -> float:
    """Return the bytes of arrays, abstract ones too [B]."""
    return float(sum(leaf.size * leaf.dtype.itemsize for leaf in leaves))
