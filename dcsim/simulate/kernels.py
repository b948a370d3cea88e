"""The kernels of a job's step, priced one by one, and what bounds the step."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from dcsim.cluster.account import COMPUTE, EXPOSED, STALL
from dcsim.compute.roofline import OperationTime, memory_bytes, operation_time
from dcsim.estimate.job_plan import JobPlan
from dcsim.parallel.program import Compute
from dcsim.workload.operation import Operation

_WORDS = {"compute": "compute units", "memory": "memory bandwidth", "launch": "kernel launches"}

_OF_PARTS = {
    "matmul": "matrix products",
    "attention": "attention",
    "memory": "memory bandwidth",
    "tensor": "tensor-parallel messages",
    "context": "context-parallel messages",
    "expert": "routing to experts",
    "recompute": "recomputation",
    "launch": "kernel launches",
    "pipeline": "pipeline messages",
    "bubble": "pipeline bubble",
    "data": "data-parallel messages",
    "offload": "transfers to the host",
}


@dataclass(frozen=True, slots=True)
class Kernel:
    """A distinct operation of a step of one rank: executions a step, bytes that reach memory, time of one execution."""

    operation: Operation
    count: int
    bytes: float
    time: OperationTime


def kernels(plan: JobPlan) -> list[Kernel]:
    """Return the distinct kernels of a step at full clock, in the order of the trace."""
    counts: Counter[Operation] = Counter()
    for instruction in plan.program.instructions:
        if isinstance(instruction, Compute):
            for operation, times in instruction.operations:
                counts[operation] += times
    device = plan.device
    return [
        Kernel(o, times, memory_bytes(o, device.software), operation_time(o, device.accelerator, device.software))
        for o, times in counts.items()
    ]


def bound_by(plan: JobPlan, parts: dict[str, float]) -> str:
    """Return in a few words what takes most of a step: communication, storage, or the resource most kernels wait
    for.
    """
    if parts[STALL] > max(parts[COMPUTE], parts[EXPOSED]):
        return "storage"
    if parts[EXPOSED] > parts[COMPUTE]:
        return "all-reduce" if plan.split is None else "messages between servers"
    if plan.split is not None:
        working = {part: seconds for part, seconds in plan.split.step.parts.items() if part in _OF_PARTS}
        return _OF_PARTS[max(working, key=working.__getitem__)]
    shares: Counter[str] = Counter()
    for kernel in kernels(plan):
        shares[kernel.time.bound] += kernel.count * kernel.time.seconds  # type: ignore[assignment]
    return _WORDS[shares.most_common(1)[0][0]]
