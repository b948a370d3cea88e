"""What decoders may have in place of GPT-2's parts, each against its definition."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dcsim.scenario.models import TransformerModel
from dcsim.workload.models import attention, blocks, layers, positions, transformer

BASE: dict[str, Any] = {
    "family": "transformer", "layers": 2, "hidden": 32, "heads": 4, "context": 16, "vocabulary": 40,
}  # fmt: skip
VARIANTS: dict[str, dict[str, Any]] = {
    "gpt2": {},
    "llama": {
        "positions": "rotary", "norm": "rms", "activation": "swiglu", "bias": False, "key_value_heads": 2,
        "tied_head": False, "feed_forward": 48,
    },
    "bloom": {"positions": "alibi", "embedding_norm": True},
    "opt": {"activation": "relu", "position_rows": 18},
    "nemotron": {"positions": "rotary", "rotary_share": 0.5, "activation": "squared-relu", "bias": False},
    "sinks": {"positions": "rotary", "window": 4, "sinks": True, "head_width": 6, "key_value_heads": 1},
}  # fmt: skip


quick = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})  # compiles in half the time


def shape(name: str) -> TransformerModel:
    return TransformerModel.model_validate(BASE | VARIANTS[name])


def heads(seed: int, groups: int, length: int = 8) -> attention.Heads:
    keys = jax.random.split(jax.random.key(seed), 3)
    sizes = [(2, length, 4, 6), (2, length, groups, 6), (2, length, groups, 6)]
    return attention.Heads(*(jax.random.normal(key, size) for key, size in zip(keys, sizes, strict=True)))


def by_hand(found: attention.Heads, reach: attention.Reach) -> np.ndarray:
    """Attention, one query of one head after the other, in float64."""
    query, key, value = (np.asarray(part, np.float64) for part in found)
    rows, length, count, width = query.shape
    shared = count // key.shape[2]
    out = np.zeros((rows, length, count, width))
    for row in range(rows):
        for head in range(count):
            for place in range(length):
                first = 0 if reach.window is None else max(0, place - reach.window + 1)
                seen = range(first, place + 1 if reach.causal else length)
                scores = np.array([query[row, place, head] @ key[row, k, head // shared] for k in seen]) / width**0.5
                if reach.linear:
                    scores -= positions.slopes(count)[head] * (place - np.array(seen))
                weights = np.exp(scores)
                extra = 0.0 if reach.sinks is None else np.exp(reach.sinks[head])
                out[row, place, head] = weights @ value[row, seen, head // shared] / (weights.sum() + extra)
    return out.reshape(rows, length, count * width)


REACHES = {
    "causal": attention.Reach(),
    "both-sides": attention.Reach(causal=False),
    "linear": attention.Reach(linear=True),
    "window": attention.Reach(window=4),
    "uneven-window": attention.Reach(window=3),
    "sinks": attention.Reach(sinks=jnp.array([0.5, -1.0, 2.0, 0.0])),
    "all": attention.Reach(window=2, linear=True, sinks=jnp.array([0.5, -1.0, 2.0, 0.0])),
}


@pytest.mark.parametrize(("name", "groups"), [*((name, 2) for name in REACHES), ("causal", 4), ("all", 4), ("all", 1)])
def test_attention_is_its_definition(name: str, groups: int) -> None:
    found = attention.mixed(heads(3, groups), REACHES[name])
    np.testing.assert_allclose(found, by_hand(heads(3, groups), REACHES[name]), atol=2e-6)


def test_rotary_scores_depend_on_the_distance_alone() -> None:
    query, key = jax.random.normal(jax.random.key(1), (2, 1, 1, 1, 8))
    turns = positions.angles(jnp.arange(12), 8, 10000.0)

    def score(first: int, second: int) -> float:
        turned = [
            positions.rotate(array, positions.Angles(turns.cosine[at : at + 1], turns.sine[at : at + 1]))
            for array, at in ((query, first), (key, second))
        ]
        return float((turned[0] * turned[1]).sum())

    assert score(5, 2) == pytest.approx(score(11, 8), rel=1e-5)
    assert score(5, 2) != pytest.approx(score(5, 3), rel=1e-3)
    assert score(4, 4) == pytest.approx(float((query * key).sum()), rel=1e-5)


def test_rotary_turns_pairs_that_are_a_half_apart() -> None:
    """At place 1 the first pair turns by one radian, the second by 10000 ^ -1/2 = 0.01."""
    turned = positions.rotate(
        jnp.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 1, 1, 4), positions.angles(jnp.ones(1), 4, 1e4)
    )
    one, small = (np.cos(1.0), np.sin(1.0)), (np.cos(0.01), np.sin(0.01))
    expected = [
        one[0] - 3 * one[1], 2 * small[0] - 4 * small[1], 3 * one[0] + one[1], 4 * small[0] + 2 * small[1],
    ]  # fmt: skip
    np.testing.assert_allclose(turned.ravel(), expected, rtol=1e-6)


def test_a_part_of_the_head_may_stay_unturned() -> None:
    stream = jax.random.normal(jax.random.key(2), (1, 3, 2, 8))
    turned = positions.rotate(stream, positions.angles(jnp.arange(3), 4, 1e4))
    np.testing.assert_array_equal(turned[..., 4:], stream[..., 4:])
    np.testing.assert_allclose(jnp.square(turned).sum(-1), jnp.square(stream).sum(-1), rtol=1e-5)


def test_slopes_of_linear_biases() -> None:
    """Eight heads: 1/2 to 1/256. Twelve: those of eight, then every other one of sixteen's, 2 ^ -0.5, 2 ^ -1.5, ..."""
    np.testing.assert_allclose(positions.slopes(8), [2.0**-power for power in range(1, 9)])
    np.testing.assert_allclose(positions.slopes(12)[8:], [2**-0.5, 2**-1.5, 2**-2.5, 2**-3.5])
    assert len(positions.slopes(112)) == len(set(positions.slopes(112))) == 112


def test_rms_norm_has_no_mean_and_no_shift() -> None:
    """[3, 4] has the mean square 12.5."""
    found = layers.normalize(jnp.array([[3.0, 4.0]]), layers.norm((2,), "rms"))
    np.testing.assert_allclose(found, [[3 / 12.5**0.5, 4 / 12.5**0.5]], rtol=1e-5)
    assert set(layers.norm((2,), "layer")) == {"scale", "shift"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("relu", [0.0, 2.0]), ("squared-relu", [0.0, 4.0]), ("leaky-relu", [-0.01, 2.0]),
        ("tanh", np.tanh([-1.0, 2.0])),
        ("sigmoid", 1 / (1 + np.exp([1.0, -2.0]))), ("silu", np.array([-1.0, 2.0]) / (1 + np.exp([1.0, -2.0]))),
        ("gelu", [-0.158808, 1.954598]), ("gelu-exact", [-0.158655, 1.954500]),
    ],
)  # fmt: skip
def test_activations(name: str, expected: Any) -> None:
    """GELU is x times the normal distribution's share below x: -0.158655 and 2 x 0.97725; by tanh a little off."""
    np.testing.assert_allclose(layers.activate(name, jnp.array([-1.0, 2.0])), expected, rtol=1e-5)


@pytest.mark.parametrize("name", VARIANTS)
def test_untrained_decoders_know_nothing_and_see_no_future(name: str) -> None:
    spec = shape(name)
    tokens = jax.random.randint(jax.random.key(1), (2, 16), 0, 40)

    @quick
    def run(inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
        parameters = transformer.init(jax.random.key(0), spec)
        given = blocks.setting(spec, jnp.arange(16), {})
        stream = transformer.through(parameters, transformer.embedded(parameters, inputs, spec), given)
        batch = {"inputs": inputs, "labels": jnp.roll(tokens, 5, axis=1)}
        return transformer.loss(parameters, batch, spec), transformer.logits(stream, parameters, spec)

    (loss, one), (_, other) = run(tokens), run(tokens.at[:, 10].add(1) % 40)
    assert loss == pytest.approx(np.log(40), rel=0.02)
    np.testing.assert_allclose(one[:, :10], other[:, :10], atol=1e-6)
    assert float(jnp.abs(one[:, 10:] - other[:, 10:]).max()) > 1e-4


def test_the_layout_of_layers_changes_no_gradient() -> None:
    spec = shape("sinks")
    parameters = quick(lambda: transformer.init(jax.random.key(0), spec))()
    batch = dict.fromkeys(("inputs", "labels"), jax.random.randint(jax.random.key(1), (2, 16), 0, 40))
    loop, unrolled = (
        quick(jax.grad(lambda given, layout=layout: transformer.loss(given, batch, spec, layout)))(parameters)
        for layout in ("loop", "unrolled")
    )
    for left, right in zip(jax.tree.leaves(loop), jax.tree.leaves(unrolled), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-6)
        assert float(jnp.abs(left).max()) > 0.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": 5}, "divides hidden"), ({"key_value_heads": 3}, "divides heads"),
        ({"window": 4, "layers": 3}, "even number of layers"), ({"position_rows": 8}, "at least the context"),
    ],
)  # fmt: skip
def test_sizes_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TransformerModel.model_validate(BASE | change)
