"""The parts that several families share: dense layers, norms, activations, dropout and their first weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

DEVIATION = 0.02  # of first weights: Radford et al., "Language Models are Unsupervised Multitask Learners" (2019)
_EPSILON = 1e-5  # of the norms, as in the release of GPT-2

Weights = dict[str, Any]


def normal(key: jax.Array, shape: tuple[int, ...], deviation: float = DEVIATION) -> jax.Array:
    """Return float32 weights from a normal distribution."""
    return deviation * jax.random.normal(key, shape, jnp.float32)


def dense(weight: jax.Array, bias: bool = True) -> Weights:
    """Return the parameters of a dense layer, shape (..., inputs, outputs), its biases at zero."""
    if not bias:
        return {"weight": weight}
    return {"weight": weight, "bias": jnp.zeros((*weight.shape[:-2], weight.shape[-1]), jnp.float32)}


def norm(shape: tuple[int, ...], kind: str = "layer") -> Weights:
    """Return the parameters of a layer norm, or of an RMS norm, which has no shift."""
    scale = {"scale": jnp.ones(shape, jnp.float32)}
    return scale if kind == "rms" else {**scale, "shift": jnp.zeros(shape, jnp.float32)}


def apply(stream: jax.Array, weights: Weights) -> jax.Array:
    """Return what a dense layer makes of ``stream``, shape (..., inputs); stacked layers each of their own rows."""
    out: jax.Array = stream @ weights["weight"]
    if "bias" not in weights:
        return out
    bias: jax.Array = weights["bias"]
    return out + (bias if bias.ndim == 1 else bias[..., None, :])


@partial(jax.checkpoint, prevent_cse=False)
def normalize(stream: jax.Array, weights: Weights) -> jax.Array:
    """Layer norm, or RMS norm where there is no shift.

    Its statistics are in float32 as mixed precision has it; only its input is kept for the backward pass. Ba, Kiros and
    Hinton, "Layer Normalization" (2016); Zhang and Sennrich, "Root Mean Square Layer Normalization" (NeurIPS 2019).
    """
    wide = stream.astype(jnp.float32)
    out: jax.Array
    if "shift" in weights:
        mean = wide.mean(axis=-1, keepdims=True)
        variance = jnp.square(wide - mean).mean(axis=-1, keepdims=True)
        out = (wide - mean) * jax.lax.rsqrt(variance + _EPSILON) * weights["scale"] + weights["shift"]
    else:
        out = wide * jax.lax.rsqrt(jnp.square(wide).mean(axis=-1, keepdims=True) + _EPSILON) * weights["scale"]
    return out.astype(stream.dtype)


def activate(name: str, stream: jax.Array) -> jax.Array:
    """Apply the activation ``name``; its input is kept for the backward pass, not the values in between."""
    kept: Callable[[jax.Array], jax.Array] = jax.checkpoint(activation(name), prevent_cse=False)
    return kept(stream)


@partial(jax.checkpoint, prevent_cse=False)
def swiglu(gate: jax.Array, stream: jax.Array) -> jax.Array:
    """SiLU of the gate times the stream: Shazeer, "GLU Variants Improve Transformer" (2020), equation 6."""
    return jax.nn.silu(gate) * stream


def activation(name: str) -> Callable[[jax.Array], jax.Array]:
    """Return an activation; GELU by tanh as in GPT-2, or exact as in BERT; squared ReLU: So et al. (NeurIPS 2021)."""
    known: dict[str, Callable[[jax.Array], jax.Array]] = {
        "gelu": jax.nn.gelu,
        "gelu-exact": partial(jax.nn.gelu, approximate=False),
        "relu": jax.nn.relu,
        "squared-relu": lambda stream: jnp.square(jax.nn.relu(stream)),
        "leaky-relu": jax.nn.leaky_relu,
        "silu": jax.nn.silu,
        "sigmoid": jax.nn.sigmoid,
        "tanh": jnp.tanh,
    }
    return known[name]


def dropped(stream: jax.Array, seeds: jax.Array, site: jax.Array | int, rate: float) -> jax.Array:
    """Zero a share ``rate`` of ``stream`` and scale the rest up: Srivastava et al., "Dropout" (JMLR 2014).

    ``seeds``, shape (rows,), has one number a sample and ``site`` numbers the place in the model, so what is zeroed
    does not depend on how samples are dealt out to ranks. Neither jax.nn nor Optax has dropout.
    """
    keys = jax.vmap(lambda seed: jax.random.fold_in(jax.random.key(seed), site))(seeds)
    kept = jax.vmap(lambda key: jax.random.bernoulli(key, 1.0 - rate, stream.shape[1:]))(keys)
    return jnp.where(kept, stream / (1.0 - rate), jnp.zeros((), stream.dtype)).astype(stream.dtype)
