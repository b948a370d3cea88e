"""Encoders: what they see, what they are asked, where they normalize; vision transformers; dropout in all of them."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dcsim.scenario.models import EncoderModel, TransformerModel, VisionModel
from dcsim.workload.models import blocks, encoder, family, layers, vision

quick = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})  # compiles in half the time

BERT: dict[str, Any] = {
    "family": "encoder", "layers": 2, "hidden": 16, "heads": 2, "context": 8, "vocabulary": 20, "masked": 3,
}  # fmt: skip
VIT: dict[str, Any] = {
    "family": "vision", "layers": 2, "hidden": 16, "heads": 2, "image": 8, "patch": 4, "classes": 5,
}  # fmt: skip


def sample(spec: EncoderModel, seed: int = 0) -> dict[str, jax.Array]:
    keys = iter(jax.random.split(jax.random.key(seed), 5))
    top = {"inputs": 20, "segments": 2, "places": 8, "labels": 20, "follows": 2}
    return {n: jax.random.randint(next(keys), array.shape, 0, top[n]) for n, array in encoder.batch(spec, 4).items()}


def test_the_accuracy_of_an_encoder_is_the_share_of_hidden_tokens_found() -> None:
    """Without weights every place has the logits of the head's bias, here 3 for token 5 of 20: of three hidden tokens
    two are found. Of each of these the loss is ln(e^3 + 19) - 3, of the other ln(e^3 + 19); of the second task ln 2.
    """
    spec = EncoderModel.model_validate(BERT)
    shapes = jax.eval_shape(lambda: encoder.init(jax.random.key(0), spec))
    empty = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    empty["head_bias"] = empty["head_bias"].at[5].set(3.0)
    given = {**sample(spec), "labels": jnp.full((4, 3), 5).at[:, 1].set(6)}
    found = quick(lambda: encoder.judge(empty, given, spec))()
    np.testing.assert_allclose(found.right, 2 / 3, rtol=1e-6)
    np.testing.assert_allclose(found.losses, np.log(np.exp(3) + 19) - 2 + np.log(2), rtol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [{}, {"norm_place": "before", "positions": "rotary", "norm": "rms", "activation": "swiglu", "tied_head": False},
    ],
    ids=["bert", "later"],
)  # fmt: skip
def test_an_untrained_encoder_knows_nothing_and_every_token_sees_all(changes: dict[str, Any]) -> None:
    """The first loss is that of a guess among 20 tokens plus that of a guess among two answers."""
    spec = EncoderModel.model_validate(BERT | changes)
    given = sample(spec)

    @quick
    def run(inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
        parameters = encoder.init(jax.random.key(0), spec)
        shared = blocks.setting(spec, jnp.arange(8), {})
        return encoder.loss(parameters, given, spec), encoder.encoded(parameters, {**given, "inputs": inputs}, shared)

    loss, first = run(given["inputs"])
    assert loss == pytest.approx(np.log(20) + np.log(2), rel=0.03)
    _, other = run(given["inputs"].at[:, 7].add(1) % 20)
    assert float(jnp.abs(first[:, 0] - other[:, 0]).max()) > 1e-6


def test_bert_normalizes_after_the_additions() -> None:
    """What leaves a layer is normalized: mean 0 and variance 1 over the width."""
    spec = EncoderModel.model_validate(BERT)
    given = sample(spec)

    @quick
    def run() -> jax.Array:
        return encoder.encoded(encoder.init(jax.random.key(0), spec), given, blocks.setting(spec, jnp.arange(8), {}))

    out = run()
    np.testing.assert_allclose(out.mean(-1), 0.0, atol=1e-5)
    np.testing.assert_allclose(out.var(-1), 1.0, atol=0.05)


def test_a_vision_transformer_sees_patches() -> None:
    """An 8 x 8 image in patches of 4 is four patches and the class token; at first any of five classes is as likely."""
    spec = VisionModel.model_validate(VIT)
    images = jax.random.normal(jax.random.key(1), (3, 8, 8, 3))

    @quick
    def run(inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
        parameters = vision.init(jax.random.key(0), spec)
        shared = blocks.setting(spec, jnp.arange(5), {})
        batch = {"inputs": inputs, "labels": jnp.array([0, 1, 2])}
        return vision.loss(parameters, batch, spec), vision.logits(parameters, inputs, shared)

    loss, first = run(images)
    assert spec.context == 5
    assert loss == pytest.approx(np.log(5), rel=0.03)
    _, other = run(images.at[:, 7, 7].add(1.0))
    assert first.shape == (3, 5)
    assert float(jnp.abs(first - other).max()) > 1e-6


def test_the_patches_are_cut_and_projected() -> None:
    """One product over the 4 x 4 x 3 numbers of a patch, row by row."""
    spec = VisionModel.model_validate(VIT | {"layers": 1})
    parameters = quick(lambda: vision.init(jax.random.key(0), spec))()
    image = jax.random.normal(jax.random.key(1), (1, 8, 8, 3))
    stream = vision._patches(parameters, image) - parameters["positions"]
    weight = parameters["patches"]["weight"].reshape(48, 16)
    np.testing.assert_allclose(stream[0, 2], image[0, :4, 4:].reshape(48) @ weight, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(stream[0, 0], jnp.zeros(16))


def test_dropout_zeroes_its_share_and_keeps_the_mean() -> None:
    stream = jnp.ones((4, 50, 50))
    found = layers.dropped(stream, jnp.arange(4, dtype=jnp.uint32), 3, 0.25)
    assert float((found == 0).mean()) == pytest.approx(0.25, abs=0.02)  # 10,000 draws: deviation 0.004
    assert set(np.unique(np.asarray(found)).round(6)) == {0.0, np.float32(4 / 3).round(6)}
    other = layers.dropped(stream, jnp.arange(4, dtype=jnp.uint32), 4, 0.25)
    assert not np.array_equal(found, other)


@pytest.mark.parametrize("model", ["window", "vision"])
def test_dropout_of_a_sample_does_not_depend_on_its_batch(model: str) -> None:
    decoder = {"family": "transformer", "layers": 2, "hidden": 16, "heads": 2, "context": 8, "vocabulary": 20}
    spec: Any = {
        "window": lambda: TransformerModel.model_validate(decoder | {"dropout": 0.5, "window": 4}),
        "vision": lambda: VisionModel.model_validate(VIT | {"dropout": 0.5}),
    }[model]()
    made = family(spec)
    parameters = quick(lambda: made.init(jax.random.key(0), spec))()
    shapes = {name: (array.shape, array.dtype) for name, array in made.batch(spec, 4).items()}
    batch = {name: jnp.ones(shape, dtype).cumsum(-1).astype(dtype) % 2 for name, (shape, dtype) in shapes.items()}
    batch["seeds"] = jnp.arange(4, dtype=jnp.uint32)
    compiled = quick(lambda given: made.loss(parameters, given, spec))

    def loss(given: Any) -> float:
        return float(compiled(given))

    whole = loss(batch)
    halves = [loss({name: array[part] for name, array in batch.items()}) for part in (slice(0, 2), slice(2, 4))]
    assert whole == pytest.approx((halves[0] + halves[1]) / 2, rel=1e-5)
    again = loss({**batch, "seeds": batch["seeds"] + 7})
    assert again != whole


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        (EncoderModel, {**BERT, "masked": 9}, "at most the context"),
        (VisionModel, {**VIT, "patch": 3}, "divides image"),
        (VisionModel, {**VIT, "dropout": 1.0}, "below 1"),
    ],
)  # fmt: skip
def test_encoders_that_do_not_fit_are_refused(kind: Any, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind.model_validate(change)


def test_samples_are_stored_as_they_are_read() -> None:
    """Eight tokens of two bytes, their segments of one, three places and labels of two, a label; pixels and a label."""
    assert EncoderModel.model_validate(BERT).sample_bytes == 8 * 3 + 3 * 4 + 1
    assert VisionModel.model_validate(VIT).sample_bytes == 8 * 8 * 3 + 1
