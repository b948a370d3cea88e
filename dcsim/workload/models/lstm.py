"""LSTM networks that predict the next token, or classify whole texts, in one direction or both.

Hochreiter and Schmidhuber, "Long Short-Term Memory" (Neural Computation 1997), with the forget gate of Gers et al.
(2000). The inputs of all gates at all times are one product ahead of the loop over time, as in the usual kernels; equal
layers are a loop too.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]

from dcsim.workload.models import objectives
from dcsim.workload.models.abstract import array
from dcsim.workload.models.cache import Cache, Entry, Size
from dcsim.workload.models.layers import Weights, apply, dense, dropped

if TYPE_CHECKING:
    from dcsim.scenario.models import LstmModel
    from dcsim.workload.models import Layers


class State(NamedTuple):
    """What a layer remembers of the tokens so far, both of shape (rows, hidden)."""

    hidden: jax.Array
    cell: jax.Array


_GATES = 4  # input, forget, cell, output
_KEYS = 16  # two directions of two kinds of layers take ten
_SPREAD = 0.05  # of first weights, uniform: Zaremba et al., "Recurrent Neural Network Regularization" (2014)


def batch(spec: LstmModel, size: int) -> dict[str, Any]:
    """Return the abstract arrays of ``size`` samples: tokens, shape (size, context), and what follows or labels."""
    tokens = array((size, spec.context), jnp.int32)
    labels = tokens if spec.classes is None else objectives.labels("cross-entropy", size, spec.classes)
    arrays = {"inputs": tokens, "labels": labels}
    return arrays | ({"seeds": array((size,), jnp.uint32)} if spec.dropout else {})


def init(key: jax.Array, spec: LstmModel) -> Weights:
    """Return the parameters; "rest" are the layers that are as wide as what they read, stacked."""
    keys = iter(jax.random.split(key, _KEYS))
    across = spec.directions * spec.hidden
    parameters: Weights = {"tokens": _uniform(next(keys), (spec.vocabulary, spec.embedding))}
    equal = spec.layers
    if spec.embedding != across:
        parameters["first"] = jax.tree.map(lambda array: array[0], _layers(keys, spec, (1, spec.embedding)))
        equal -= 1
    if equal:
        parameters["rest"] = _layers(keys, spec, (equal, across))
    outputs = spec.vocabulary if spec.classes is None else spec.classes
    parameters["head"] = dense(_uniform(next(keys), (across, outputs)))
    return parameters


def loss(parameters: Weights, batch: dict[str, jax.Array], spec: LstmModel, layers: Layers = "loop") -> jax.Array:
    """Return the mean cross entropy of the next token or of the class [nat]; one class is judged by the log loss."""
    stream = encoded(parameters, batch, spec, layers)
    with jax.named_scope("head"):
        if spec.classes is None:
            logits = apply(stream, parameters["head"]).astype(jnp.float32)
            return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, batch["labels"]))
        logits = apply(summary(stream, spec), parameters["head"])
        return objectives.mean(_objective(spec), logits, batch["labels"])


def judge(parameters: Weights, batch: dict[str, jax.Array], spec: LstmModel) -> objectives.Verdict:
    """Return how well the class, or the next tokens, of every text are told."""
    stream = encoded(parameters, batch, spec)
    if spec.classes is None:
        return objectives.classified(apply(stream, parameters["head"]), batch["labels"])
    return objectives.judged(_objective(spec), apply(summary(stream, spec), parameters["head"]), batch["labels"])


def _objective(spec: LstmModel) -> str:
    return "log" if spec.classes == 1 else "cross-entropy"


def score(parameters: Weights, batch: dict[str, jax.Array], spec: LstmModel, layers: Layers = "loop") -> jax.Array:
    """Return the shares of the classes, shape (rows, classes), or the log-likelihood of every token that follows [nat],
    shape (rows, context).
    """
    stream = encoded(parameters, {"inputs": batch["inputs"]}, spec, layers)
    with jax.named_scope("head"):
        if spec.classes is None:
            logits = apply(stream, parameters["head"]).astype(jnp.float32)
            return objectives.likelihood(logits, batch["labels"])
        logits = apply(summary(stream, spec), parameters["head"])
        return objectives.scores("log" if spec.classes == 1 else "cross-entropy", logits)


def layout(spec: LstmModel, size: Size, dtype: Any) -> Cache:
    """Return the abstract state of all layers in the number format ``dtype``: its size does not depend on the room."""

    def state(*stack: int) -> State:
        each = array((*stack, size.rows, spec.hidden), dtype)
        return State(each, each)

    equal = spec.layers - (spec.embedding != spec.hidden)
    first = {"first": state()} if equal < spec.layers else {}
    return first | ({"rest": state(equal)} if equal else {})


def prefill(parameters: Weights, tokens: jax.Array, spec: LstmModel, room: int) -> tuple[jax.Array, Cache]:
    """Return the logits of the token after each prompt, shape (rows, vocabulary), and the state of all layers."""
    kept = layout(spec, Size(tokens.shape[0], room), parameters["tokens"].dtype)
    return _continued(parameters, jax.tree.map(lambda each: jnp.zeros(each.shape, each.dtype), kept), tokens)


def decode(parameters: Weights, kept: Cache, entry: Entry, spec: LstmModel) -> tuple[jax.Array, Cache]:
    """Return the logits of the token after the newest one, shape (rows, vocabulary), and the state with that one."""
    del spec
    return _continued(parameters, kept, entry.tokens[:, None])


def _continued(parameters: Weights, kept: Cache, tokens: jax.Array) -> tuple[jax.Array, Cache]:
    """Read ``tokens``, shape (rows, length), from a state on."""
    with jax.named_scope("embedding"):
        stream: jax.Array = parameters["tokens"][tokens]
    made: Cache = {}
    if "first" in parameters:
        stream, made["first"] = _over_time(stream, parameters["first"]["forward"], kept["first"])
    if "rest" in parameters:
        stacked = (parameters["rest"]["forward"], kept["rest"])
        stream, made["rest"] = jax.lax.scan(lambda old, own: _over_time(old, *own), stream, stacked)
    with jax.named_scope("head"):
        return apply(stream[:, -1], parameters["head"]).astype(jnp.float32), made


def encoded(parameters: Weights, batch: dict[str, jax.Array], spec: LstmModel, layers: Layers = "loop") -> jax.Array:
    """Return the outputs of the last layer, shape (rows, context, directions x hidden)."""
    with jax.named_scope("embedding"):
        stream: jax.Array = parameters["tokens"][batch["inputs"]]
    if "first" in parameters:
        stream = _layer(stream, parameters["first"], batch, (spec, 0))
    if "rest" not in parameters:
        return stream
    rest = parameters["rest"]
    count = jax.tree.leaves(rest)[0].shape[0]

    def step(old: jax.Array, own: tuple[Weights, jax.Array]) -> jax.Array:
        return _layer(old, own[0], batch, (spec, own[1]))

    once: Any = jax.checkpoint(step, prevent_cse=False) if layers == "recomputed" else step
    numbers = jnp.arange(1, count + 1)
    unroll = count if layers == "unrolled" else 1
    out: jax.Array
    out, _ = jax.lax.scan(lambda old, own: (once(old, own), None), stream, (rest, numbers), unroll=unroll)
    return out


def summary(stream: jax.Array, spec: LstmModel) -> jax.Array:
    """Return what each direction gives at its end, shape (rows, directions x hidden)."""
    return jnp.concatenate([stream[:, -1, : spec.hidden], stream[:, 0, spec.hidden :]], axis=-1)


def _layer(
    stream: jax.Array, weights: Weights, batch: dict[str, jax.Array], place: tuple[LstmModel, int | jax.Array]
) -> jax.Array:
    """Run one layer over time in every direction; dropout hits what enters the layer, where the batch brings seeds."""
    spec, site = place
    if "seeds" in batch:
        stream = dropped(stream, batch["seeds"], site, spec.dropout)
    nothing = jnp.zeros((stream.shape[0], spec.hidden), stream.dtype)
    outs = [
        _over_time(stream, weights[name], State(nothing, nothing), name == "backward")[0]
        for name in ("forward", "backward")
        if name in weights
    ]
    return jnp.concatenate(outs, axis=-1) if len(outs) > 1 else outs[0]


def _over_time(stream: jax.Array, weights: Weights, start: State, reverse: bool = False) -> tuple[jax.Array, State]:
    """Return what one direction of a layer makes of ``stream``, and its state at the end."""
    entering = apply(stream, weights["input"]).swapaxes(0, 1)  # (context, rows, gates x hidden)
    recurrent = weights["recurrent"]["weight"]

    def step(state: State, entry: jax.Array) -> tuple[State, jax.Array]:
        hidden, cell = state
        into, forget, new, out = jnp.split(entry + hidden @ recurrent, _GATES, axis=-1)
        cell = jax.nn.sigmoid(forget) * cell + jax.nn.sigmoid(into) * jnp.tanh(new)
        hidden = jax.nn.sigmoid(out) * jnp.tanh(cell)
        return State(hidden, cell), hidden

    end, out = jax.lax.scan(step, start, entering, reverse=reverse)
    return out.swapaxes(0, 1), end


def _layers(keys: Iterator[jax.Array], spec: LstmModel, sizes: tuple[int, int]) -> Weights:
    """Return the parameters of ``count`` layers that read ``width`` numbers; the forget gate starts open."""
    count, width = sizes
    names = ("forward", "backward")[: spec.directions]
    gates = _GATES * spec.hidden
    bias = jnp.zeros((count, gates), jnp.float32).at[:, spec.hidden : 2 * spec.hidden].set(1.0)
    return {
        name: {
            "input": {"weight": _uniform(next(keys), (count, width, gates)), "bias": bias},
            "recurrent": {"weight": _uniform(next(keys), (count, spec.hidden, gates), 1 / sqrt(spec.hidden))},
        }
        for name in names
    }


def _uniform(key: jax.Array, shape: tuple[int, ...], spread: float = _SPREAD) -> jax.Array:
    return jax.random.uniform(key, shape, jnp.float32, -spread, spread)
