"""The costs of a step that the user wrote: one function traced with abstract arguments, its phases read from it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dcsim.errors import Problem, ScenarioError
from dcsim.scenario.user import array
from dcsim.workload.loading import blaming, definition, importing
from dcsim.workload.operation import StepCosts
from dcsim.workload.reader import Known
from dcsim.workload.trace import analyze_step, size_of
from dcsim.workload.user import UserCode, shown

if TYPE_CHECKING:
    from dcsim.scenario.user import UserModel


@dataclass(frozen=True, slots=True)
class _Arguments:
    """What the step takes: abstract arrays by name, and plain numbers that are part of the code."""

    arrays: dict[str, Any]
    constants: dict[str, Any]

    def weights(self, model: UserModel) -> str:
        """Return the argument that holds the weights."""
        return model.parameters or next(iter(self.arrays))

    def samples(self, model: UserModel) -> tuple[str, ...]:
        """Return the arguments that hold the samples; a step that takes its weights alone has none."""
        if model.batch is None:
            return tuple(list(self.arrays)[1:][-1:])
        return (model.batch,) if isinstance(model.batch, str) else model.batch

    def split(self, sizes: Sequence[float]) -> dict[str, float]:
        """Return the sum by name of what is given for every array, in the order in which JAX flattens them."""
        import jax

        left, found = list(sizes), {}
        for name in sorted(self.arrays):
            count = len(jax.tree.leaves(self.arrays[name]))
            found[name], left = sum(left[:count]), left[count:]
        return found


def trace_user(model: UserModel, code: UserCode, micro: int) -> StepCosts:
    """Return the costs of one call of the user's function with ``micro`` samples.

    Raises
    ------
    NotFoundError
        If a function is not where the scenario says.
    ScenarioError
        If the code cannot be imported or traced, at its own line.
    """
    import jax

    with importing(code) as find:
        step = find(model.function)
        place = definition(step)
        arguments = _arguments(model, code, micro, find)
        _check(model, arguments, place or (str(code.files[0]), 1))
        with blaming("traceable", code, place), _mesh(model.mesh):
            closed = jax.make_jaxpr(lambda arrays: step(**arrays, **arguments.constants))(arguments.arrays)
        if not closed.out_avals:
            raise ScenarioError([_silent(place or (str(code.files[0]), 1))])
        weights, samples = arguments.weights(model), arguments.samples(model)
        leaves = jax.tree.leaves(arguments.arrays[weights])
        known = Known(dict(model.trips), dict(model.kernels), dict(model.mesh), strict=True)
        found = analyze_step(closed, known, [leaf.shape for leaf in leaves])
        if model.mesh and not known.regions.entered:
            raise ScenarioError([_unsharded(model, place or (str(code.files[0]), 1))])
        held = arguments.split(found.inputs)
        whole = {name: size_of(jax.tree.leaves(item)) for name, item in arguments.arrays.items()}
        state = [name for name in whole if name not in (weights, *samples)]
        return StepCosts(
            operations=found.traced.operations,
            order=found.traced.order,
            gradients=found.gradients,
            parameters=sum(leaf.size for leaf in leaves),
            parameter_bytes=held[weights],
            optimizer_bytes=sum(held[name] for name in state),
            residual_bytes=found.traced.residual_bytes,
            sample_bytes=sum(whole[name] for name in samples) / micro,
            tokens_per_sample=model.tokens,
            warnings=found.traced.warnings,
            residual_bytes_fused=found.traced.residual_bytes_fused,
            mesh=tuple(model.mesh.items()),
            sequence=found.traced.sequence,
            exchanges=found.traced.exchanges,
            state_bytes=sum(whole[name] for name in (weights, *state)),
        )


def _mesh(sizes: Mapping[str, int]) -> AbstractContextManager[Any]:
    """Return the context of a mesh without devices, which ``shard_map`` takes where it is given none."""
    import jax

    if not sizes:
        return nullcontext()
    automatic = (jax.sharding.AxisType.Auto,) * len(sizes)
    return jax.sharding.use_abstract_mesh(jax.sharding.AbstractMesh(tuple(sizes.values()), tuple(sizes), automatic))


def _silent(place: tuple[str, int]) -> Problem:
    found = "a function that returns no arrays"
    return Problem(shown(place[0]), place[1], "", found, "its results, because what no result needs is not computed")


def _unsharded(model: UserModel, place: tuple[str, int]) -> Problem:
    written = ", ".join(f"{axis}: {size}" for axis, size in model.mesh.items())
    found = f"a function without jax.shard_map for the mesh {{{written}}} of the scenario"
    expected = "its work inside jax.shard_map, or a scenario without model.mesh, whose parallel: splits it"
    return Problem(shown(place[0]), place[1], "", found, expected)


def _arguments(model: UserModel, code: UserCode, micro: int, find: Callable[[str], Any]) -> _Arguments:
    made = _made(model.arguments, code, micro, find)
    if not isinstance(made, dict):
        found = f'arguments that are a {type(made).__name__}, made by "{model.arguments}"'
        file, line = definition(find(model.arguments)) or (str(code.files[0]), 1)
        raise ScenarioError([Problem(shown(file), line, "", found, "a dict of the step's arguments by name")])
    constants = {name: item for name, item in made.items() if isinstance(item, bool | int | float)}
    return _Arguments({name: item for name, item in made.items() if name not in constants}, constants)


def _made(described: Any, code: UserCode, micro: int, find: Callable[[str], Any]) -> Any:
    """Return the abstract arrays of what the scenario describes."""
    match described:
        case dict():
            return {name: _made(item, code, micro, find) for name, item in described.items()}
        case list() | tuple():
            return [_made(item, code, micro, find) for item in described]
        case str() if (found := array(described)) is not None:
            return _abstract(found[0], tuple(micro if size == "micro" else int(size) for size in found[1]))
        case str():
            return _built(find(described), code, micro)
    return described


def _abstract(dtype: str, shape: tuple[int, ...]) -> Any:
    import jax

    if dtype == "key":
        return jax.eval_shape(lambda: jax.random.split(jax.random.key(0), shape) if shape else jax.random.key(0))
    return jax.ShapeDtypeStruct(shape, jax.numpy.dtype(dtype))  # type: ignore[no-untyped-call]


def _built(function: Any, code: UserCode, micro: int) -> Any:
    """Call a function that makes arguments: abstractly, so that real weights take no memory."""
    import jax
    import jax.numpy as jnp

    def concrete(leaf: Any) -> Any:
        return jnp.empty(leaf.shape, leaf.dtype) if isinstance(leaf, jax.ShapeDtypeStruct) else leaf

    place = definition(function)
    with blaming("traceable", code, place):
        takes = inspect.signature(function).parameters
        return jax.eval_shape(
            lambda: jax.tree.map(concrete, function(**({"micro": micro} if "micro" in takes else {})))
        )


def _check(model: UserModel, arguments: _Arguments, place: tuple[str, int]) -> None:
    """Refuse names of arguments that there are not."""
    file, line = shown(place[0]), place[1]
    known = ", ".join(arguments.arrays)
    if not arguments.arrays:
        raise ScenarioError([Problem(file, line, "", "a function that takes no arrays", "at least its weights")])
    named = [("parameters", arguments.weights(model)), *(("batch", name) for name in arguments.samples(model))]
    for key, name in named:
        if name not in arguments.arrays:
            found = f'the key "{key}: {name}" in the scenario'
            raise ScenarioError([Problem(file, line, "", found, f"an argument that holds arrays: {known}")])
