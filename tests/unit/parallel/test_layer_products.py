"""The products of a layer: on paper, and against the models that are traced."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from dcsim.catalogue import Shelf
from dcsim.parallel import layer
from dcsim.parallel.model_shape import shape_of
from dcsim.parallel.parallelism import Parallelism
from dcsim.parallel.shape import Shape, active_parameters, matrix_parameters
from dcsim.scenario.transformers import Decoder
from dcsim.workload.costs import CostRequest, costs

PRESETS = ["gpt2-small", "llama3-8b", "mixtral-8x7b", "deepseek-v3", "gpt-oss-120b"]


def plan(**sizes: float) -> Parallelism:
    """Return a plan of one rank, or of the sizes given."""
    given = {field.name: 0.0 for field in fields(Parallelism)}
    ones = ("tensor", "pipeline", "virtual", "data", "context", "expert", "micro", "micro_batches")
    given |= dict.fromkeys(ones, 1.0) | sizes
    return Parallelism(**{name: np.array([number]) for name, number in given.items()})


def preset(name: str) -> Shape:
    spec = Shelf().model(name)
    assert isinstance(spec, Decoder)
    return shape_of(spec)


def linear_flops(shape: Shape, one: Parallelism) -> float:
    """FLOPs of all products but the attention cores in a forward pass."""
    dense = np.where(shape.mixture, shape.dense_layers, shape.layers)
    mixed = shape.expert_layers
    parts = [
        (shape.layers, layer.attention_products(shape, one)),
        (dense, layer.feed_products(shape, one, shape.ffn)),
        (mixed, layer.feed_products(shape, one, shape.shared_ffn)),
        (mixed, layer.expert_products(shape, one)),
        (np.ones(1), layer.head_products(shape, one)),
    ]
    return float(sum((count * product.flops).sum() for count, products in parts for product in products))


@pytest.mark.parametrize("name", PRESETS)
def test_products_are_those_of_the_traced_model(name: str) -> None:
    traced = costs(CostRequest(Shelf().model(name), "bf16", "adamw", 1))
    found = {
        phase: sum(
            o.flops * o.count
            for o in traced.operations
            if o.kind == "matmul" and o.phase == phase and o.scope != "attention"
        )
        for phase in ("forward", "backward")
    }
    assert linear_flops(preset(name), plan()) == pytest.approx(found["forward"], rel=1e-9)
    # Two products for each: one by the inputs, one by the weights.
    assert found["backward"] == pytest.approx(2.0 * found["forward"], rel=1e-9)


@pytest.mark.parametrize("name", ["gpt2-small", "llama3-8b", "deepseek-v3"])
def test_the_core_is_half_of_the_traced_square(name: str) -> None:
    traced = costs(CostRequest(Shelf().model(name), "bf16", "adamw", 1))
    square = sum(
        o.flops * o.count
        for o in traced.operations
        if o.kind == "matmul" and o.phase == "forward" and o.scope == "attention"
    )
    shape = preset(name)
    assert float((shape.layers * layer.core_flops(shape, plan())).sum()) == pytest.approx(square / 2.0, rel=1e-9)


# Tensor ranks of latent attention repeat the products that compress queries and keys.
@pytest.mark.parametrize("name", ["gpt2-small", "llama3-8b", "mixtral-8x7b", "gpt-oss-120b"])
@pytest.mark.parametrize(("tensor", "expert"), [(2.0, 1.0), (4.0, 4.0), (1.0, 4.0)])
def test_ranks_share_the_products(name: str, tensor: float, expert: float) -> None:
    shape = preset(name)
    whole, part = linear_flops(shape, plan()), linear_flops(shape, plan(tensor=tensor, expert=expert))
    assert part * tensor == pytest.approx(whole, rel=1e-9)


def test_flops_are_twice_the_parameters_a_token_passes() -> None:
    shape = preset("mixtral-8x7b")
    assert linear_flops(shape, plan()) == pytest.approx(2.0 * 4096 * float(active_parameters(shape)[0]), rel=1e-12)


def test_parameters_of_llama_3_8b() -> None:
    # 32 x (4096 x (32 + 2 x 8) x 128 + 4096 x 4096 + 3 x 4096 x 14336) + 4096 x 128256; 8.03 G with the embedding
    assert float(matrix_parameters(preset("llama3-8b"))[0]) == 32 * (25165824 + 16777216 + 176160768) + 525336576


def test_context_and_micro_batch_set_the_rows() -> None:
    shape = preset("gpt2-small")
    (head,) = layer.head_products(shape, plan(micro=4.0, context=2.0))
    assert head.m.tolist() == [4 * 1024 / 2]


def test_a_window_sees_fewer_keys() -> None:
    shape = preset("gpt-oss-120b")
    plain = replace(shape, windowed=np.zeros(1))
    # Half of the layers see 128 of 4096 keys at most: 128 (1 - 64 / 4096) on average instead of 2048.
    share = 0.5 + 0.5 * 128 * (1 - 64 / 4096) / 2048
    ratio = layer.core_flops(shape, plan()) / layer.core_flops(plain, plan())
    assert float(ratio[0]) == pytest.approx(share, rel=1e-12)
