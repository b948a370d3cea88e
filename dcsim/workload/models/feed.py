"""The feed-forward layer of a transformer: two dense layers around an activation, or three of a gated one."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import TYPE_CHECKING

import jax

from dcsim.workload.models.layers import DEVIATION, Weights, activate, apply, dense, normal, swiglu

if TYPE_CHECKING:
    from dcsim.scenario.models import Attending

Keys = Iterator[jax.Array]


def small(spec: Attending) -> float:
    """Return the deviation of the weights of projections into the residual stream."""
    return DEVIATION / sqrt(2 * spec.layers)


def weights(keys: Keys, spec: Attending, stack: tuple[int, ...], inner: int) -> Weights:
    """Return the parameters of feed-forward layers of width ``inner``, shape (*stack, ...)."""
    width = spec.hidden
    made = {
        "expand": dense(normal(next(keys), (*stack, width, inner)), spec.bias),
        "contract": dense(normal(next(keys), (*stack, inner, width), small(spec)), spec.bias),
    }
    if spec.activation == "swiglu":
        made["gate"] = dense(normal(next(keys), (*stack, width, inner)), spec.bias)
    return made


def widened(stream: jax.Array, weights: Weights, spec: Attending) -> jax.Array:
    """Return what the two dense layers, or the three of SwiGLU, make of ``stream``."""
    wide = apply(stream, weights["expand"])
    gate = apply(stream, weights["gate"]) if "gate" in weights else None
    return apply(activated(wide, gate, spec), weights["contract"])


def activated(wide: jax.Array, gate: jax.Array | None, spec: Attending) -> jax.Array:
    """Return the activation of ``wide``, which a ``gate`` multiplies in SwiGLU."""
    return activate(spec.activation, wide) if gate is None else swiglu(gate, wide)
