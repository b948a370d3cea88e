"""The jaxpr walk against XLA's own cost analysis, on programs without loops (XLA counts the body of a loop once)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from dcsim.scenario.models import CnnModel, MlpModel, TransformerModel
from dcsim.workload.agreement import lower
from dcsim.workload.step import Recipe
from dcsim.workload.trace import analyze, trace

TRANSFORMER = TransformerModel(family="transformer", layers=3, hidden=64, heads=4, context=64, vocabulary=256)
MLP = MlpModel(family="mlp", inputs=784, hidden=(512, 512), classes=10)
CNN = CnnModel(family="cnn", image=28, channels=(1, 32, 64), classes=10)
SCRIPT = Path(__file__).parents[2] / "analysis" / "xla_agreement.py"


def agreement(*names: str) -> dict[str, dict[str, float]]:
    """Return the ratios of models by name, from a process of its own: XLA as it is unless told otherwise."""
    environment = {key: value for key, value in os.environ.items() if key != "XLA_FLAGS"}
    environment |= {"PYTHONPATH": str(SCRIPT.parents[1])}
    command = [sys.executable, str(SCRIPT), *names, "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, dict[str, float]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(
    ("model", "micro"), [(TRANSFORMER, 4), (MLP, 128), (CNN, 16)], ids=["transformer", "mlp", "cnn"]
)
def test_operations_agree_within_one_percent(model: Any, micro: int, precision: str, optimizer: str) -> None:
    recipe = Recipe(model, precision, optimizer, layers="unrolled")
    operations = trace(recipe, micro).operations
    counted = lower(recipe, micro).cost_analysis()
    assert sum(o.flops * o.count for o in operations) == pytest.approx(counted["flops"], rel=0.01)
    assert sum(o.transcendentals * o.count for o in operations) == pytest.approx(counted["transcendentals"], rel=0.01)


def test_small_transformers_agree_in_operations_and_memory_traffic() -> None:
    """The rules of the memory traffic were found on the first model, not on the second."""
    for found in agreement("gpt-64", "grouped-64").values():
        assert found["bytes"] == pytest.approx(1.0, abs=0.1)
        assert found["flops"] == pytest.approx(1.0, abs=0.01)
        assert found["products"] == pytest.approx(1.0, rel=1e-9)


@pytest.mark.bench
@pytest.mark.parametrize(
    "name", ["gpt-128", "gpt-256", "llama-128", "bloom-128", "bert-128", "opt-192", "mixtral-128", "vit-96"]
)
def test_other_transformers_agree_in_operations_and_memory_traffic(name: str) -> None:
    found = agreement(name)[name]
    assert found["bytes"] == pytest.approx(1.0, abs=0.1)
    assert found["flops"] == pytest.approx(1.0, abs=0.01)


def test_rematerialized_layers_are_computed_again_as_often_as_xla_does() -> None:
    """Three layers written out under jax.checkpoint, as JAX hands them to XLA with barriers against merging."""

    @jax.checkpoint
    def layer(stream: Any, weights: Any) -> Any:
        return stream + jax.nn.gelu(stream @ weights[0]) @ weights[1]

    def loss(weights: Any, stream: Any) -> Any:
        for index in range(3):
            stream = layer(stream, [weight[index] for weight in weights])
        return jnp.square(stream).sum()

    arguments = (
        [jax.ShapeDtypeStruct((3, 32, 128), jnp.float32), jax.ShapeDtypeStruct((3, 128, 32), jnp.float32)],
        jax.ShapeDtypeStruct((64, 32), jnp.float32),
    )
    operations = analyze(jax.make_jaxpr(jax.grad(loss))(*arguments), "forward").operations
    counted = jax.jit(jax.grad(loss)).lower(*arguments).cost_analysis()
    assert sum(o.flops * o.count for o in operations) == pytest.approx(counted["flops"], rel=0.01)
    product = 2 * 64 * 32 * 128
    # the second product of a layer is not needed again: the backward pass reads its inputs alone
    assert sum(o.flops * o.count for o in operations if o.kind == "matmul" and o.phase == "recompute") == 3 * product
    assert sum(o.flops * o.count for o in operations if o.kind == "matmul" and o.phase == "forward") == 6 * product
