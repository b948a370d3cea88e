"""What trained models say of a batch agrees with what training makes of them."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pydantic import TypeAdapter

from dcsim.scenario.models import ModelSpec, UnetModel
from dcsim.workload.models import family, service

quick = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})  # compiles in half the time

ROWS = 3
CLASSIFIERS: dict[str, dict[str, Any]] = {
    "mlp": {"family": "mlp", "inputs": 6, "hidden": [5], "classes": 4, "dropout": 0.5},
    "cnn": {"family": "cnn", "image": 6, "channels": [2, 3], "classes": 4},
    "resnet": {"family": "resnet", "image": 8, "width": 4, "blocks": [1, 2], "classes": 4},
    "vision": {
        "family": "vision", "layers": 2, "hidden": 8, "heads": 2, "image": 4, "patch": 2, "classes": 4, "dropout": 0.1,
    },
    "text": {
        "family": "lstm", "vocabulary": 9, "embedding": 4, "hidden": 3, "layers": 2, "context": 5, "classes": 4,
        "bidirectional": True,
    },
    "click": {
        "family": "recommender", "numbers": 3, "tables": [5, 7], "embedding": 4, "bottom": [6], "top": [6],
    },
}  # fmt: skip


def shape(described: dict[str, Any]) -> Any:
    adapter: TypeAdapter[Any] = TypeAdapter(ModelSpec)
    return adapter.validate_python(described)


def drawn(spec: Any) -> tuple[Any, Any]:
    """Parameters near 0 and a batch without dropout, whose labels and tokens are 0, 1, 2, ..."""
    draws = np.random.default_rng(0)
    made = jax.eval_shape(lambda: family(spec).init(jax.random.key(0), spec))
    weights = jax.tree.map(lambda leaf: jnp.asarray(draws.normal(0.2, 0.3, leaf.shape), jnp.float32), made)
    batch = {name: leaf for name, leaf in family(spec).batch(spec, ROWS).items() if name != "seeds"}

    def fill(leaf: Any) -> jax.Array:
        if jnp.issubdtype(leaf.dtype, jnp.integer):
            return jnp.arange(np.prod(leaf.shape)).reshape(leaf.shape) % 2
        return jnp.asarray(draws.normal(size=leaf.shape), leaf.dtype)

    return weights, jax.tree.map(fill, batch)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_loss_is_that_of_the_share_of_the_right_class(name: str) -> None:
    """Minus the mean logarithm; the moments of a batch norm are those of the very batch."""
    spec = shape(CLASSIFIERS[name])
    weights, batch = drawn(spec)

    @quick
    def run(weights: Any) -> tuple[jax.Array, jax.Array]:
        frozen = service(spec).frozen(weights, batch, spec)
        return family(spec).loss(weights, batch, spec, "loop"), service(spec).score(frozen, batch, spec, "loop")

    loss, scores = run(weights)
    if scores.shape[1] == 1:
        scores = jnp.concatenate([1 - scores, scores], axis=1)
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, rtol=1e-5)
    right = scores[jnp.arange(ROWS), batch["labels"]]
    assert float(loss) == pytest.approx(float(-jnp.log(right).mean()), rel=1e-4)


def test_a_score_does_not_hang_on_the_rows_beside() -> None:
    """With the moments of training an image gives alone what it gives in its batch."""
    spec = UnetModel(family="unet", image=4, width=3, depth=1, classes=3)
    weights, batch = drawn(spec)

    @quick
    def run(weights: Any) -> tuple[jax.Array, jax.Array]:
        frozen = service(spec).frozen(weights, batch, spec)
        alone = jax.tree.map(lambda leaf: leaf[:1], batch)
        return service(spec).score(frozen, batch, spec, "loop"), service(spec).score(frozen, alone, spec, "loop")

    together, alone = run(weights)
    assert together.shape == (ROWS, 4, 4)
    np.testing.assert_array_equal(alone, together[:1])
