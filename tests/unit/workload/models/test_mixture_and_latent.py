"""Experts that take a fixed number of tokens, and attention through a narrow vector, against their definitions."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dcsim.scenario.models import MixtureModel
from dcsim.workload.models import attention, experts, latent, mixture, positions

BASE: dict[str, Any] = {
    "family": "mixture", "layers": 3, "hidden": 8, "heads": 2, "context": 6, "vocabulary": 20, "feed_forward": 12,
    "activation": "swiglu", "bias": False, "norm": "rms", "positions": "rotary", "experts": 4, "chosen": 2,
    "capacity": 2.0,
}  # fmt: skip
LATENT = {"queries": 6, "cached": 5, "plain": 4, "rotary": 2, "values": 3}


quick = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})  # compiles in half the time


def shape(**changes: Any) -> MixtureModel:
    return MixtureModel.model_validate(BASE | changes)


def layer(spec: MixtureModel) -> Any:
    """The experts of one layer, with weights large enough to tell them apart."""
    stacked = experts.weights(iter(jax.random.split(jax.random.key(0), 8)), spec, 1)
    return jax.tree.map(lambda array: 20 * array[0], stacked)


def ffn(token: np.ndarray, weights: Any, expert: int | None = None) -> np.ndarray:
    gate, expand, contract = (
        np.asarray(weights[name]["weight"] if expert is None else weights[name]["weight"][expert], np.float64)
        for name in ("gate", "expand", "contract")
    )
    gated = token @ gate
    return (gated / (1 + np.exp(-gated)) * (token @ expand)) @ contract


def test_every_token_gets_its_two_best_experts_by_their_softmax() -> None:
    spec = shape()
    weights, stream = layer(spec), jax.random.normal(jax.random.key(1), (2, 6, 8))
    found = experts.routed(stream, weights, spec)
    for token, made in zip(
        np.asarray(stream, np.float64).reshape(-1, 8), np.asarray(found).reshape(-1, 8), strict=True
    ):
        logits = token @ np.asarray(weights["router"]["weight"], np.float64)
        best = np.argsort(-logits)[:2]
        shares = np.exp(logits[best]) / np.exp(logits[best]).sum()
        expected = sum(share * ffn(token, weights["experts"], int(e)) for share, e in zip(shares, best, strict=True))
        np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-5)


def test_sigmoid_routing_chooses_by_the_shifted_score_and_weighs_by_the_plain_one() -> None:
    spec = shape(router="sigmoid", shared_experts=1)
    weights, stream = layer(spec), jax.random.normal(jax.random.key(1), (1, 6, 8))
    weights["router"]["balance"] = jnp.array([5.0, 0.0, 0.0, 0.0])  # everybody takes expert 0
    found = np.asarray(experts.routed(stream, weights, spec)).reshape(-1, 8)
    for token, made in zip(np.asarray(stream, np.float64).reshape(-1, 8), found, strict=True):
        scores = 1 / (1 + np.exp(-(token @ np.asarray(weights["router"]["weight"], np.float64))))
        best = [0, 1 + int(np.argmax(scores[1:]))]
        shares = scores[best] / scores[best].sum()
        expected = ffn(token, weights["shared"])
        expected = expected + sum(s * ffn(token, weights["experts"], e) for s, e in zip(shares, best, strict=True))
        np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-5)


def test_tokens_beyond_the_capacity_skip_the_expert_and_earlier_ones_go_first() -> None:
    """Six tokens, one expert each of four, capacity 1: two tokens an expert. All want expert 2, so four get nothing."""
    spec = shape(chosen=1, capacity=1.0)
    weights = layer(spec)
    weights["router"]["weight"] = jnp.zeros((8, 4)).at[:, 2].set(1.0)
    stream = jnp.abs(jax.random.normal(jax.random.key(1), (1, 6, 8)))
    found = np.asarray(experts.routed(stream, weights, spec))[0]
    assert experts.capacity(6, spec) == 2
    assert (np.abs(found[:2]).max(axis=-1) > 0).all()
    assert (found[2:] == 0).all()


def test_biases_of_experts_are_their_own() -> None:
    """A zero token meets the biases alone; the ReLU of the first expert's is 1, of the second's 2, and so on."""
    spec = shape(bias=True, activation="relu", chosen=1)
    weights = jax.tree.map(jnp.zeros_like, layer(spec))
    weights["router"]["weight"] = jnp.eye(8, 4)
    weights["experts"]["expand"]["bias"] = jnp.arange(1.0, 5.0)[:, None] * jnp.ones(12)
    weights["experts"]["contract"]["weight"] = jnp.ones((4, 12, 8))
    found = experts.routed(jnp.eye(4, 8)[None], weights, spec)
    np.testing.assert_allclose(found[0, :, 0], [12, 24, 36, 48])


@pytest.mark.parametrize(("tokens", "factor", "expected"), [(16, 1.0, 8), (16, 1.25, 10), (3, 1.0, 2), (1, 1.0, 1)])
def test_capacity_is_the_even_share_rounded_up(tokens: int, factor: float, expected: int) -> None:
    """Two of four experts a token: tokens / 2, times the factor; never more than there are tokens."""
    assert experts.capacity(tokens, shape(capacity=factor)) == expected


def test_latent_attention_is_its_definition() -> None:
    spec = shape(latent=LATENT)
    assert spec.latent is not None
    made = latent.weights(iter(jax.random.split(jax.random.key(0), 8)), spec, spec.latent, 1)
    weights = jax.tree.map(lambda array: 20 * array[0], made)
    stream = jax.random.normal(jax.random.key(1), (1, 4, 8))
    turns = positions.angles(jnp.arange(4), 2, 1e4)
    heads = latent.projected(stream, weights, spec.latent, turns)
    wide = {name: np.asarray(weights[name]["weight"], np.float64) for name in weights if not name.endswith("norm")}
    scale = 20.0 / 1.0  # the scales of the norms were multiplied too

    def rms(array: np.ndarray) -> np.ndarray:
        return scale * array / np.sqrt(np.square(array).mean(-1, keepdims=True) + 1e-5)

    plain = np.asarray(stream, np.float64)[0]
    query = (rms(plain @ wide["query_down"]) @ wide["query_up"]).reshape(4, 2, 6)
    down = plain @ wide["key_value_down"]
    up = (rms(down[:, :5]) @ wide["key_value_up"]).reshape(4, 2, 7)
    angle = np.arange(4.0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]).transpose(2, 0, 1)
    np.testing.assert_allclose(heads.query[0, ..., :4], query[..., :4], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(heads.query[0, ..., 4:], np.einsum("tij,thj->thi", turn, query[..., 4:]), atol=1e-3)
    np.testing.assert_allclose(heads.key[0, ..., :4], up[..., :4], rtol=1e-4, atol=1e-4)
    shared = np.einsum("tij,tj->ti", turn, down[:, 5:])
    for head in range(2):
        np.testing.assert_allclose(heads.key[0, :, head, 4:], shared, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(heads.value[0], up[..., 4:], rtol=1e-4, atol=1e-4)
    assert attention.mixed(heads, attention.Reach()).shape == (1, 4, 2 * 3)


@pytest.mark.parametrize(
    "changes",
    [{}, {"latent": LATENT, "dense_layers": 1, "shared_experts": 1, "router": "sigmoid", "expert_feed_forward": 5}],
    ids=["mixtral", "deepseek"],
)  # fmt: skip
def test_an_untrained_mixture_knows_nothing_and_learns(changes: dict[str, Any]) -> None:
    spec = shape(**changes)
    tokens = jax.random.randint(jax.random.key(1), (2, 6), 0, 20)
    batch = {"inputs": tokens, "labels": jnp.roll(tokens, 3, axis=1)}

    @quick
    def descend(parameters: Any) -> tuple[jax.Array, Any]:
        loss, slope = jax.value_and_grad(mixture.loss)(parameters, batch, spec)
        return loss, jax.tree.map(lambda old, change: old - 0.5 * change, parameters, slope)

    parameters = quick(lambda: mixture.init(jax.random.key(0), spec))()
    losses = []
    for _ in range(60):
        loss, parameters = descend(parameters)
        losses.append(float(loss))
    assert losses[0] == pytest.approx(np.log(20), rel=0.02)
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chosen": 5}, "at most the number of experts"), ({"dense_layers": 3}, "fewer than layers"),
        ({"latent": LATENT, "positions": "alibi"}, "rotary"),
    ],
)  # fmt: skip
def test_mixtures_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        shape(**change)
