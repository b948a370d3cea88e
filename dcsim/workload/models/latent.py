"""Multi-head latent attention: keys and values of all heads come from one narrow vector a token, which is cached.

DeepSeek-AI, "DeepSeek-V2" (2024), section 2.1; the turned part of the keys is shared by all heads.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from dcsim.workload.models import feed
from dcsim.workload.models.attention import Heads
from dcsim.workload.models.layers import Weights, apply, dense, norm, normal, normalize
from dcsim.workload.models.positions import Angles, rotate

if TYPE_CHECKING:
    from dcsim.scenario.models import Attending, LatentAttention


def weights(keys: feed.Keys, spec: Attending, latent: LatentAttention, layers: int) -> Weights:
    """Return the parameters of the latent attention of ``layers`` layers, shape (layers, ...)."""
    width, heads = spec.hidden, spec.heads
    sizes = {
        "query_down": (width, latent.queries),
        "query_up": (latent.queries, heads * (latent.plain + latent.rotary)),
        "key_value_down": (width, latent.cached + latent.rotary),
        "key_value_up": (latent.cached, heads * (latent.plain + latent.values)),
    }
    return {
        **{name: dense(normal(next(keys), (layers, *size)), spec.bias) for name, size in sizes.items()},
        "projection": dense(normal(next(keys), (layers, heads * latent.values, width), feed.small(spec)), spec.bias),
        "query_norm": norm((layers, latent.queries), spec.norm),
        "key_value_norm": norm((layers, latent.cached), spec.norm),
    }


def projected(stream: jax.Array, weights: Weights, latent: LatentAttention, angles: Angles) -> Heads:
    """Return the heads of ``stream``, shape (rows, length, hidden), keys and values written out for each."""
    query = queries(stream, weights, latent, angles)
    return written_out(query, compressed(stream, weights, latent, angles), weights, latent)


def written_out(
    query: jax.Array, kept: tuple[jax.Array, jax.Array], weights: Weights, latent: LatentAttention
) -> Heads:
    """Return the heads of queries and of what is cached of every token."""
    narrow, turned = kept
    rows, length, _ = narrow.shape
    both = apply(narrow, weights["key_value_up"]).reshape(rows, length, -1, latent.plain + latent.values)
    plain, value = both[..., : latent.plain], both[..., latent.plain :]
    shared = jnp.broadcast_to(turned[:, :, None, :], (*plain.shape[:-1], latent.rotary))
    return Heads(query, jnp.concatenate([plain, shared], axis=-1), value)


def absorbed(query: jax.Array, cached: jax.Array, weights: Weights, latent: LatentAttention) -> Heads:
    """Return heads whose one key and value are what is cached, shape (rows, keys, cached + rotary).

    The product that writes out the keys is applied to the queries in its stead (DeepSeek-V2, section 2.1.2). A bias of
    keys shifts all scores of a head alike, so the softmax does not see it. ``query`` has the scale of
    :func:`queries`; what is returned makes up for the other width of its heads.
    """
    plain = _up(weights, latent)[..., : latent.plain]
    inside = jnp.einsum("bqhp,chp->bqhc", query[..., : latent.plain], plain)
    wide = jnp.concatenate([inside, query[..., latent.plain :]], axis=-1)
    scale = sqrt((latent.cached + latent.rotary) / (latent.plain + latent.rotary))
    key = cached[:, :, None, :]
    return Heads(wide * jnp.asarray(scale, wide.dtype), key, key[..., : latent.cached])


def written_values(mixed: jax.Array, weights: Weights, latent: LatentAttention) -> jax.Array:
    """Return the values of all heads, shape (rows, length, heads x values), from what attention mixed of the cache."""
    rows, length, _ = mixed.shape
    narrow = mixed.reshape(rows, length, -1, latent.cached)
    out = jnp.einsum("bqhc,chv->bqhv", narrow, _up(weights, latent)[..., latent.plain :])
    if "bias" in weights["key_value_up"]:  # shares add up to 1, so the bias passes through
        out = out + weights["key_value_up"]["bias"].reshape(-1, latent.plain + latent.values)[:, latent.plain :]
    return out.reshape(rows, length, -1)


def _up(weights: Weights, latent: LatentAttention) -> jax.Array:
    """Return the matrices of all heads from the cached vector to keys and values, shape (cached, heads, ...)."""
    found: jax.Array = weights["key_value_up"]["weight"]
    return found.reshape(latent.cached, -1, latent.plain + latent.values)


def queries(stream: jax.Array, weights: Weights, latent: LatentAttention, angles: Angles) -> jax.Array:
    """Return the queries, shape (rows, length, heads, plain + rotary)."""
    rows, length, _ = stream.shape
    narrow = normalize(apply(stream, weights["query_down"]), weights["query_norm"])
    wide = apply(narrow, weights["query_up"]).reshape(rows, length, -1, latent.plain + latent.rotary)
    with jax.named_scope("rotary"):
        turned = rotate(wide[..., latent.plain :], angles)
        return jnp.concatenate([wide[..., : latent.plain], turned], axis=-1)


def compressed(
    stream: jax.Array, weights: Weights, latent: LatentAttention, angles: Angles
) -> tuple[jax.Array, jax.Array]:
    """Return what is cached of every token: its narrow vector, shape (rows, length, key_value), and its turned key."""
    down = apply(stream, weights["key_value_down"])
    narrow = normalize(down[..., : latent.cached], weights["key_value_norm"])
    with jax.named_scope("rotary"):
        return narrow, rotate(down[..., None, latent.cached :], angles)[:, :, 0]
