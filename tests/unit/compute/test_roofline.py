"""Time and energy of single operations, computed by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dcsim.catalogue.parts import Accelerator, Software
from dcsim.compute.roofline import operation_energies, operation_energy, operation_time
from dcsim.workload.operation import Operation

DEVICE = Accelerator.model_construct(
    title="round numbers",
    peak={"fp32": 10e12, "bf16": 100e12},
    memory_bandwidth=1e12,
    energy_per_flop=1e-12,
    energy_per_byte=100e-12,
)
SOFTWARE = Software.model_construct(
    title="era", matmul=0.5, convolution=0.25, vector=0.8, memory=0.9, launch=4e-6, fused_attention=False
)
FUSED = SOFTWARE.model_copy(update={"fused_attention": True})

MATMUL = Operation(
    "qkv", "matmul", "forward", "bfloat16", (1, 1024, 1024, 1024), 2.0 * 1024**3, 6.0 * 1024**2, 6.0 * 1024**2
)


def test_a_large_matmul_is_bound_by_compute() -> None:
    # 2 * 1024^3 FLOP at 50 TFLOP/s: 42.9 us; 6 MiB at 0.9 TB/s: 7.0 us; 4 us of launch.
    found = operation_time(MATMUL, DEVICE, SOFTWARE)
    assert found.seconds == pytest.approx(2 * 1024**3 / 50e12 + 4e-6, rel=1e-12)
    assert found.bound == "compute"


def test_half_the_clock_doubles_the_arithmetic_and_nothing_else() -> None:
    assert operation_time(MATMUL, DEVICE, SOFTWARE, 0.5).seconds == pytest.approx(4 * 1024**3 / 50e12 + 4e-6, rel=1e-12)
    add = Operation("add", "elementwise", "forward", "bfloat16", (1000,), 1e6, 9e9, 9e9)
    assert operation_time(add, DEVICE, SOFTWARE, 0.5) == operation_time(add, DEVICE, SOFTWARE)


def test_elementwise_work_is_bound_by_memory() -> None:
    # 9 GB at 0.9 TB/s: 10 ms; 1 GFLOP at 8 TFLOP/s: 0.125 ms.
    add = Operation("add", "elementwise", "forward", "bfloat16", (1000,), 1e9, 9e9, 9e9)
    found = operation_time(add, DEVICE, SOFTWARE)
    assert (found.seconds, found.bound) == (pytest.approx(10e-3 + 4e-6, rel=1e-12), "memory")


def test_a_convolution_has_its_own_efficiency() -> None:
    convolution = replace(MATMUL, kind="convolution")
    seconds = operation_time(convolution, DEVICE, SOFTWARE).seconds
    assert seconds == pytest.approx(2 * 1024**3 / 25e12 + 4e-6, rel=1e-12)


def test_a_tiny_operation_is_bound_by_its_launch() -> None:
    tiny = Operation("scalar", "elementwise", "optimizer", "float32", (), 1.0, 8.0, 8.0)
    assert operation_time(tiny, DEVICE, SOFTWARE).bound == "launch"


def test_fused_attention_moves_fewer_bytes_and_its_inner_parts_are_no_kernels() -> None:
    # Scores of 900 MB: 1 ms unfused; inside the fused kernel neither traffic nor a launch, only 8 MFLOP at 8 TFLOP/s.
    softmax = Operation("softmax", "elementwise", "forward", "bfloat16", (1,), 8e6, 900e6, 0.0, scope="attention")
    assert operation_time(softmax, DEVICE, SOFTWARE).seconds == pytest.approx(1e-3 + 4e-6, rel=1e-12)
    assert operation_time(softmax, DEVICE, FUSED).seconds == pytest.approx(1e-6, rel=1e-12)


def test_energy_is_that_of_flops_and_bytes() -> None:
    # 2 * 1024^3 FLOP at 1 pJ: 2.147 mJ; 6 MiB at 100 pJ/B: 0.629 mJ.
    split = operation_energies(MATMUL, DEVICE, SOFTWARE)
    assert split.compute_j == pytest.approx(2 * 1024**3 * 1e-12, rel=1e-12)
    assert split.memory_j == pytest.approx(6 * 1024**2 * 100e-12, rel=1e-12)
    assert operation_energy(MATMUL, DEVICE, SOFTWARE) == pytest.approx(split.compute_j + split.memory_j, rel=1e-12)


def test_arithmetic_on_slower_units_takes_more_energy() -> None:
    # 10 against 100 TFLOP/s: ten times the energy, in fp32 products as in elementwise work.
    for other in (replace(MATMUL, dtype="float32"), replace(MATMUL, kind="elementwise")):
        wide = operation_energies(other, DEVICE, SOFTWARE)
        assert wide.compute_j == pytest.approx(10 * operation_energies(MATMUL, DEVICE, SOFTWARE).compute_j, rel=1e-12)


def test_a_collective_is_not_the_rooflines_matter() -> None:
    collective = replace(MATMUL, kind="collective")
    with pytest.raises(ValueError, match="timed by the network"):
        operation_time(collective, DEVICE, SOFTWARE)
