"""Decoders at work: a prompt is read into a cache, and one token after the other follows from it.

Experts take every token that chooses them, so what a token gives does not depend on those beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import jax
import jax.numpy as jnp

from dcsim.workload.models import attention, blocks, cache, latent, transformer
from dcsim.workload.models.cache import Cache, Entry
from dcsim.workload.models.layers import Weights, apply, normalize
from dcsim.workload.models.positions import Angles

if TYPE_CHECKING:
    from dcsim.scenario.models import Decoder


class _Layer(NamedTuple):
    """One layer: its weights, how far it looks back, and what it keeps of the tokens so far (nothing of a prompt)."""

    given: blocks.Setting
    weights: Weights
    window: int | None
    kept: Cache | None

    def reach(self, before: jax.Array | None = None) -> attention.Reach:
        """Return which keys a query sees; ``before`` as in :class:`attention.Reach`."""
        linear = self.given.spec.positions == "alibi"
        return attention.Reach(True, self.window, linear, self.weights.get("sinks"), before=before)


class _Newest(NamedTuple):
    """Where the newest token of every row stands, and its slot in a layer by the window of that layer."""

    places: jax.Array
    slots: dict[int | None, jax.Array]


# What becomes of a normalized stream in attention: its result before the last projection, and the layer's cache.
_Mix = Callable[[_Layer, jax.Array], tuple[jax.Array, Cache]]


def prefill(parameters: Weights, tokens: jax.Array, spec: Decoder, room: int) -> tuple[jax.Array, Cache]:
    """Return the logits of the token after each prompt, shape (rows, vocabulary), and the cache.

    ``tokens`` are the prompts, shape (rows, length); the cache has room for ``room`` tokens a row.
    """
    given = _serving(spec, jnp.arange(tokens.shape[1]))
    stream = transformer.embedded(parameters, tokens, spec)
    stream, kept = _through(parameters, (stream, None), given, partial(_read, room))
    return _next(stream[:, -1:], parameters, spec), kept


def decode(parameters: Weights, kept: Cache, entry: Entry, spec: Decoder) -> tuple[jax.Array, Cache]:
    """Return the logits of the token after the newest one, shape (rows, vocabulary), and the cache with that one."""
    given = _serving(spec, entry.places)
    if given.turns is not None:  # every row has angles of its own
        given = given._replace(turns=Angles(*(part[:, None] for part in given.turns)))
    stream = _embedded(parameters, entry, spec)
    stream, kept = _through(parameters, (stream, kept), given, partial(_look_back, _newest(entry.places, spec)))
    return _next(stream, parameters, spec), kept


def _serving(spec: Decoder, places: jax.Array) -> blocks.Setting:
    return blocks.setting(spec, places, {})._replace(trained=False)


def _embedded(parameters: Weights, entry: Entry, spec: Decoder) -> jax.Array:
    """Return the residual stream of the newest tokens, shape (rows, 1, hidden)."""
    with jax.named_scope("embedding"):
        stream: jax.Array = parameters["tokens"][entry.tokens]
        if spec.positions == "learned":
            table = parameters["positions"]
            stream = stream + table[table.shape[0] - spec.context + entry.places]
        stream = stream[:, None]
        return normalize(stream, parameters["embedding_norm"]) if spec.embedding_norm else stream


def _next(stream: jax.Array, parameters: Weights, spec: Decoder) -> jax.Array:
    with jax.named_scope("head"):
        return transformer.logits(stream, parameters, spec)[:, 0]


def _through(
    parameters: Weights, given: tuple[jax.Array, Cache | None], setting: blocks.Setting, mix: _Mix
) -> tuple[jax.Array, Cache]:
    """Take a stream, and the cache if there is one, through all layers; return both."""
    stream, kept = given
    made: Cache = {}
    for name in ("dense_blocks", "blocks"):
        if name in parameters:
            stacked = (parameters[name], None if kept is None else kept[name])
            stream, made[name] = jax.lax.scan(partial(_step, setting, mix), stream, stacked)
    return stream, made


def _step(setting: blocks.Setting, mix: _Mix, stream: jax.Array, own: tuple[Weights, Any]) -> tuple[jax.Array, Cache]:
    """Return what one layer, or two where every other one has a window, make of the stream, and their cache."""
    weights, kept = own
    if "near" not in weights:
        return _layer(mix, _Layer(setting, weights, None, kept), stream)
    near, far = (None, None) if kept is None else (kept["near"], kept["far"])
    window = cast("Decoder", setting.spec).window
    stream, near = _layer(mix, _Layer(setting, weights["near"], window, near), stream)
    stream, far = _layer(mix, _Layer(setting, weights["far"], None, far), stream)
    return stream, {"near": near, "far": far}


def _layer(mix: _Mix, layer: _Layer, stream: jax.Array) -> tuple[jax.Array, Cache]:
    weights = layer.weights
    found, kept = mix(layer, normalize(stream, weights["attention_norm"]))
    stream = stream + apply(found, weights["projection"])
    with jax.named_scope("feed_forward"):
        return stream + blocks.fed(layer.given, normalize(stream, weights["feed_norm"]), weights), kept


def _read(room: int, layer: _Layer, stream: jax.Array) -> tuple[jax.Array, Cache]:
    """Attend among the tokens of a prompt, and keep what the next ones will look back at."""
    given, weights = layer.given, layer.weights
    if given.spec.latent is not None and given.turns is not None:
        narrow, turned = latent.compressed(stream, weights, given.spec.latent, given.turns)
        query = latent.queries(stream, weights, given.spec.latent, given.turns)
        heads = latent.written_out(query, (narrow, turned), weights, given.spec.latent)
        kept = {"keys": jnp.concatenate([narrow, turned], axis=-1)}
    else:
        heads = attention.projected(stream, weights, given.spec, given.turns)
        kept = {"keys": heads.key, "values": heads.value}
    slots = room if layer.window is None else min(room, layer.window)
    return attention.mixed(heads, layer.reach()), {name: cache.filled(part, slots) for name, part in kept.items()}


def _newest(places: jax.Array, spec: Decoder) -> _Newest:
    return _Newest(places, {window: cache.slots(places, window) for window in {None, spec.window}})


def _look_back(newest: _Newest, layer: _Layer, stream: jax.Array) -> tuple[jax.Array, Cache]:
    """Add the newest token to the cache of a layer and attend to all that is in it."""
    given, weights, old = layer.given, layer.weights, layer.kept or {}
    into = newest.slots[layer.window]
    with jax.named_scope("attention"):
        reach = layer.reach(cache.before(newest.places, old["keys"].shape[1], layer.window))
    if given.spec.latent is not None and given.turns is not None:
        narrow, turned = latent.compressed(stream, weights, given.spec.latent, given.turns)
        kept = {"keys": cache.added(old["keys"], jnp.concatenate([narrow, turned], axis=-1), into)}
        query = latent.queries(stream, weights, given.spec.latent, given.turns)
        heads = latent.absorbed(query, kept["keys"], weights, given.spec.latent)
        return latent.written_values(attention.mixed(heads, reach), weights, given.spec.latent), kept
    heads = attention.projected(stream, weights, given.spec, given.turns)
    kept = {"keys": cache.added(old["keys"], heads.key, into), "values": cache.added(old["values"], heads.value, into)}
    return attention.mixed(attention.Heads(heads.query, kept["keys"], kept["values"]), reach), kept
