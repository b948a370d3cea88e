"""A decoder that writes token after token, from a cache, says what it says of the whole sequence at once."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dcsim.scenario.models import LstmModel, MixtureModel, ModelSpec, TransformerModel
from dcsim.workload.models import blocks, cache, experts, family, generator, lstm, service, transformer
from dcsim.workload.models.cache import Entry, Size

quick = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})  # compiles in half the time

ROWS, FIRST = 3, 5
DENSE: dict[str, Any] = {
    "family": "transformer", "layers": 2, "hidden": 16, "heads": 4, "context": 9, "vocabulary": 20,
}  # fmt: skip
MIXED: dict[str, Any] = {
    "family": "mixture", "layers": 3, "hidden": 8, "heads": 2, "context": 8, "vocabulary": 20, "feed_forward": 12,
    "activation": "swiglu", "bias": False, "norm": "rms", "positions": "rotary", "experts": 4, "chosen": 2,
}  # fmt: skip
LATENT = {"queries": 6, "cached": 5, "plain": 4, "rotary": 2, "values": 3}
DECODERS: dict[str, dict[str, Any]] = {
    "gpt2": DENSE,
    "llama": DENSE | {
        "positions": "rotary", "norm": "rms", "activation": "swiglu", "bias": False, "key_value_heads": 2,
        "tied_head": False,
    },
    "bloom": DENSE | {"positions": "alibi", "embedding_norm": True},
    "opt": DENSE | {"activation": "relu", "position_rows": 11},
    "nemotron": DENSE | {"positions": "rotary", "rotary_share": 0.5, "activation": "squared-relu"},
    "window-wider-than-a-step": DENSE | {"positions": "alibi", "window": 3},
    "mixtral": MIXED,
    "gpt-oss": MIXED | {"window": 4, "sinks": True, "layers": 4, "bias": True, "key_value_heads": 1, "head_width": 6},
    "deepseek": MIXED | {
        "latent": LATENT, "dense_layers": 1, "shared_experts": 1, "router": "sigmoid", "expert_feed_forward": 5,
        "bias": True,
    },
}  # fmt: skip
LSTM: dict[str, Any] = {"family": "lstm", "vocabulary": 20, "embedding": 6, "hidden": 6, "layers": 2, "context": 8}


def decoder(name: str) -> Any:
    described = DECODERS[name]
    return (MixtureModel if described["family"] == "mixture" else TransformerModel).model_validate(described)


def parameters(spec: ModelSpec) -> Any:
    """Weights far from their first values, biases and scales too, so that every part matters."""
    draws = np.random.default_rng(0)
    made = jax.eval_shape(lambda: family(spec).init(jax.random.key(0), spec))
    return jax.tree.map(lambda leaf: jnp.asarray(draws.normal(0.5, 0.3, leaf.shape), jnp.float32), made)


def sequences(spec: Any) -> jax.Array:
    return jax.random.randint(jax.random.key(1), (ROWS, spec.context), 0, spec.vocabulary)


def whole(spec: Any, weights: Any, tokens: jax.Array) -> jax.Array:
    """The logits after every token, by the full forward pass."""
    if isinstance(spec, LstmModel):
        stream = lstm.encoded(weights, {"inputs": tokens}, spec)
        return stream @ weights["head"]["weight"] + weights["head"]["bias"]
    given = blocks.setting(spec, jnp.arange(tokens.shape[1]), {})._replace(trained=False)
    stream = transformer.through(weights, transformer.embedded(weights, tokens, spec), given)
    return transformer.logits(stream, weights, spec)


def check(spec: Any) -> None:
    """Compare every token decoded, one by one behind a prompt, and the cache with its layout."""
    tokens, made = sequences(spec), generator(spec)
    length = tokens.shape[1]
    later = Entry(tokens[:, FIRST:].T, jnp.broadcast_to(jnp.arange(FIRST, length)[:, None], (length - FIRST, ROWS)))

    @quick
    def run(weights: Any) -> Any:
        first, kept = made.prefill(weights, tokens[:, :FIRST], spec, length)
        kept, rest = jax.lax.scan(lambda old, entry: made.decode(weights, old, entry, spec)[::-1], kept, later)
        return whole(spec, weights, tokens), jnp.concatenate([first[None], rest]).swapaxes(0, 1), kept

    expected, found, kept = run(parameters(spec))
    limit = 1e-5 * float(jnp.abs(expected).max())
    np.testing.assert_allclose(found, expected[:, FIRST - 1 :], atol=limit, rtol=1e-5)
    shapes = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), made.layout(spec, Size(ROWS, length), jnp.float32))
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), kept) == shapes


@pytest.mark.parametrize("name", DECODERS)
def test_token_by_token_is_the_whole_sequence_at_once(name: str) -> None:
    check(decoder(name))


@pytest.mark.parametrize("change", [{}, {"embedding": 4}, {"layers": 1}], ids=["equal", "narrow", "one"])
def test_an_lstm_goes_on_from_its_state(change: dict[str, Any]) -> None:
    check(LstmModel.model_validate(LSTM | change))


def test_rows_stand_where_they_stand() -> None:
    """Rows go on from places 5, 6 and 7 of one cache; what later tokens left in it is not seen."""
    spec = decoder("llama")
    tokens, made = sequences(spec), generator(spec)
    rows, places = jnp.arange(ROWS), FIRST + jnp.arange(ROWS)

    @quick
    def run(weights: Any) -> Any:
        _, kept = made.prefill(weights, tokens, spec, 9)
        newest = Entry(tokens[rows, places], places)
        return whole(spec, weights, tokens), made.decode(weights, kept, newest, spec)[0]

    expected, found = run(parameters(spec))
    np.testing.assert_allclose(found, expected[rows, places], rtol=1e-4, atol=1e-4)


def test_slots_of_a_window_are_used_again() -> None:
    """Six tokens, room for four: the fifth and sixth lie where the first and second lay."""
    tokens = jnp.arange(6.0).reshape(1, 6, 1)
    assert cache.filled(tokens, 4).ravel().tolist() == [4, 5, 2, 3]
    assert cache.filled(tokens, 8).ravel().tolist() == [0, 1, 2, 3, 4, 5, 0, 0]
    added = cache.added(cache.filled(tokens, 4), jnp.array([[[6.0]]]), cache.slots(jnp.array([6]), 4))
    assert added.ravel().tolist() == [4, 5, 6, 3]
    assert cache.before(jnp.array([6]), 4, 4).tolist() == [[2, 1, 0, 3]]
    assert cache.before(jnp.array([1]), 4, 4).tolist() == [[1, 0, -1, -1]]
    assert (cache.before(jnp.array([1]), 4, None) >= 0).tolist() == [[True, True, False, False]]


def test_experts_by_group_are_those_with_room_for_all() -> None:
    spec = MixtureModel.model_validate(MIXED | {"bias": True, "capacity": 2.0, "shared_experts": 1})
    weights = jax.tree.map(lambda leaf: leaf[0], parameters(spec)["blocks"])
    stream = jax.random.normal(jax.random.key(1), (2, 5, 8))
    mixes = experts.grouped, experts.routed
    found, expected = quick(lambda given: [mix(stream, given, spec) for mix in mixes])(weights)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_scores_of_tokens_are_the_loss_of_training() -> None:
    """The mean of the log-likelihoods is minus the loss; in a mixture where there is room for every token."""
    for spec in (decoder("gpt2"), decoder("mixtral").model_copy(update={"capacity": 2.0})):
        weights, tokens = parameters(spec), sequences(spec)
        batch = {"inputs": tokens, "labels": jnp.roll(tokens, -1, axis=1)}
        judges = service(spec).score, family(spec).loss
        scores, loss = quick(lambda given, b=batch, s=spec, j=judges: [each(given, b, s) for each in j])(weights)
        assert scores.shape == tokens.shape
        assert float(-scores.mean()) == pytest.approx(float(loss), rel=1e-5)
