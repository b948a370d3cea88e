"""The costs of a model that serves: its program is traced with abstract arrays, as that of a training step is.

Nothing is kept for a backward pass, no token skips an expert, batch norm uses the moments of training, and one array
holds what is cached of all tokens so far.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from dcsim.errors import InputError
from dcsim.scenario.inference import Inference, refused
from dcsim.scenario.models import Decoder, MixtureModel
from dcsim.scenario.transformers import token_bytes
from dcsim.workload.models import family, generator, service
from dcsim.workload.models.abstract import array
from dcsim.workload.models.cache import Entry, Size
from dcsim.workload.operation import Operation, StepCosts
from dcsim.workload.step import FORMATS
from dcsim.workload.trace import analyze, size_of

if TYPE_CHECKING:
    from dcsim.scenario.models import ModelSpec

_GROUPED = "ragged_dot_general"
_WIDTHS: Mapping[str, int] = MappingProxyType({"fp32": 4, "bf16": 2, "fp16": 2})


@dataclass(frozen=True, slots=True)
class _Program:
    """What is traced: a function with its abstract arguments, the tokens a row, and what it keeps [B]."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    tokens: int
    sample_bytes: float
    cache_bytes: float = 0.0


def trace_inference(model: ModelSpec, precision: str, inference: Inference, rows: int) -> StepCosts:
    """Return the costs of one step of ``rows`` samples at once.

    ``cache_bytes`` are those of all rows; of a mixture the experts are read that ``rows`` random choices are expected
    to meet (:func:`expected_experts`).

    Raises
    ------
    InputError
        For a model that cannot do what is asked, or more tokens than it has positions for.
    """
    problem = refused(model, inference)
    if problem is not None:
        raise InputError(f"inference.{problem.at}: found {problem.found}, expected {problem.expected}")
    weights = _weights(model, precision)
    frozen = jax.eval_shape(
        lambda arrays, batch: service(model).frozen(arrays, batch, model), weights, family(model).batch(model, 1)
    )
    program = _program(model, precision, inference, rows)
    found = analyze(jax.make_jaxpr(program.function)(frozen, *program.arguments), "forward")
    return StepCosts(
        operations=tuple(_read_once(_met(found.operations, model, rows * program.tokens), model, inference.step)),
        order=(),
        gradients=(),
        parameters=sum(leaf.size for leaf in jax.tree.leaves(weights)),
        parameter_bytes=size_of(jax.tree.leaves(frozen)),
        optimizer_bytes=0.0,
        residual_bytes=0.0,
        sample_bytes=program.sample_bytes,
        tokens_per_sample=program.tokens,
        warnings=found.warnings,
        cache_bytes=program.cache_bytes,
    )


def expected_experts(experts: int, chosen: int, tokens: int) -> float:
    """Return how many of ``experts`` are chosen by at least one of ``tokens``: E (1 - (1 - k / E)^T).

    The choices of a token are ``chosen`` different ones; those of different tokens are taken as independent and even,
    which is what routers are trained for. Uneven routing meets fewer.
    """
    return float(experts * (1.0 - (1.0 - chosen / experts) ** tokens))


def _weights(model: ModelSpec, precision: str) -> Any:
    made = jax.eval_shape(lambda: family(model).init(jax.random.key(0), model))
    return jax.tree.map(lambda leaf: array(leaf.shape, FORMATS[precision]), made)


def _program(model: ModelSpec, precision: str, inference: Inference, rows: int) -> _Program:
    if inference.step == "score":
        batch = {name: part for name, part in family(model).batch(model, rows).items() if name != "seeds"}
        score = service(model).score
        return _Program(
            lambda weights, arrays: score(weights, arrays, model, "loop"),
            (batch,),
            model.tokens_per_sample,
            model.sample_bytes,
        )
    return _generation(model, precision, inference, rows)


def _generation(model: Any, precision: str, inference: Inference, rows: int) -> _Program:
    """Return the program that reads prompts, or that writes one more token."""
    found, size = generator(model), Size(rows, inference.tokens or model.context)
    kept = found.layout(model, size, FORMATS[precision])
    held = size_of(jax.tree.leaves(kept))
    if inference.step == "decode":
        each = array((rows,), jnp.int32)
        entry = Entry(each, each)
        return _Program(
            lambda weights, old, newest: found.decode(weights, old, newest, model), (kept, entry), 1, 0.0, held
        )
    prompts = array((rows, size.room), jnp.int32)
    stored = float(size.room * token_bytes(model.vocabulary))
    return _Program(
        lambda weights, tokens: found.prefill(weights, tokens, model, size.room), (prompts,), size.room, stored, held
    )


def _met(operations: Iterable[Operation], model: ModelSpec, tokens: int) -> Iterable[Operation]:
    """Take what no token meets out of the weights that grouped products read."""
    for operation in operations:
        if operation.name != _GROUPED or not isinstance(model, MixtureModel):
            yield operation
            continue
        _, _, n, k = operation.shape
        idle = model.experts - expected_experts(model.experts, model.chosen, tokens)
        saved = idle * n * k * _WIDTHS[operation.dtype]
        yield replace(operation, bytes=operation.bytes - saved, bytes_fused=operation.bytes_fused - saved)


def _read_once(operations: Iterable[Operation], model: ModelSpec, step: str) -> Iterable[Operation]:
    """Let fused attention take the values of a latent cache out of the keys that it has read."""
    latent = model.latent if isinstance(model, Decoder) and step == "decode" else None
    for operation in operations:
        rows, *sizes = operation.shape or (0,)
        mixes = operation.scope == "attention" and operation.kind == "matmul"
        if latent is not None and mixes and latent.cached in sizes[:2]:
            saved = rows * latent.cached * sizes[2] * _WIDTHS[operation.dtype]
            yield replace(operation, bytes_fused=operation.bytes_fused - saved)
        else:
            yield operation
