"""What each rank does in a step, and when its gradients travel."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dcsim.parallel.memory import replicated
from dcsim.parallel.plan import Bucket, DataParallel, buckets, data_parallel
from dcsim.parallel.program import Collective, Compute, Instruction, Program, Read, Wait
from dcsim.scenario.workload import TransformerModel
from dcsim.workload.costs import CostRequest, costs
from dcsim.workload.operation import Gradient, Operation, Phase, StepCosts


def operation(name: str, phase: Phase, flops: float, count: int = 1) -> Operation:
    return Operation(name, "matmul", phase, "bfloat16", (1, 2, 2, 2), flops, 10.0, 10.0, count)


# Backward: head, then twice the layer's two kernels, then the embedding.
COSTS = StepCosts(
    operations=(
        operation("forward", "forward", 5.0, 3),
        operation("head", "backward", 7.0),
        operation("layer a", "backward", 11.0, 2),
        operation("layer b", "recompute", 13.0, 2),
        operation("embedding", "backward", 17.0),
        operation("update", "optimizer", 19.0),
    ),
    order=(1, 2, 3, 2, 3, 4),
    gradients=(
        Gradient("embedding", 100, 5),
        Gradient("layer", 30, 2),
        Gradient("layer", 30, 4),
        Gradient("head", 50, 0),
    ),
    parameters=210,
    parameter_bytes=420.0,
    optimizer_bytes=2520.0,
    residual_bytes=1000.0,
    sample_bytes=8.0,
    tokens_per_sample=1,
    residual_bytes_fused=600.0,
)
PLAN = DataParallel(ranks=4, micro_batches=1, gradient_bytes=2, bucket_bytes=120.0, overlap=True, read_bytes=0.0)


def flops(program: Program) -> float:
    return sum(n * o.flops for i in program.instructions if isinstance(i, Compute) for o, n in i.operations)


def shape(instructions: tuple[Instruction, ...]) -> list[str]:
    return [i.label if isinstance(i, Compute | Collective) else type(i).__name__ for i in instructions]


def test_buckets_close_when_they_are_full_in_the_order_of_the_backward_pass() -> None:
    # head 100 B after 0, layer 60 B after 2, layer 60 B after 4, embedding 200 B after 5.
    assert buckets(COSTS.gradients, 2, 120.0) == [Bucket(2, 160.0), Bucket(5, 260.0)]
    assert buckets(COSTS.gradients, 2, 100.0) == [Bucket(0, 100.0), Bucket(4, 120.0), Bucket(5, 200.0)]
    assert buckets(COSTS.gradients, 2, 1.0) == [Bucket(0, 100.0), Bucket(2, 60.0), Bucket(4, 60.0), Bucket(5, 200.0)]
    assert buckets(COSTS.gradients, 2, 1e9) == [Bucket(5, 420.0)]
    assert buckets([], 2, 120.0) == []


def test_equal_gradients_are_all_counted() -> None:
    same = Gradient("layer", 10, 3)
    assert buckets([same, Gradient("layer", 10, 3), same], 1, 15.0) == [Bucket(3, 20.0), Bucket(3, 10.0)]


def test_a_bucket_starts_after_the_operation_that_completes_it() -> None:
    program = data_parallel(COSTS, PLAN)
    assert shape(program.instructions) == [
        "forward", "backward", "gradients 0", "backward", "gradients 1", "Wait", "optimizer",
    ]  # fmt: skip
    _, first, _, second, *_ = program.instructions
    assert isinstance(first, Compute)
    assert isinstance(second, Compute)
    assert [(o.name, n) for o, n in first.operations] == [("head", 1), ("layer a", 1), ("layer b", 1)]
    assert [(o.name, n) for o, n in second.operations] == [("layer a", 1), ("layer b", 1), ("embedding", 1)]
    assert [i.size_bytes for i in program.instructions if isinstance(i, Collective)] == [160.0, 260.0]


def test_without_overlap_the_collectives_follow_the_whole_backward_pass() -> None:
    program = data_parallel(COSTS, replace(PLAN, overlap=False, read_bytes=32.0))
    assert shape(program.instructions) == [
        "Read", "forward", "backward", "gradients 0", "gradients 1", "Wait", "optimizer",
    ]  # fmt: skip
    assert program.instructions[0] == Read(32.0)


def test_a_gradient_ready_before_the_end_leaves_a_tail_of_the_backward_pass() -> None:
    costs = replace(COSTS, gradients=(Gradient("head", 50, 0),))
    assert shape(data_parallel(costs, PLAN).instructions) == [
        "forward", "backward", "gradients 0", "backward", "Wait", "optimizer",
    ]  # fmt: skip


@pytest.mark.parametrize("micro_batches", [1, 3])
@pytest.mark.parametrize("ranks", [1, 4])
@pytest.mark.parametrize("overlap", [True, False])
def test_no_operation_is_lost_or_done_twice(micro_batches: int, ranks: int, overlap: bool) -> None:
    program = data_parallel(COSTS, replace(PLAN, ranks=ranks, micro_batches=micro_batches, overlap=overlap))
    # Forward 3 x 5, backward 7 + 2 (11 + 13) + 17, update 19.
    assert flops(program) == micro_batches * (15.0 + 72.0) + 19.0
    reductions = [i for i in program.instructions if isinstance(i, Collective)]
    assert sum(i.size_bytes for i in reductions) == (420.0 if ranks > 1 else 0.0)
    assert sum(isinstance(i, Wait) for i in program.instructions) == (1 if ranks > 1 else 0)
    assert program.ranks == ranks


@pytest.mark.parametrize("bucket_bytes", [1.0, 5e4, 1e9])
@pytest.mark.parametrize(
    ("micro_batches", "ranks", "overlap"), [(1, 1, True), (1, 8, True), (4, 8, True), (2, 8, False)]
)
def test_a_traced_model_keeps_all_its_flops_and_gradients(
    bucket_bytes: float, micro_batches: int, ranks: int, overlap: bool
) -> None:
    model = TransformerModel(family="transformer", layers=2, hidden=128, heads=4, context=64, vocabulary=256)
    traced = costs(CostRequest(model=model, precision="bf16", optimizer="adamw", micro=2))
    program = data_parallel(traced, DataParallel(ranks, micro_batches, 2, bucket_bytes, overlap, 0.0))
    passes = sum(o.count * o.flops for o in traced.operations if o.phase != "optimizer")
    update = sum(o.count * o.flops for o in traced.operations if o.phase == "optimizer")
    assert flops(program) == pytest.approx(micro_batches * passes + update, rel=1e-12)
    moved = sum(i.size_bytes for i in program.instructions if isinstance(i, Collective))
    assert moved == (2 * traced.parameters if ranks > 1 else 0)


def test_a_model_that_serves_goes_forward_alone() -> None:
    forward = COSTS.operations[:1]
    costs = replace(COSTS, operations=forward, order=(), gradients=(), optimizer_bytes=0.0, cache_bytes=64.0)
    costs = replace(costs, residual_bytes=0.0)
    plan = DataParallel(ranks=4, micro_batches=3, gradient_bytes=2, bucket_bytes=25e6, overlap=True, read_bytes=8.0)
    once = Compute("forward", ((forward[0], 3),))
    assert data_parallel(costs, plan).instructions == (Read(8.0), once, once, once)
    memory = replicated(costs, 2, fused_attention=False)
    assert memory.total_bytes == 420 + 64
    assert str(memory).endswith("cache of keys and values 64 B")
