"""The layers of a transformer: attention and a feed-forward layer, each added to the residual stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import jax
import jax.numpy as jnp

from dcsim.workload.models import attention, experts, feed, latent
from dcsim.workload.models.layers import Weights, apply, dense, dropped, norm, normal, normalize
from dcsim.workload.models.positions import Angles, angles

if TYPE_CHECKING:
    from dcsim.scenario.models import Attending, MixtureModel
    from dcsim.workload.models import Layers


class Setting(NamedTuple):
    """What all layers share: the shape, the angles of rotary positions, and the seeds of dropout in training.

    ``trained`` is false where a model serves: experts then take every token that chooses them.
    """

    spec: Attending
    turns: Angles | None
    seeds: jax.Array | None = None
    trained: bool = True


def setting(spec: Attending, places: jax.Array, batch: dict[str, jax.Array]) -> Setting:
    """Return the setting of tokens at ``places``, shape (length,), of a batch."""
    if spec.positions != "rotary":
        return Setting(spec, None, batch.get("seeds"))
    width = 2 * int(spec.rotary_share * spec.width_of_head / 2) if spec.latent is None else spec.latent.rotary
    return Setting(spec, angles(places, width, spec.rotary_base), batch.get("seeds"))


def init(keys: feed.Keys, spec: Attending, layers: int) -> Weights:
    """Return the parameters of ``layers`` equal layers, shape (layers, ...)."""
    return {**attention_weights(keys, spec, layers), **feed.weights(keys, spec, (layers,), spec.inner)}


def attention_weights(keys: feed.Keys, spec: Attending, layers: int) -> Weights:
    """Return the parameters of the attention of ``layers`` layers, and of both norms."""
    width, own = spec.hidden, spec.heads * spec.width_of_head
    norms = {name: norm((layers, width), spec.norm) for name in ("attention_norm", "feed_norm")}
    if spec.latent is not None:
        return {**norms, **latent.weights(keys, spec, spec.latent, layers)}
    joint = own + 2 * spec.groups_of_keys * spec.width_of_head
    weights: Weights = {
        "query_key_value": dense(normal(next(keys), (layers, width, joint)), spec.bias),
        "projection": dense(normal(next(keys), (layers, own, width), feed.small(spec)), spec.bias),
    }
    if getattr(spec, "sinks", False):
        weights["sinks"] = jnp.zeros((layers, spec.heads), jnp.float32)
    return {**norms, **weights}


def run(stream: jax.Array, stack: Weights, step: Callable[..., Any], layers: Layers) -> jax.Array:
    """Take ``stream`` through the layers of ``stack``, of which ``step`` is one, laid out as ``layers`` says."""
    if layers == "recomputed":
        step = jax.checkpoint(step, prevent_cse=False)
    length = jax.tree.leaves(stack)[0].shape[0]
    unroll = length if layers == "unrolled" else 1
    stream, _ = jax.lax.scan(lambda old, own: (step(old, own), None), stream, stack, unroll=unroll)
    return stream


def numbered(stack: Weights, given: Setting, first: int = 0) -> Weights:
    """Return ``stack`` with the number of each layer where dropout needs one, counted from ``first``."""
    if given.seeds is None:
        return stack
    if "near" in stack:
        pairs = jax.tree.leaves(stack["near"])[0].shape[0]
        sites = {"near": 2 * jnp.arange(pairs), "far": 2 * jnp.arange(pairs) + 1}
        return {half: {**stack[half], "site": site} for half, site in sites.items()}
    return {**stack, "site": first + jnp.arange(jax.tree.leaves(stack)[0].shape[0])}


def block(given: Setting, stream: jax.Array, weights: Weights, window: int | None = None) -> jax.Array:
    """Return what one layer makes of ``stream``; each of its halves is normalized first."""
    mixed = attended(given, normalize(stream, weights["attention_norm"]), weights, window)
    stream = added(given, stream, mixed, weights)
    with jax.named_scope("feed_forward"):
        return added(given, stream, fed(given, normalize(stream, weights["feed_norm"]), weights), weights, 1)


def added(given: Setting, stream: jax.Array, addition: jax.Array, weights: Weights, half: int = 0) -> jax.Array:
    """Return ``stream`` with what half a layer adds to it, a part of which dropout zeroes."""
    if given.seeds is None:
        return stream + addition
    return stream + dropped(addition, given.seeds, 2 * weights["site"] + half, given.spec.dropout)


def attended(given: Setting, stream: jax.Array, weights: Weights, window: int | None = None) -> jax.Array:
    """Return what attention makes of ``stream``, which is normalized."""
    spec = given.spec
    reach = attention.Reach(spec.causal, window, spec.positions == "alibi", weights.get("sinks"))
    return apply(attention.mixed(heads(given, stream, weights), reach), weights["projection"])


def heads(given: Setting, stream: jax.Array, weights: Weights) -> attention.Heads:
    """Return queries, keys and values of ``stream``, which is normalized."""
    if given.spec.latent is not None and given.turns is not None:
        return latent.projected(stream, weights, given.spec.latent, given.turns)
    return attention.projected(stream, weights, given.spec, given.turns)


def fed(given: Setting, stream: jax.Array, weights: Weights) -> jax.Array:
    """Return what the feed-forward layer, or its experts, make of ``stream``, which is normalized."""
    if "experts" in weights:
        mix = experts.routed if given.trained else experts.grouped
        return mix(stream, weights, cast("MixtureModel", given.spec))
    return feed.widened(stream, weights, given.spec)
