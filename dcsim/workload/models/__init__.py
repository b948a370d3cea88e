"""The model families: pure JAX functions over parameter pytrees, one file a family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from dcsim.scenario.workload import ModelSpec


Layers = Literal["loop", "unrolled", "recomputed"]
"""Equal layers in a loop, one after the other, or in a loop that keeps only its carried array for the backward pass."""


@dataclass(frozen=True, slots=True)
class Family:
    """A family of models.

    ``init(key, spec)`` returns float32 parameters; ``loss(parameters, batch, spec, layers)`` the mean loss of a
    batch, with equal layers laid out as :data:`Layers` says; ``batch(spec, size)`` the abstract arrays of a batch.
    ``judge(parameters, batch, spec)`` returns the :class:`~dcsim.workload.models.objectives.Verdict` on a batch.

    Families with batch norm have ``noted``, the loss with the moments that the norms had, and ``judge`` takes moments
    as its last argument. ``joint`` says that the loss of a sample depends on the others of its batch.
    """

    init: Callable[[Any, Any], Any]
    loss: Callable[[Any, Any, Any, Layers], Any]
    batch: Callable[[Any, int], Any]
    judge: Callable[..., Any]
    noted: Callable[[Any, Any, Any, Layers], Any] | None = None
    joint: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """What a trained model of a family is asked for.

    ``frozen(parameters, batch, spec)`` returns the weights that it serves with; ``score(weights, batch, spec, layers)``
    what it says of a batch, whose labels it does not read unless it judges the tokens that follow.
    """

    frozen: Callable[[Any, Any, Any], Any]
    score: Callable[[Any, Any, Any, Layers], Any]


@dataclass(frozen=True, slots=True)
class Generator:
    """How a model of a family writes token after token.

    ``layout(spec, size, dtype)`` returns the abstract arrays of its cache; ``prefill(weights, tokens, spec, room)`` and
    ``decode(weights, cache, entry, spec)`` return (logits of the next token, cache).
    """

    layout: Callable[[Any, Any, Any], Any]
    prefill: Callable[[Any, Any, Any, int], Any]
    decode: Callable[[Any, Any, Any, Any], Any]


def family(spec: ModelSpec) -> Family:
    """Return the functions of the family of ``spec``."""
    module = _module(spec)
    noted, joint = getattr(module, "noted", None), getattr(module, "JOINT", False)
    return Family(module.init, module.loss, module.batch, module.judge, noted, joint)


def service(spec: ModelSpec) -> Service:
    """Return what a trained model of the family of ``spec`` is asked for."""
    module = _module(spec)
    return Service(getattr(module, "frozen", _as_trained), module.score)


def generator(spec: ModelSpec) -> Generator:
    """Return how a model writes that predicts the token that follows (:func:`dcsim.scenario.inference.writes`)."""
    if spec.family == "lstm":
        from dcsim.workload.models import lstm

        return Generator(lstm.layout, lstm.prefill, lstm.decode)
    from dcsim.workload.models import cache, generation

    return Generator(cache.layout, generation.prefill, generation.decode)


def _module(spec: ModelSpec) -> Any:
    return import_module(f"dcsim.workload.models.{spec.family}")


def _as_trained(parameters: Any, batch: Any, spec: Any) -> Any:
    del batch, spec
    return parameters
