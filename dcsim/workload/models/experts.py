"""Mixture of experts: every token goes to a few of many feed-forward layers, each with room for so many tokens.

Shazeer et al., "Outrageously Large Neural Networks" (ICLR 2017); Fedus, Zoph and Shazeer, "Switch Transformers" (JMLR
2022) for the capacity of an expert; DeepSeek-AI, "DeepSeek-V3 Technical Report" (2024), section 2.1.2, for sigmoid
routing with shared experts. Tokens beyond the capacity of an expert skip it; earlier tokens go first.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from dcsim.workload.models import feed
from dcsim.workload.models.layers import Weights, apply, dense, normal

if TYPE_CHECKING:
    from dcsim.scenario.models import MixtureModel


def weights(keys: feed.Keys, spec: MixtureModel, layers: int) -> Weights:
    """Return the parameters of the experts and routers of ``layers`` layers, shape (layers, ...).

    A sigmoid router has a shift an expert that balances the load: it only takes part in the choice, so the loss has no
    gradient for it.
    """
    made: Weights = {"router": dense(normal(next(keys), (layers, spec.hidden, spec.experts)), spec.bias)}
    if spec.router == "sigmoid":
        made["router"]["balance"] = jnp.zeros((layers, spec.experts), jnp.float32)
    made["experts"] = feed.weights(keys, spec, (layers, spec.experts), spec.inner_of_expert)
    if spec.shared_experts:
        made["shared"] = feed.weights(keys, spec, (layers,), spec.shared_experts * spec.inner_of_expert)
    return made


def routed(stream: jax.Array, weights: Weights, spec: MixtureModel) -> jax.Array:
    """Return what the experts make of ``stream``, shape (rows, length, hidden)."""
    tokens = stream.reshape(-1, stream.shape[-1])
    with jax.named_scope("router"):
        chosen, shares = _choice(tokens, weights["router"], spec)
        slots = _slots(chosen, spec)
    with jax.named_scope("experts"):
        out = _taken(tokens, weights["experts"], slots, spec)
        each = out.at[slots].get(mode="fill", fill_value=0).reshape(*chosen.shape, -1)
        mixed = jnp.sum(each * shares[..., None].astype(each.dtype), axis=1)
    if spec.shared_experts:
        mixed = mixed + feed.widened(tokens, weights["shared"], spec)
    return mixed.reshape(stream.shape)


def grouped(stream: jax.Array, weights: Weights, spec: MixtureModel) -> jax.Array:
    """Return what the experts make of ``stream``, shape (rows, length, hidden), where no token may skip its expert.

    Tokens are sorted by expert and each meets the matrices of its own in one grouped product, as in the kernels of
    Gale et al., "MegaBlocks" (MLSys 2023).
    """
    tokens = stream.reshape(-1, stream.shape[-1])
    with jax.named_scope("router"):
        chosen, shares = _choice(tokens, weights["router"], spec)
        order = jnp.argsort(chosen.reshape(-1), stable=True)
        owners = chosen.reshape(-1)[order]
        sizes = jnp.zeros(spec.experts, jnp.int32).at[owners].add(1)
    with jax.named_scope("experts"):
        out = _by_owner(tokens[order // spec.chosen], weights["experts"], owners, sizes, spec)
        each = out[jnp.argsort(order)].reshape(*chosen.shape, -1)
        mixed = jnp.sum(each * shares[..., None].astype(each.dtype), axis=1)
    if spec.shared_experts:
        mixed = mixed + feed.widened(tokens, weights["shared"], spec)
    return mixed.reshape(stream.shape)


def _by_owner(rows: jax.Array, weights: Weights, owners: jax.Array, sizes: jax.Array, spec: MixtureModel) -> jax.Array:
    """Return what experts make of their own ``rows``; ``sizes`` are the rows of each, ``owners`` the expert of each."""

    def apply_own(stream: jax.Array, own: Weights) -> jax.Array:
        out = jax.lax.ragged_dot(stream, own["weight"], sizes)
        return out + own["bias"][owners] if "bias" in own else out

    wide = apply_own(rows, weights["expand"])
    gated = apply_own(rows, weights["gate"]) if "gate" in weights else None
    return apply_own(feed.activated(wide, gated, spec), weights["contract"])


def capacity(tokens: int, spec: MixtureModel) -> int:
    """Return how many tokens of a batch of ``tokens`` an expert takes."""
    return min(tokens, ceil(spec.capacity * tokens * spec.chosen / spec.experts))


def _choice(tokens: jax.Array, weights: Weights, spec: MixtureModel) -> tuple[jax.Array, jax.Array]:
    """Return the experts chosen for every token and their shares in its result, both of shape (tokens, chosen)."""
    logits = apply(tokens, weights).astype(jnp.float32)
    if spec.router == "softmax":
        best, chosen = jax.lax.top_k(logits, spec.chosen)
        return chosen, jax.nn.softmax(best, axis=-1)
    scores = jax.nn.sigmoid(logits)
    shifted = jax.lax.stop_gradient(scores) + jax.lax.stop_gradient(weights["balance"]).astype(jnp.float32)
    _, chosen = jax.lax.top_k(shifted, spec.chosen)
    best = jnp.take_along_axis(scores, chosen, axis=-1)
    return chosen, best / best.sum(axis=-1, keepdims=True)


def _slots(chosen: jax.Array, spec: MixtureModel) -> jax.Array:
    """Return the slot of every choice, shape (tokens x chosen,); the number of all slots where its expert is full."""
    room = capacity(chosen.shape[0], spec)
    experts = chosen.reshape(-1)
    order = jnp.argsort(experts, stable=True)
    counts = jnp.zeros(spec.experts, jnp.int32).at[experts].add(1)
    first = jnp.cumsum(counts) - counts
    sorted_ = experts[order]
    place = jnp.arange(experts.size) - first[sorted_]
    slot = jnp.where(place < room, sorted_ * room + place, spec.experts * room)
    return jnp.zeros_like(slot).at[order].set(slot)


def _taken(tokens: jax.Array, weights: Weights, slots: jax.Array, spec: MixtureModel) -> jax.Array:
    """Return what the experts make of the tokens in their slots, shape (slots, hidden)."""
    room = capacity(tokens.shape[0], spec)
    source = (
        jnp.full(spec.experts * room, tokens.shape[0]).at[slots].set(jnp.arange(slots.size) // spec.chosen, mode="drop")
    )
    given = tokens.at[source].get(mode="fill", fill_value=0).reshape(spec.experts, room, -1)
    return feed.widened(given, weights, spec).reshape(spec.experts * room, -1)
