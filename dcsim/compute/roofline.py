"""The roofline model: how long one operation takes on a device, what bounds it, and what energy it costs.

S. Williams, A. Waterman, D. Patterson: Roofline, CACM 52(4), 2009. The attainable rates are the data sheet's peaks
times the efficiencies of a software era; each executed kernel adds a launch time. Where the kernels of a device were
measured, those times replace the model (:mod:`dcsim.compute.measured`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dcsim.catalogue.efficiency import Efficiency
from dcsim.catalogue.parts import Accelerator, Software
from dcsim.compute.measured import measured_parts
from dcsim.compute.precision import flop_energy, matrix_rate, vector_rate
from dcsim.workload.operation import Operation

Bound = Literal["compute", "memory", "launch"]

_ON_MATRIX_UNITS = ("matmul", "convolution")


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


def executed_flops(operation: Operation, software: Software) -> float:
    """Return the operations of one execution [FLOP]; fused attention computes its scores again in the backward pass."""
    return operation.flops + (operation.flops_again if software.fused_attention else 0.0)


def peak_rate(operation: Operation, accelerator: Accelerator) -> float:
    """Return the peak rate of the units that execute ``operation`` [FLOP/s].

    Raises
    ------
    ValueError
        For a collective, whose time is the network's.
    """
    if operation.kind in _ON_MATRIX_UNITS or (operation.kind == "custom" and operation.form == "matrix"):
        return matrix_rate(operation.dtype, accelerator)
    if operation.kind == "collective":
        raise ValueError(f"{operation.name}: a collective is timed by the network, not by the roofline")
    return vector_rate(operation.dtype, accelerator)


def efficiency(operation: Operation, software: Software) -> float:
    """Return the share of the peak rate that the kernels of a software era attain [1]."""
    shares = {"matmul": software.matmul, "convolution": software.convolution}
    if operation.kind == "custom" and operation.form == "matrix":
        return software.matmul
    return shares.get(operation.kind, software.vector)


def operation_time(
    operation: Operation, accelerator: Accelerator, software: Software, clock: float = 1.0
) -> OperationTime:
    """Return the time of one execution: ``max(FLOPs / (rate clock), bytes / bandwidth) + launch`` [s].

    ``clock`` is the factor of the core clock; the memory and the launching host keep theirs. A part of fused attention
    that touches no memory is no kernel of its own and pays no launch. (Kernels queued ahead hide some of the launch;
    the software era's value is the exposed part.) A measured device takes the sum of its terms instead: what overlaps
    is in the fit of the terms.
    """
    if accelerator.efficiency is not None and operation.kind != "collective":
        return _measured(operation, accelerator.efficiency, clock)
    rate = peak_rate(operation, accelerator) * efficiency(operation, software) * clock
    compute_s = executed_flops(operation, software) / rate
    memory_s = memory_bytes(operation, software) / (accelerator.memory_bandwidth * software.memory)
    launch_s = 0.0 if _inside_a_kernel(operation, software) else software.launch
    longest = max(compute_s, memory_s)
    bound: Bound = "launch" if launch_s > longest else "compute" if compute_s >= memory_s else "memory"
    return OperationTime(longest + launch_s, bound)


def operation_energies(operation: Operation, accelerator: Accelerator, software: Software) -> OperationEnergy:
    """Return the dynamic energy of one execution: ``FLOPs e_F`` and ``bytes e_B`` [J]."""
    per_flop = flop_energy(accelerator, peak_rate(operation, accelerator))
    moved_j = memory_bytes(operation, software) * accelerator.energy_per_byte
    return OperationEnergy(executed_flops(operation, software) * per_flop, moved_j)


def operation_energy(operation: Operation, accelerator: Accelerator, software: Software) -> float:
    """Return the dynamic energy of one execution, arithmetic and memory traffic together [J]."""
    return operation_energies(operation, accelerator, software).total_j


def _measured(operation: Operation, measured: Efficiency, clock: float) -> OperationTime:
    parts = measured_parts(operation, measured)
    arithmetic_s = parts.arithmetic_s / clock
    named: list[tuple[float, Bound]] = [
        (arithmetic_s, "compute"),
        (parts.memory_s, "memory"),
        (parts.launch_s, "launch"),
    ]
    return OperationTime(sum(seconds for seconds, _ in named), max(named, key=lambda part: part[0])[1])


def _inside_a_kernel(operation: Operation, software: Software) -> bool:
    return software.fused_attention and operation.bytes_fused == 0.0 and operation.bytes > 0.0
