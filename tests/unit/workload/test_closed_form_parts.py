"""The operations a number of every part, counted on paper, against the trace of that part by itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
import pytest

from dcsim.scenario.models import LstmModel, MixtureModel
from dcsim.workload.closed_form import parts, training
from dcsim.workload.closed_form.convolutional import taps
from dcsim.workload.models import attention, convolution, experts, layers, lstm, positions
from dcsim.workload.models.abstract import array
from dcsim.workload.trace import analyze

ROWS, WIDTH, KEYS, HEADS = 128, 1024, 256, 8
HALF = jnp.bfloat16
STREAM = array((1, ROWS, WIDTH), HALF)
IMAGE = array((2, 16, 16, 64), HALF)
SCORES = array((1, HEADS, KEYS, KEYS), HALF)


def rest(part: Callable[..., Any], *given: Any) -> float:
    """FLOPs of a part forward and backward that are no products."""

    def whole(arrays: Any, slope: Any) -> Any:
        made, back = jax.vjp(part, *arrays)
        return made, back(slope)

    closed = jax.make_jaxpr(whole)(given, jax.eval_shape(part, *given))
    operations = analyze(closed, "forward").operations
    return sum(o.flops * o.count for o in operations if o.kind not in ("matmul", "convolution"))


def halves(weights: Any) -> Any:
    return jax.tree.map(lambda leaf: array(leaf.shape, HALF), weights)


def shares(stream: jax.Array, **reach: Any) -> jax.Array:
    wide = stream.astype(jnp.float32) / 8.0
    return attention._shares(wide, attention.Reach(**reach), KEYS).astype(HALF)


def entropy(logits: jax.Array) -> jax.Array:
    labels = jnp.zeros((1, ROWS), jnp.int32)
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits.astype(jnp.float32), labels))


def normal(stream: jax.Array, weights: Any) -> jax.Array:
    return convolution.normalize(stream, weights, convolution.moments(stream))


def norm(kind: str) -> Any:
    return halves(jax.eval_shape(lambda: layers.norm((WIDTH,), kind)))


def turned(stream: jax.Array) -> jax.Array:
    return positions.rotate(stream, positions.angles(jnp.arange(ROWS), 64, 1e4))


LARGE = {
    "layer norm": (layers.normalize, (STREAM, norm("layer")), parts.NORM["layer"]),
    "rms norm": (layers.normalize, (STREAM, norm("rms")), parts.NORM["rms"]),
    "bias": (jnp.add, (STREAM, array((WIDTH,), HALF)), parts.BIAS),
    "swiglu": (layers.swiglu, (STREAM, STREAM), parts.ACTIVATION["swiglu"]),
    "entropy": (entropy, (STREAM,), parts.ENTROPY),
    "dropout": (lambda x: layers.dropped(x, jnp.zeros((1,), jnp.uint32), 3, 0.1), (STREAM,), parts.DROPOUT),
    "softmax": (partial(shares, causal=False), (SCORES,), parts.SOFTMAX),
    "mask": (shares, (SCORES,), parts.SOFTMAX + parts.MASK + 3 / HEADS),
    "linear": (
        partial(shares, linear=True), (SCORES,), parts.SOFTMAX + parts.MASK + parts.LINEAR + 6 / HEADS,
    ),
    "rotary": (turned, (array((1, ROWS, 16, 64), HALF),), parts.ROTARY),
    "batch norm": (normal, (IMAGE, halves(convolution.norm(64))), parts.BATCH_NORM),
    "pool 2/2": (lambda x: convolution.pool(x, 2, 2), (IMAGE,), parts.POOL[2, 2]),
    "pool 3/2": (lambda x: convolution.pool(x, 3, 2, (1, 1)), (IMAGE,), parts.POOL[3, 2]),
    "pool 3/1": (lambda x: convolution.pool(x, 3, 1, (1, 1)), (IMAGE,), parts.POOL[3, 1]),
    "mean": (lambda x: x.mean(axis=(1, 2)), (IMAGE,), parts.MEAN),
    **{
        name: (partial(layers.activate, name), (STREAM,), each)
        for name, each in parts.ACTIVATION.items()
        if name != "swiglu"
    },
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_a_part_takes_so_many_operations_a_number(name: str) -> None:
    """But for single numbers a row, which the constants leave out: one in a thousand here."""
    part, given, each = LARGE[name]
    numbers = max(leaf.size for leaf in jax.tree.leaves(given))
    assert rest(part, *given) / numbers == pytest.approx(each, rel=0.01)


def test_the_gates_of_an_lstm_and_the_sum_of_their_gradient() -> None:
    """A hidden number takes 50 operations; the gradient of the matrix that goes round, 4 H^2, is added at each time."""
    times, rows, hidden = 20, 8, 128
    weights = {
        "input": {"weight": array((hidden, 4 * hidden), HALF), "bias": array((4 * hidden,), HALF)},
        "recurrent": {"weight": array((hidden, 4 * hidden), HALF)},
    }

    def run(stream: jax.Array, given: Any) -> jax.Array:
        nothing = jnp.zeros((rows, hidden), HALF)
        return lstm._over_time(stream, given, lstm.State(nothing, nothing))[0]

    found = rest(run, array((rows, times, hidden), HALF), weights)
    assert found == pytest.approx(times * (rows * parts.LSTM * hidden + 4 * hidden**2), rel=0.01)


def test_a_number_that_goes_to_an_expert_and_back() -> None:
    spec = MixtureModel.model_validate(
        {
            "family": "mixture", "layers": 1, "hidden": 2048, "heads": 4, "context": 64, "vocabulary": 20,
            "feed_forward": 64, "activation": "swiglu", "bias": False, "experts": 8, "chosen": 2,
        }
    )  # fmt: skip
    made = jax.eval_shape(lambda: experts.weights(iter(jax.random.split(jax.random.key(0), 8)), spec, 1))
    weights = jax.tree.map(lambda leaf: array(leaf.shape[1:], HALF), made)
    found = rest(lambda stream, given: experts.routed(stream, given, spec), array((1, 64, 2048), HALF), weights)
    activations = parts.ACTIVATION["swiglu"] * 64 * 2 * 64
    assert (found - activations) / (64 * 2 * 2048) == pytest.approx(parts.ROUTED, rel=0.01)


def test_taps_that_meet_the_image() -> None:
    """Three taps over five places with a border of one: the first and the last miss one; spread by two, two each."""
    assert taps(5, 3, border=1) == (13, 5)
    assert taps(5, 3) == (9, 3)
    assert taps(5, 3, stride=2, border=1) == (7, 3)
    assert taps(5, 3, border=2, spread=2) == (11, 5)


def test_more_rows_share_the_sum_of_the_gradient() -> None:
    spec = LstmModel(family="lstm", vocabulary=50, embedding=8, hidden=8, layers=1, context=5)
    one, four = training(spec), training(spec, rows=4)
    assert one.products == four.products == 3 * 5 * 2 * (32 * 16 + 8 * 50)
    assert one.rest - four.rest == pytest.approx(5 * 4 * 64 * (1 - 1 / 4))
