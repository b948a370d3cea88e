"""LSTM networks, the recommender and the objectives of plain networks, each against arithmetic in float64."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dcsim.scenario.models import LstmModel, MlpModel, RecommenderModel
from dcsim.workload.models import lstm, mlp, objectives, recommender

quick = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})  # compiles in half the time

BASE: dict[str, Any] = {
    "family": "lstm", "vocabulary": 12, "embedding": 5, "hidden": 3, "layers": 2, "context": 4,
}  # fmt: skip


def sigmoid(value: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-value))


def by_hand(inputs: np.ndarray, weights: Any) -> np.ndarray:
    """One layer of one sample, one time after the other; the gates lie input, forget, cell, output."""
    enter, bias = (np.asarray(weights["input"][name], np.float64) for name in ("weight", "bias"))
    again = np.asarray(weights["recurrent"]["weight"], np.float64)
    hidden, cell, outs = np.zeros(len(again)), np.zeros(len(again)), []
    for entry in inputs:
        into, forget, new, out = np.split(entry @ enter + bias + hidden @ again, 4)
        cell = sigmoid(forget) * cell + sigmoid(into) * np.tanh(new)
        hidden = sigmoid(out) * np.tanh(cell)
        outs.append(hidden)
    return np.array(outs)


def test_a_language_model_is_its_definition() -> None:
    """The first layer reads 5 numbers and so stands alone, the others read 3 and are stacked."""
    spec = LstmModel.model_validate(BASE | {"layers": 3})
    parameters = quick(lambda: lstm.init(jax.random.key(0), spec))()
    tokens = jnp.array([[3, 1, 4, 1], [5, 9, 2, 6]])
    found = quick(lambda: lstm.encoded(parameters, {"inputs": tokens}, spec))()
    for row, made in zip(np.asarray(tokens), np.asarray(found), strict=True):
        stream = by_hand(np.asarray(parameters["tokens"], np.float64)[row], parameters["first"]["forward"])
        for layer in range(2):
            own = jax.tree.map(lambda array, layer=layer: array[layer], parameters["rest"]["forward"])
            stream = by_hand(stream, own)
        np.testing.assert_allclose(made, stream, atol=1e-6)
    loss = quick(lambda: lstm.loss(parameters, {"inputs": tokens, "labels": jnp.roll(tokens, -1, 1)}, spec))()
    assert float(loss) == pytest.approx(np.log(12), rel=0.05)


def test_both_directions_read_the_whole_text() -> None:
    spec = LstmModel.model_validate(BASE | {"layers": 1, "bidirectional": True, "classes": 1})
    parameters = lstm.init(jax.random.key(0), spec)
    tokens = jnp.array([[3, 1, 4, 1]])
    found = np.asarray(lstm.summary(lstm.encoded(parameters, {"inputs": tokens}, spec), spec))[0]
    table = np.asarray(parameters["tokens"], np.float64)[np.asarray(tokens)[0]]
    np.testing.assert_allclose(found[:3], by_hand(table, parameters["first"]["forward"])[-1], atol=1e-6)
    np.testing.assert_allclose(found[3:], by_hand(table[::-1], parameters["first"]["backward"])[-1], atol=1e-6)


def test_the_layout_and_dropout_of_layers() -> None:
    spec = LstmModel.model_validate(BASE | {"embedding": 3, "dropout": 0.5})
    parameters = quick(lambda: lstm.init(jax.random.key(0), spec))()
    shapes = lstm.batch(spec, 2)
    assert set(shapes) == {"inputs", "labels", "seeds"}
    batch = {name: jnp.arange(array.size, dtype=array.dtype).reshape(array.shape) for name, array in shapes.items()}
    loop, unrolled = (
        quick(lambda layout=layout: lstm.loss(parameters, batch, spec, layout))() for layout in ("loop", "unrolled")
    )
    assert float(loop) == pytest.approx(float(unrolled), rel=1e-6)
    del batch["seeds"]  # as when the model is judged
    assert float(quick(lambda: lstm.loss(parameters, batch, spec))()) != float(loop)


def test_the_next_token_is_not_seen() -> None:
    with pytest.raises(ValueError, match="must not be seen"):
        LstmModel.model_validate(BASE | {"bidirectional": True})


def test_a_recommender_is_its_definition() -> None:
    """Two tables of 3 and 4 rows, so category 2 of the second is row 5; products of three vectors, three pairs."""
    spec = RecommenderModel(family="recommender", numbers=2, tables=(3, 4), embedding=2, bottom=(3,), top=(4,))
    parameters = recommender.init(jax.random.key(0), spec)
    batch = {"inputs": jnp.array([[0.5, -1.0]]), "categories": jnp.array([[1, 2]])}
    found = recommender.logits(parameters, batch, spec)
    stream = np.asarray(batch["inputs"], np.float64)[0]
    for layer in parameters["bottom"]:
        stream = np.maximum(0, stream @ np.asarray(layer["weight"], np.float64) + np.asarray(layer["bias"]))
    first, second = (np.asarray(parameters["tables"], np.float64)[row] for row in (1, 5))
    stream = np.array([*stream, stream @ first, stream @ second, first @ second])
    hidden, last = parameters["top"]
    stream = np.maximum(0, stream @ np.asarray(hidden["weight"], np.float64) + np.asarray(hidden["bias"]))
    expected = stream @ np.asarray(last["weight"], np.float64) + np.asarray(last["bias"])
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-6)
    loss = recommender.loss(parameters, {**batch, "labels": jnp.array([1])}, spec)
    assert float(loss) == pytest.approx(np.log1p(np.exp(-expected[0])), rel=1e-4)
    assert float(jnp.abs(parameters["tables"][3:]).max()) <= 0.5  # 1 / sqrt(4)


@pytest.mark.parametrize(
    ("objective", "outputs", "labels", "expected"),
    [
        ("cross-entropy", [[1.0, 2.0]], [0], np.log1p(np.exp(1.0))),
        ("mean-square", [[0.5], [2.0]], [1.0, 1.5], (0.25 + 0.25) / 2),
        ("mean-square", [[0.5, 0.5]], [1], 0.25 + 0.25),
        ("log", [[2.0]], [1], np.log1p(np.exp(-2.0))),
        ("log", [[2.0, 1.0]], [0], np.log1p(np.exp(-2.0)) + np.log1p(np.exp(1.0))),
        ("hinge", [[0.3]], [1], 0.7),
        ("hinge", [[0.3, 0.3]], [0], 0.7 + 1.3),
    ],
)
def test_objectives(objective: str, outputs: Any, labels: Any, expected: float) -> None:
    found = objectives.mean(objective, jnp.array(outputs), jnp.array(labels))
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_a_dense_network_takes_its_activation_objective_and_dropout() -> None:
    """Weights of one: tanh(1 + 1) = 0.964 twice, so 1.928 against 1.5."""
    spec = MlpModel(family="mlp", inputs=2, hidden=(2,), classes=1, activation="tanh", objective="mean-square")
    parameters = jax.tree.map(
        lambda array: jnp.full_like(array, float(array.ndim == 2)), mlp.init(jax.random.key(0), spec)
    )
    batch = {"inputs": jnp.ones((1, 2)), "labels": jnp.array([1.5])}
    assert mlp.batch(spec, 1)["labels"].dtype == jnp.float32
    assert float(mlp.loss(parameters, batch, spec)) == pytest.approx((2 * np.tanh(2) - 1.5) ** 2, rel=1e-5)
    noisy = spec.model_copy(update={"dropout": 0.5})
    several = {"inputs": jnp.ones((64, 2)), "seeds": jnp.arange(64, dtype=jnp.uint32)}
    found = np.unique(np.asarray(mlp.forward(parameters, several, noisy)).round(4))
    np.testing.assert_allclose(found, [0, 2 * np.tanh(2), 4 * np.tanh(2)], rtol=1e-3)


def test_one_output_has_no_softmax() -> None:
    with pytest.raises(ValueError, match="log or hinge"):
        MlpModel(family="mlp", inputs=2, hidden=(), classes=1)


def test_samples_are_stored_as_they_are_read() -> None:
    """Four tokens of two bytes, with a class one more; two numbers and two categories of four bytes and a label."""
    assert LstmModel.model_validate(BASE).sample_bytes == 8
    assert LstmModel.model_validate(BASE | {"classes": 2}).sample_bytes == 9
    spec = RecommenderModel(family="recommender", numbers=2, tables=(3, 4), embedding=2, bottom=(3,), top=(4,))
    assert spec.sample_bytes == 17


def test_two_kinds_of_layers_in_both_directions_have_weights() -> None:
    spec = LstmModel(
        family="lstm", vocabulary=9, embedding=3, hidden=4, layers=2, context=5, classes=2, bidirectional=True
    )
    made = jax.eval_shape(lambda: lstm.init(jax.random.key(0), spec))
    # the first layer reads 3 numbers, the second 2 x 4
    assert made["first"]["backward"]["input"]["weight"].shape == (3, 16)
    assert made["rest"]["backward"]["input"]["weight"].shape == (1, 8, 16)
