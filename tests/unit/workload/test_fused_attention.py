"""Fused attention for every variant: scores stay on the chip both ways, and are computed again in the backward pass."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest

from dcsim.scenario.models import TransformerModel
from dcsim.scenario.transformers import EncoderModel, LatentAttention
from dcsim.workload.operation import StepCosts
from dcsim.workload.step import Recipe
from dcsim.workload.trace import analyze, trace

MICRO, LAYERS, HEADS, WIDTH, CONTEXT = 2, 2, 4, 8, 256
SCORES = MICRO * HEADS * CONTEXT * CONTEXT  # numbers of a layer without a window
ROTARY = {"positions": "rotary", "norm": "rms", "activation": "swiglu", "bias": False}


def decoder(**more: Any) -> TransformerModel:
    shape = {"layers": LAYERS, "hidden": HEADS * WIDTH, "heads": HEADS, "context": CONTEXT, "vocabulary": 64}
    return TransformerModel(family="transformer", **shape, **more)


LATENT = LatentAttention(queries=16, cached=16, plain=8, rotary=4, values=6)
VARIANTS = {
    "plain": decoder(),
    "grouped": decoder(key_value_heads=2, **ROTARY),
    "one key head": decoder(key_value_heads=1, **ROTARY),
    "linear": decoder(positions="alibi"),
    "latent": decoder(latent=LATENT, **ROTARY),
    "window": decoder(window=64, **ROTARY),
    "sinks": decoder(sinks=True, **ROTARY),
    "dropout": decoder(dropout=0.1),
    "encoder": EncoderModel(
        family="encoder", layers=LAYERS, hidden=HEADS * WIDTH, heads=HEADS, context=CONTEXT, vocabulary=64, masked=8
    ),
}


def total(costs: StepCosts, what: str, **which: str) -> float:
    rows = [o for o in costs.operations if all(getattr(o, key) == value for key, value in which.items())]
    return sum(getattr(o, what) * o.count for o in rows)


def score_flops(name: str) -> float:
    """2 for each number of a head, for each score; a window of 64 meets 128 keys of 256, in every other layer."""
    width = LATENT.plain + LATENT.rotary if name == "latent" else WIDTH
    share = (0.5 + 1.0) / 2.0 if name == "window" else 1.0
    return 2.0 * width * SCORES * LAYERS * share


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_no_scores_reach_memory(name: str, precision: str) -> None:
    """The traffic is that of queries, keys, values, results and their gradients: less than one array of scores."""
    costs = trace(Recipe(VARIANTS[name], precision), MICRO)
    width = 2 if precision == "bf16" else 4
    assert total(costs, "bytes", scope="attention") > 8 * SCORES * LAYERS * width * 0.5
    assert total(costs, "bytes_fused", scope="attention") < SCORES * LAYERS * width * 0.5
    assert costs.residual_bytes - costs.residual_bytes_fused > 0.5 * SCORES * LAYERS * width


@pytest.mark.parametrize("name", VARIANTS)
def test_the_backward_pass_is_five_products(name: str) -> None:
    costs = trace(Recipe(VARIANTS[name], "bf16"), MICRO)
    forward = total(costs, "flops", scope="attention", kind="matmul", phase="forward")
    backward = total(costs, "flops", scope="attention", kind="matmul", phase="backward")
    again = total(costs, "flops_again")
    assert again == score_flops(name)
    assert backward == 2.0 * forward
    if name != "latent":  # whose values are of another width
        assert backward + again == 2.5 * forward


def test_recomputed_layers_run_the_forward_kernel_once_more() -> None:
    """Its two products again, because the projection's gradient needs the result, then five of the backward pass."""
    costs = trace(Recipe(VARIANTS["plain"], "bf16", layers="recomputed"), MICRO)
    again = total(costs, "flops", scope="attention", kind="matmul", phase="recompute")
    assert again == total(costs, "flops", scope="attention", kind="matmul", phase="forward")
    assert total(costs, "flops_again") == score_flops("plain")
    assert total(costs, "bytes_fused", scope="attention") < SCORES * LAYERS


def test_scores_that_are_recomputed_anyway_are_not_counted_twice() -> None:
    """A checkpoint around the softmax alone: the scores are the fifth product of the backward pass already."""

    @jax.checkpoint
    def mixed(query: Any, key: Any, value: Any) -> Any:
        with jax.named_scope("attention"):
            return jax.nn.softmax(query @ key.T) @ value

    arrays = [jax.ShapeDtypeStruct((64, 8), jnp.float32)] * 3
    loss = jax.grad(lambda *heads: mixed(*heads).sum(), argnums=(0, 1, 2))
    operations = analyze(jax.make_jaxpr(loss)(*arrays), "forward").operations
    products = [o.phase for o in operations if o.kind == "matmul" for _ in range(o.count)]
    assert products.count("recompute") == 1
    assert sum(o.flops_again for o in operations) == 0.0
