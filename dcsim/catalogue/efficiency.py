"""What kernels were measured to take on a device: tables of matrix products and convolutions, terms for the rest.

Rows are short lines of text, one scalar each in YAML, so that a table of hundreds is read in milliseconds.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from dcsim import units
from dcsim.errors import UnitError
from dcsim.scenario.base import Duration, Factor, Value, wrong

_SAMPLE = re.compile(r"[a-z0-9]+ [a-z][a-z-]*( [1-9][0-9]*)+: .+ [A-Z]*FLOP/s", re.IGNORECASE)
_EXAMPLE = '"fp32 nn 1 128 512 784: 189 GFLOP/s": the number format, the form, the sizes and the rate reached'


def _sample(found: Any) -> str:
    if not isinstance(found, str) or not _SAMPLE.fullmatch(found):
        raise wrong(_EXAMPLE)
    _quantity(found.partition(":")[2], "flop rate", _EXAMPLE)
    return found


def _level(found: Any) -> str:
    example = '"64 KiB: 80 GB/s": the memory that a kernel touches and the rate at which it does'
    size, colon, rate = found.partition(":") if isinstance(found, str) else ("", "", "")
    if not colon:
        raise wrong(example)
    _quantity(size, "data", example)
    _quantity(rate, "data rate", example)
    return str(found)


def _quantity(text: str, dimension: str, example: str) -> None:
    try:
        value = units.parse(text.strip(), dimension)
    except UnitError:
        raise wrong(example) from None
    if not value > 0.0:
        raise wrong(f"{example}, above zero")


Sample = Annotated[
    str, BeforeValidator(_sample), Field(json_schema_extra={"examples": ["fp32 nn 1 128 512 784: 189 GFLOP/s"]})
]
Level = Annotated[str, BeforeValidator(_level), Field(json_schema_extra={"examples": ["64 KiB: 80 GB/s"]})]


class KernelTerms(Value):
    """What kernels of one name or kind take: ``launch + traffic bytes / bandwidth + flop FLOPs + function functions``.

    ``bandwidth`` is that of the bytes the kernel touches.
    """

    name: Annotated[str, Field(pattern="^[a-z0-9_+.-]+$")] = Field(
        description='a primitive, "scatter-add", or a kind of operation, "elementwise"'
    )
    launch: Duration = 0.0
    traffic: Factor = Field(0.0, description="passes over the memory that the traced kernel touches")
    flop: Duration = Field(0.0, description="of a floating-point operation")
    function: Duration = Field(0.0, description="of a transcendental function")


class Efficiency(Value):
    """Measured times of a device with its software, which replace the shares of the peak where they are given.

    Products are looked up by number format, form and (batch, m, n, k), convolutions by number format, form and
    geometry: those of :class:`dcsim.workload.operation.Operation`.
    """

    call: Duration = Field(0.0, description="of starting one compiled program")
    bandwidth: tuple[Level, ...] = Field(min_length=1, description="by the memory touched")
    products: tuple[Sample, ...] = Field(min_length=1, description="matrix products")
    convolutions: tuple[Sample, ...] = ()
    kernels: tuple[KernelTerms, ...] = Field(min_length=1, description="all other kernels")
    loop_copy: Factor = Field(0.0, description="passes over what a loop stacks up or takes apart, trip by trip")
