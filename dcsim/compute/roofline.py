"""The roofline model: how long one operation takes on a device, what bounds it, and what energy it costs.

S. Williams, A. Waterman, D. Patterson: Roofline, CACM 52(4), 2009. The attainable rates are the data sheet's peaks
times the efficiencies of a software era; each executed kernel adds a launch time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dcsim.catalogue.parts import Accelerator, Software
from dcsim.compute.precision import (
    Precision,
    matrix_precision,
    matrix_rate,
    precision_of,
    relative_flop_energy,
    vector_rate,
)
from dcsim.workload.operation import Operation

Bound = Literal["compute", "memory", "launch"]


@dataclass(frozen=True, slots=True)
class OperationTime:
    """Time of one execution [s] and which of its terms is the longest."""

    seconds: float
    bound: Bound


@dataclass(frozen=True, slots=True)
class OperationEnergy:
    """Dynamic energy of one execution at full clock: of arithmetic, and of memory traffic [J]."""

    compute_j: float
    memory_j: float

    @property
    def total_j(self) -> float:
        """Both together [J]."""
        return self.compute_j + self.memory_j


def memory_bytes(operation: Operation, software: Software) -> float:
    """Return the memory traffic of one execution [B]; inside fused attention, scores never reach memory."""
    return operation.bytes_fused if software.fused_attention else operation.bytes


def achieved_rate(operation: Operation, accelerator: Accelerator, software: Software) -> float:
    """Return the rate that the arithmetic of ``operation`` attains at full clock [FLOP/s].

    Raises
    ------
    ValueError
        For a collective, whose time is the network's.
    """
    if operation.kind == "matmul":
        return matrix_rate(operation.dtype, accelerator) * software.matmul
    if operation.kind == "convolution":
        return matrix_rate(operation.dtype, accelerator) * software.convolution
    if operation.kind == "collective":
        raise ValueError(f"{operation.name}: a collective is timed by the network, not by the roofline")
    return vector_rate(operation.dtype, accelerator) * software.vector


def operation_time(
    operation: Operation, accelerator: Accelerator, software: Software, clock: float = 1.0
) -> OperationTime:
    """Return the time of one execution: ``max(FLOPs / (rate clock), bytes / bandwidth) + launch`` [s].

    ``clock`` is the factor of the core clock; the memory and the launching host keep theirs. A part of fused attention
    that touches no memory is no kernel of its own and pays no launch. (Kernels queued ahead hide some of the launch;
    the software era's value is the exposed part.)
    """
    flops = operation.flops
    compute_s = flops / (achieved_rate(operation, accelerator, software) * clock) if flops else 0.0
    memory_s = memory_bytes(operation, software) / (accelerator.memory_bandwidth * software.memory)
    launch_s = 0.0 if _inside_a_kernel(operation, software) else software.launch
    longest = max(compute_s, memory_s)
    bound: Bound = "launch" if launch_s > longest else "compute" if compute_s >= memory_s else "memory"
    return OperationTime(longest + launch_s, bound)


def operation_energies(operation: Operation, accelerator: Accelerator, software: Software) -> OperationEnergy:
    """Return the dynamic energy of one execution: ``FLOPs e_F(precision)`` and ``bytes e_B`` [J]."""
    per_flop = accelerator.energy_per_flop * relative_flop_energy(executed_precision(operation, accelerator))
    return OperationEnergy(operation.flops * per_flop, memory_bytes(operation, software) * accelerator.energy_per_byte)


def operation_energy(operation: Operation, accelerator: Accelerator, software: Software) -> float:
    """Return the dynamic energy of one execution, arithmetic and memory traffic together [J]."""
    return operation_energies(operation, accelerator, software).total_j


def executed_precision(operation: Operation, accelerator: Accelerator) -> Precision:
    """Return the precision in which the arithmetic really runs: the matrix units' choice, or the operation's own."""
    if operation.kind in ("matmul", "convolution"):
        return matrix_precision(operation.dtype, accelerator)
    return precision_of(operation.dtype)


def _inside_a_kernel(operation: Operation, software: Software) -> bool:
    return software.fused_attention and operation.bytes_fused == 0.0 and operation.bytes > 0.0
