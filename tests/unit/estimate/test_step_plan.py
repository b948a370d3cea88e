"""A program on a device: kernel times, energies, bytes and peaks on links."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.catalogue import part
from dcsim.estimate.device import Device
from dcsim.estimate.step_plan import Path, StepPlan, reduction_factor, step_plan
from dcsim.network.route import Route
from dcsim.parallel.program import Collective, Compute, Program, Read, Wait
from dcsim.workload.operation import Operation

KERNEL = Operation("product", "matmul", "forward", "bf16", (1, 2048, 2048, 2048), 2.0 * 2048**3, 2.4e7, 2.4e7)
REDUCE = Path(Route(np.array([1, 5]), np.array([1.5, 0.5]), 1.0, 1e-5), 1e9)
READ = Path(Route(np.array([5, 8]), np.array([1.0, 1.0]), 1.0, 2e-5), 4e9)
PROGRAM = Program(
    4, (Read(1000.0), Compute("forward", ((KERNEL, 3),)), Collective("gradients", "all-reduce", 4e6), Wait())
)


def device(clock: float = 1.0) -> Device:
    return Device(part("accelerators", "h100-sxm"), part("software", "flash-2023"), clock)  # type: ignore[arg-type]


@pytest.fixture
def plan() -> StepPlan:
    return step_plan(PROGRAM, device(), {None: (REDUCE,)}, READ)


def test_bytes_and_peaks_on_links(plan: StepPlan) -> None:
    # 4 MB by the shares 1.5 and 0.5; the samples of all four ranks, 4 kB.
    assert plan.links.tolist() == [1, 5, 8]
    assert plan.link_bytes.tolist() == [6e6, 2e6 + 4000.0, 4000.0]
    assert plan.link_peaks.tolist() == [1.5e9, 4e9, 4e9]


def test_what_has_moved_and_peaked_when_a_step_is_cut(plan: StepPlan) -> None:
    kernels_s = float(plan.times.compute_s)
    assert plan.moved_bytes(1.0, 0.0).tolist() == [0.0, 0.0, 0.0]
    assert plan.peaks_until(1.0, 1e-5).tolist() == [0.0, 0.0, 0.0]
    # Half of the samples after their latency: 2 kB at 4 GB/s.
    assert plan.moved_bytes(1.0, 2e-5 + 0.5e-6) == pytest.approx([0.0, 2000.0, 2000.0])
    assert plan.peaks_until(1.0, 2.1e-5).tolist() == [0.0, 4e9, 4e9]
    # A quarter of the gradients: 1 MB at 1 GB/s.
    assert plan.moved_bytes(1.0, kernels_s + 1e-5 + 1e-3) == pytest.approx([1.5e6, 0.5e6 + 4000.0, 4000.0])
    assert plan.moved_bytes(1.0, plan.duration_s) == pytest.approx(plan.link_bytes)
    assert plan.duration_s == pytest.approx(kernels_s + 1e-5 + 4e-3, rel=1e-12)


def test_energy_is_that_of_kernels_and_of_the_ring(plan: StepPlan) -> None:
    accelerator = device().accelerator
    # A rank of four sends 2 x 3/4 of its 4 MB.
    assert reduction_factor(4) == 1.5
    assert plan.energy.links_j == pytest.approx(6e6 * accelerator.link_energy_per_byte, rel=1e-12)
    assert plan.energy.memory_j == pytest.approx(3 * 2.4e7 * accelerator.energy_per_byte, rel=1e-12)
    assert plan.energy.arithmetic_j == pytest.approx(3 * KERNEL.flops * accelerator.energy_per_flop, rel=1e-12)


def test_a_lower_clock_takes_longer_and_less_arithmetic_energy(plan: StepPlan) -> None:
    slow = step_plan(PROGRAM, device(0.5), {None: (REDUCE,)}, READ)
    assert slow.times.compute_s > 1.5 * plan.times.compute_s
    assert slow.energy.arithmetic_j == pytest.approx(plan.energy.arithmetic_j * 0.75**2, rel=1e-12)
    assert slow.energy.memory_j == plan.energy.memory_j
    assert slow.link_bytes.tolist() == plan.link_bytes.tolist()


def test_without_storage_nothing_is_fetched() -> None:
    plan = step_plan(PROGRAM, device(), {None: (REDUCE,)}, None)
    assert plan.links.tolist() == [1, 5]
    assert float(plan.times.stall_s) == 0.0
