"""Which arithmetic a device uses for operands of a type, how fast, and what a floating-point operation costs there.

The rules:

1. A matrix product or convolution runs in its own precision where the device has it.
2. In fp32 it runs as tf32 where the device has that, as XLA does on such devices by default.
3. A precision that the device lacks runs in the nearest wider one that it has and that holds every value of the first:
   bf16 and fp16 in tf32, then fp32, then fp64. (A V100 multiplies bf16 in fp32: fp16 could not hold its exponents.)
4. Where there is no wider one, it runs in the widest that the device has.
5. Everything else (elementwise, reductions, gathers, ...) runs on the vector units at the fp32 rate whatever the type,
   except fp64, which runs at the fp64 rate where that is lower.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from dcsim.catalogue.parts import Accelerator

Precision = Literal["fp64", "fp32", "tf32", "bf16", "fp16", "fp8", "int8", "fp4"]

# What may run a matrix product of the precision, best first.
_RUNS_AS: Mapping[Precision, tuple[Precision, ...]] = MappingProxyType(
    {
        "fp64": ("fp64",),
        "fp32": ("tf32", "fp32", "fp64"),
        "tf32": ("tf32", "fp32", "fp64"),
        "bf16": ("bf16", "tf32", "fp32", "fp64"),
        "fp16": ("fp16", "tf32", "fp32", "fp64"),
        "fp8": ("fp8", "fp16", "bf16", "tf32", "fp32", "fp64"),
        "int8": ("int8", "fp16", "bf16", "tf32", "fp32", "fp64"),
        "fp4": ("fp4", "fp8", "fp16", "bf16", "tf32", "fp32", "fp64"),
    }
)
_WIDEST_FIRST: tuple[Precision, ...] = ("fp64", "fp32", "tf32", "bf16", "fp16", "int8", "fp8", "fp4")
_ARRAY_TYPES: Mapping[str, Precision] = MappingProxyType(
    {
        "float64": "fp64",
        "complex128": "fp64",
        "float32": "fp32",
        "complex64": "fp32",
        "bfloat16": "bf16",
        "float16": "fp16",
    }
)
_VECTOR_SHARE = 1.0 / 16.0


def precision_of(dtype: str) -> Precision:
    """Return the precision of an array type, ``"bfloat16"`` as well as ``"bf16"``; integers and booleans count as fp32.

    8-bit integers are the exception, for which there are matrix units; wider ones pass through the fp32 lanes.
    """
    for known in _RUNS_AS:
        if dtype == known:
            return known
    if dtype.startswith("float8"):
        return "fp8"
    if dtype in ("int8", "uint8"):
        return "int8"
    return _ARRAY_TYPES.get(dtype, "fp32")


def matrix_precision(dtype: str, accelerator: Accelerator) -> Precision:
    """Return the precision in which ``accelerator`` multiplies matrices of ``dtype``, by rules 1 to 4 above."""
    candidates = (*_RUNS_AS[precision_of(dtype)], *_WIDEST_FIRST)
    return next(candidate for candidate in candidates if candidate in accelerator.peak)


def matrix_rate(dtype: str, accelerator: Accelerator) -> float:
    """Return the peak rate of matrix products of ``dtype`` [FLOP/s]."""
    return accelerator.peak[matrix_precision(dtype, accelerator)]


def vector_rate(dtype: str, accelerator: Accelerator) -> float:
    """Return the peak rate of elementwise work on ``dtype`` [FLOP/s], by rule 5 of this module.

    Where no fp32 rate is published, the vector units are assumed to reach 1/16 of the fastest 16-bit matrix
    rate, the ratio of an A100 (19.5 to 312 TFLOP/s) and nearly that of an H100 (67 to 989): an assumption that hardly
    matters, since such work is bound by memory on every device.
    """
    peak = accelerator.peak
    rate = peak.get("fp32", _rate_16_bit(accelerator) * _VECTOR_SHARE)
    return min(rate, peak.get("fp64", rate)) if precision_of(dtype) == "fp64" else rate


def flop_energy(accelerator: Accelerator, rate: float) -> float:
    """Return the energy of a FLOP on units whose peak rate is ``rate`` [FLOP/s] [J].

    The part's figure is for 16-bit products; others cost more or less as their peak rate is lower or higher, so that
    every precision at its peak draws the same dynamic power. An assumption: the width of a unit is set by the power it
    may draw. It puts FP8 at half of 16 bit, which meets within 4 % the GPU power published for a 405B model served in
    FP8 on 8 H100 (ML.ENERGY leaderboard), and fp32 outside matrix units at 8 (V100) to 15 (H100) times a 16-bit
    product, since instructions and operands cost more than the arithmetic (Horowitz, ISSCC 2014).
    """
    return accelerator.energy_per_flop * _rate_16_bit(accelerator) / rate


def _rate_16_bit(accelerator: Accelerator) -> float:
    """Peak rate of 16-bit products, of whatever runs them on a device that has none [FLOP/s]."""
    peak = accelerator.peak
    return max(peak.get("bf16", 0.0), peak.get("fp16", 0.0)) or matrix_rate("bf16", accelerator)
