"""The jaxpr walk against XLA's own cost analysis, on programs without loops (XLA counts the body of a loop once)."""

from __future__ import annotations

from typing import Any

import jax
import pytest

from dcsim.scenario.workload import CnnModel, MlpModel, TransformerModel
from dcsim.workload.step import Recipe, Step
from dcsim.workload.trace import trace

TRANSFORMER = TransformerModel(family="transformer", layers=3, hidden=64, heads=4, context=64, vocabulary=256)
MLP = MlpModel(family="mlp", inputs=784, hidden=(512, 512), classes=10)
CNN = CnnModel(family="cnn", image=28, channels=(1, 32, 64), classes=10)


def counted_by_xla(recipe: Recipe, micro: int) -> dict[str, float]:
    step = Step(recipe)
    master, state = jax.eval_shape(step.init, jax.eval_shape(lambda: jax.random.key(0)))

    def whole(weights: Any, master: Any, state: Any, batch: Any) -> Any:
        loss, gradients = step.gradient(weights, batch)
        return loss, step.update(master, state, gradients)

    weights = jax.eval_shape(step.weights, master)
    return jax.jit(whole).lower(weights, master, state, step.batch(micro)).cost_analysis()


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(
    ("model", "micro"), [(TRANSFORMER, 4), (MLP, 128), (CNN, 16)], ids=["transformer", "mlp", "cnn"]
)
def test_operations_agree_within_one_percent(model: Any, micro: int, precision: str, optimizer: str) -> None:
    recipe = Recipe(model, precision, optimizer, layers="unrolled")
    operations = trace(recipe, micro).operations
    counted = counted_by_xla(recipe, micro)
    assert sum(o.flops * o.count for o in operations) == pytest.approx(counted["flops"], rel=0.01)
    assert sum(o.transcendentals * o.count for o in operations) == pytest.approx(counted["transcendentals"], rel=0.01)
