"""What decoding costs at any length of the sequences: lines through two traces, so that a server need not trace again.

Everything that a decoded token does grows with the tokens before it by a constant a token, or not at all, once they are
more than the window of a layer that has one. So what batches of unequal sequences cost is what those of their mean
length cost.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dcsim.errors import InputError
from dcsim.scenario.inference import Inference
from dcsim.workload.costs import inference_costs
from dcsim.workload.operation import Operation, StepCosts

if TYPE_CHECKING:
    from dcsim.scenario.models import ModelSpec

_TOKENS = (2053, 4099)  # primes, which no width of a model equals by chance
_SIZES = ("flops", "bytes", "bytes_fused", "transcendentals", "stacked_bytes")


@dataclass(frozen=True, slots=True)
class DecodeCosts:
    """One more token of each of a fixed number of rows, whose sequences are ``tokens`` long with it.

    ``ends`` are two lengths and what was traced at them; ``least`` tokens are as few as the line holds for.
    """

    ends: tuple[tuple[int, StepCosts], tuple[int, StepCosts]]
    least: int

    def operations(self, tokens: float) -> tuple[Operation, ...]:
        """Return the operations at a mean length of ``tokens``; their shapes are rounded.

        Raises
        ------
        InputError
            For fewer tokens than a layer's window, below which the line does not hold.
        """
        share = self._share(tokens)
        (_, low), (_, high) = self.ends
        return tuple(_between(one, other, share) for one, other in zip(low.operations, high.operations, strict=True))

    def cache_bytes(self, tokens: float) -> float:
        """Return what the cache of all rows takes at a mean length of ``tokens`` [B]; raises as :meth:`operations`."""
        share = self._share(tokens)
        (_, low), (_, high) = self.ends
        return low.cache_bytes + share * (high.cache_bytes - low.cache_bytes)

    @property
    def parameter_bytes(self) -> float:
        """The weights [B]."""
        return self.ends[0][1].parameter_bytes

    def _share(self, tokens: float) -> float:
        if tokens < self.least:
            raise InputError(f"found {tokens:g} tokens, expected at least {self.least}: below, costs are no line")
        (first, _), (last, _) = self.ends
        return (tokens - first) / (last - first)


def decode_costs(model: ModelSpec, precision: str, rows: int) -> DecodeCosts:
    """Return what it costs to decode ``rows`` sequences at once, at any length.

    Raises
    ------
    InputError
        If the model does not predict the token that follows, or its sizes do not fit together.
    """
    window = getattr(model, "window", None) or 1
    ends = tuple((tokens, _traced(model, precision, rows, tokens)) for tokens in _lengths(model, window))
    (_, low), (_, high) = ends
    if [_kind(each) for each in low.operations] != [_kind(each) for each in high.operations]:
        raise InputError("found other operations in longer sequences, expected a model that decodes them all alike")
    return DecodeCosts((ends[0], ends[1]), window)


def _lengths(model: ModelSpec, window: int) -> tuple[int, int]:
    """Return two lengths beyond the window, within the positions that a model has learned."""
    most = getattr(model, "context", 1) if getattr(model, "positions", "") == "learned" else _TOKENS[1] + window
    if most >= _TOKENS[1] + window:
        return _TOKENS[0] + window, _TOKENS[1] + window
    if most - window < 2:
        raise InputError(f"found {most} positions, expected at least two more than the window, {window}")
    return (most + window) // 2, most


def _traced(model: ModelSpec, precision: str, rows: int, tokens: int) -> StepCosts:
    return inference_costs(model, precision, Inference(step="decode", tokens=tokens), rows)


def _kind(operation: Operation) -> tuple[object, ...]:
    return operation.name, operation.kind, operation.scope, operation.dtype, operation.count, len(operation.shape)


def _between(one: Operation, other: Operation, share: float) -> Operation:
    sizes = {name: getattr(one, name) + share * (getattr(other, name) - getattr(one, name)) for name in _SIZES}
    pairs = zip(one.shape, other.shape, strict=True)
    return replace(one, shape=tuple(round(low + share * (high - low)) for low, high in pairs), **sizes)
