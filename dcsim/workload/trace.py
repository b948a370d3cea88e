"""From a training step to what it costs: it is traced with abstract arrays, nothing of it is computed or allocated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from dcsim.workload.attention import Internal, internal
from dcsim.workload.emission import Emitted, MeshEmitted, Tally
from dcsim.workload.fusion import fuse
from dcsim.workload.graph import Block, Classes, Value, classes, walk
from dcsim.workload.liveness import remove_dead
from dcsim.workload.mesh import divide
from dcsim.workload.operation import Exchange, Gradient, Operation, StepCosts
from dcsim.workload.phases import UNKNOWN, Context
from dcsim.workload.steps import gradients_of, tell_phases

if TYPE_CHECKING:
    from dcsim.workload.reader import Known
    from dcsim.workload.step import Recipe

_BACKWARD = frozenset({"backward", "recompute"})


@dataclass(frozen=True, slots=True)
class Traced:
    """What a walk over one program found; ``ready`` are the positions in ``order`` after which each output is complete.

    An output that a loop makes slice by slice has one position a slice, in the order of the slices. A program for a
    mesh of ranks has ``sequence`` and ``exchanges`` in place of ``order`` and ``ready``, as :class:`StepCosts` has.
    """

    operations: tuple[Operation, ...]
    order: tuple[int, ...]
    ready: tuple[tuple[int, ...], ...]
    residual_bytes: float
    residual_bytes_fused: float
    warnings: tuple[str, ...]
    sequence: tuple[tuple[int, int], ...] = ()
    exchanges: tuple[Exchange, ...] = ()


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
    """What a walk over a whole step found: forward, backward and update in one program.

    ``inputs`` are the bytes of every array that the step takes, of the part that one rank holds [B].
    """

    traced: Traced
    gradients: tuple[Gradient, ...]
    inputs: tuple[float, ...]


def analyze_step(closed: Any, known: Known, shapes: Sequence[tuple[int, ...]]) -> TracedStep:
    """Return what a whole step costs, whose phases and gradients are read from the program itself.

    ``shapes`` are those of the weights: a gradient is what the backward pass makes in the shape of one.
    """
    from dcsim.workload.reader import read

    block = read(closed, Context(UNKNOWN), known)
    remove_dead(block)
    if known.mesh:
        divide(block, known.regions)
    tell_phases(block)
    inputs = tuple(value.size_bytes for value in block.inputs)
    if known.mesh:
        return TracedStep(_meshed(block, known.mesh), (), inputs)
    made = gradients_of(block, shapes)
    traced = _analyzed(block, tuple(made))
    named = [(f"gradient {number}", value) for number, value in enumerate(made)]
    return TracedStep(traced, _gradients(named, traced.ready), inputs)


def _analyzed(block: Block, watched: tuple[Value, ...] | None) -> Traced:
    """Return what ``block`` costs, and when the ``watched`` arrays (its outputs unless given) are ready."""
    remove_dead(block)
    same = classes(block)
    tally = Tally(internal(block, same))
    emitted = Emitted(tally)
    emitted.run(fuse(block))
    ready = tuple(emitted.ready(value) for value in (block.outputs if watched is None else watched))
    kept = _kept_bytes(block, same, tally.inside)
    return Traced(tally.finished(), tuple(emitted.order), ready, *kept, tuple(tally.warnings))


def _meshed(block: Block, mesh: Mapping[str, int]) -> Traced:
    """Return what ``block`` costs each rank of a mesh."""
    same = classes(block)
    tally = Tally(internal(block, same))
    emitted = MeshEmitted(tally, mesh)
    emitted.run(fuse(block))
    kept = _kept_bytes(block, same, tally.inside)
    sequence, exchanges = tuple(emitted.sequence), emitted.exchanges()
    return Traced(tally.finished(), (), (), *kept, tuple(tally.warnings), sequence, exchanges)


def _kept_bytes(block: Block, same: Classes, inside: Internal) -> tuple[float, float]:
    """Return what the forward pass keeps for the backward pass, in all and with fused attention [B]."""
    residuals = _residuals(block, same)
    return sum(size for _, size in residuals), sum(size for value, size in residuals if value not in inside.members)


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
