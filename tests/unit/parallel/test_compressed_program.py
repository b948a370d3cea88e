"""Fewer bytes on the wire, a kernel that makes them fewer, and a residual in memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dcsim.parallel.compression import element_bytes, kernel, residual_bytes
from dcsim.parallel.federated import INSIDE, federated
from dcsim.parallel.plan import DataParallel, data_parallel
from dcsim.parallel.program import Collective, Compute, Program
from dcsim.scenario.compression import Int8, Sign, TopK
from dcsim.workload.operation import Gradient, Operation, StepCosts

BACKWARD = Operation("dot", "matmul", "backward", "bfloat16", (1, 8, 8, 8), 1024.0, 384.0, 384.0)
COSTS = StepCosts((BACKWARD,), (0, 0), (Gradient("a", 1000, 0), Gradient("b", 3000, 1)), 4000, 8e3, 4.8e4, 0.0, 4.0, 1)
PLAN = DataParallel(ranks=4, micro_batches=1, gradient_bytes=2, bucket_bytes=2000.0, overlap=True, read_bytes=0.0)


@pytest.mark.parametrize(
    ("compression", "each"),
    [
        (None, 2.0),
        (Int8(kind="int8", block=256), 1 + 4 / 256),
        (Sign(kind="sign", block=64), 1 / 8 + 4 / 64),
        (TopK(kind="top-k", keep=0.01), 0.01 * (2 + 4)),
    ],
)
def test_bytes_of_an_element_on_the_wire(compression: Int8 | Sign | TopK | None, each: float) -> None:
    assert element_bytes(compression, 2) == pytest.approx(each, rel=1e-12)
    program = data_parallel(COSTS, replace(PLAN, compression=compression))
    sizes = [i.size_bytes for i in program.instructions if isinstance(i, Collective)]
    assert sizes == pytest.approx([1000 * each, 3000 * each], rel=1e-12)


def test_each_bucket_is_compressed_before_it_travels() -> None:
    program = data_parallel(COSTS, replace(PLAN, compression=Int8(kind="int8")))
    names = labels(program)
    assert names == ["forward", "backward", "compress", "gradients 0", "backward", "compress", "gradients 1",
                     "Wait", "optimizer"]  # fmt: skip
    after = replace(PLAN, compression=Int8(kind="int8"), overlap=False)
    assert labels(data_parallel(COSTS, after))[1:6] == [
        "backward",
        "compress",
        "gradients 0",
        "compress",
        "gradients 1",
    ]


def test_one_rank_compresses_nothing() -> None:
    program = data_parallel(COSTS, replace(PLAN, ranks=1, compression=Sign(kind="sign")))
    assert labels(program) == ["forward", "backward", "optimizer"]
    assert residual_bytes(Sign(kind="sign"), 1) == 0.0


def test_the_kernel_moves_bytes_and_no_flops() -> None:
    # 2 x 3/4 messages an element; int8: read 4, code, and back: read code, read and write 4
    code = 1 + 4 / 256
    plain = kernel(Int8(kind="int8"), 1000, 4, 2)
    assert (plain.flops, plain.bytes) == (0.0, pytest.approx(1.5 * 1000 * (4 + code + code + 8), rel=1e-12))
    # top-k with feedback: 8 more for the residual, 16 more to find the threshold
    code = 0.01 * 6
    chosen = kernel(TopK(kind="top-k"), 1000, 4, 2)
    assert chosen.bytes == pytest.approx(1.5 * 1000 * (4 + 8 + 16 + code + code + 8), rel=1e-12)


def test_feedback_keeps_a_float_an_element() -> None:
    assert residual_bytes(Sign(kind="sign"), 4) == residual_bytes(TopK(kind="top-k"), 4) == 4.0
    assert residual_bytes(Int8(kind="int8"), 4) == residual_bytes(None, 4) == 0.0


def test_a_round_of_clients_is_their_local_steps_and_one_mean() -> None:
    plan = replace(PLAN, micro_batches=4, bucket_bytes=1e9)
    program = federated(COSTS, plan, clients=2, local_steps=2)
    local = ["forward", "backward", "forward", "backward", "gradients 0", "Wait", "optimizer"]
    assert labels(program) == [*local, *local, "weights", "Wait"]
    collectives = [i for i in program.instructions if isinstance(i, Collective)]
    assert [(i.group, i.size_bytes) for i in collectives] == [(INSIDE, 8000.0), (INSIDE, 8000.0), (None, 8000.0)]
    assert (program.mesh, program.sent) == ((("client", 2), ("rank", 2)), 1.0)
    small = federated(COSTS, replace(plan, compression=Int8(kind="int8")), clients=4, local_steps=2)
    assert labels(small)[-3:] == ["compress", "weights", "Wait"]
    assert [i.size_bytes for i in small.instructions if isinstance(i, Collective)] == [4000 * (1 + 4 / 256)]


def labels(program: Program) -> list[str]:
    return [i.label if isinstance(i, Compute | Collective) else type(i).__name__ for i in program.instructions]
