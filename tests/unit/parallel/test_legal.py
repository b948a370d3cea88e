"""Plans that a model does not allow are refused with the nearest that it does."""

from __future__ import annotations

from typing import Any

import pytest

from dcsim.catalogue import Shelf
from dcsim.parallel.legal import divisors, faults, nearest
from dcsim.scenario.parallel import Parallel
from dcsim.scenario.transformers import Decoder
from dcsim.scenario.workload import Batch


def found(model: str, **plan: Any) -> list[tuple[str, str]]:
    """Return the keys of all faults, and the last words of what is expected."""
    spec = Shelf().model(model)
    assert isinstance(spec, Decoder)
    micro = plan.pop("micro", 1)
    count = plan.pop("count", 8)
    batch = Batch.model_validate({"global": micro * plan.get("data", 1) * count, "micro": micro})
    rows = list(faults(Parallel.model_validate(plan), spec, batch))
    assert all(row.found and row.expected for row in rows)
    return [(row.key, row.expected.rpartition(": ")[2]) for row in rows]


def test_published_plans_are_legal() -> None:
    assert found("gpt3-175b", tensor=8, pipeline=8, data=16) == []
    assert found("llama3-405b", tensor=8, pipeline=16, data=128, sequence=True, sharding="gradients", count=16) == []
    # With embedding and head as layers there are 128 slots, 8 in each of 16 stages: chunks of one layer.
    assert found("llama3-405b", tensor=8, pipeline=16, virtual=8, data=8, count=16) == []
    assert found("deepseek-v3", pipeline=16, expert=64, data=128) == []
    assert found("mixtral-8x7b", expert=8, data=8, tensor=2) == []


def test_tensor_ranks_divide_heads_and_widths() -> None:
    # 96 heads; 49,152 = 2^14 x 3.
    assert found("gpt3-175b", tensor=5) == [
        ("tensor", "the nearest is 4 or 6"),
        ("tensor", "the nearest is 4 or 6"),
    ]
    # 64 heads and 8 heads of keys; 28,672 = 2^12 x 7.
    assert found("llama3-70b", tensor=7) == [("tensor", "the nearest is 4 or 8")]


def test_stages_and_chunks_hold_layers() -> None:
    assert found("gpt2-small", pipeline=13) == [("pipeline", "at most 12, the layers of the model")]
    assert found("gpt2-small", pipeline=4, virtual=2) == [("virtual", "the nearest is 1 or 3")]
    assert found("gpt2-small", pipeline=4, virtual=3, count=6) == [("pipeline", "the nearest is 3 or 6")]


def test_chunks_hold_the_layers_that_run_again() -> None:
    def again(layers: int, method: str = "block", **plan: Any) -> list[tuple[str, str]]:
        return found("llama3-405b", recompute={"method": method, "layers": layers}, **plan)

    # 126 layers: 63 in each of two stages; 7 or 8 in each of 16, with embedding and head in places of their own.
    assert again(63, pipeline=2) == again(7, pipeline=16) == again(126) == []
    assert again(64, pipeline=2) == [("recompute.layers", "full for all of them")]
    assert again(8, pipeline=16) == [("recompute.layers", "full for all of them")]
    assert again(127, "uniform") == [("recompute.layers", "as many are one group")]


def test_sequences_and_experts() -> None:
    assert found("gpt2-small", context=3) == [("context", "the nearest is 2 or 4")]
    assert found("gpt2-small", context=1024) == [("context", "the nearest is 512")]
    assert found("gpt2-small", context=1024, context_order="in-order") == []
    assert found("gpt2-small", context=3, context_order="in-order") == [("context", "the nearest is 2 or 4")]
    assert found("gpt2-small", context=512, tensor=4, sequence=True) == [
        ("sequence", "4 tensor ranks do not divide 2 tokens")
    ]
    assert found("gpt2-small", expert=2, data=2) == [("expert", "the model is no mixture of experts")]
    assert found("gpt2-small", routing={"nodes": 2}) == [("routing", "the model is no mixture of experts")]
    assert found("mixtral-8x7b", expert=8, data=8, routing={"nodes": 3}) == [
        ("routing.nodes", "at most 2, the experts that a token goes to")
    ]
    assert found("deepseek-v3", recompute=["norms", "up-projections"]) == []
    assert [key for key, _ in found("mixtral-8x7b", recompute=["norms", "up-projections"])] == ["recompute"]
    assert [key for key, _ in found("mixtral-8x7b", adapters={})] == ["adapters"]
    assert [key for key, _ in found("gpt2-small", adapters={"rank": 1000})] == ["adapters.rank"]
    assert found("mixtral-8x7b", expert=3, data=8) == [("expert", "the nearest is 2 or 4")]
    assert found("mixtral-8x7b", expert=8, data=2) == [("expert", "the nearest is 2")]


@pytest.mark.parametrize(("number", "expected"), [(1, [1]), (12, [1, 2, 3, 4, 6, 12]), (49, [1, 7, 49]), (13, [1, 13])])
def test_divisors(number: int, expected: list[int]) -> None:
    assert divisors(number) == expected


def test_nearest() -> None:
    assert nearest([1, 2, 4, 8], 3) == "2 or 4"
    assert nearest([1, 2, 4, 8], 100) == "8"
    assert nearest([2, 4], 1) == "2"
