"""What kernels were measured to take on a device: sampled shapes and trends of products, terms for all other kernels.

Tables are short lines of text, one scalar each in YAML, so that hundreds of them are read in milliseconds.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from dcsim import units
from dcsim.errors import UnitError
from dcsim.scenario.base import Duration, Value, wrong

_FUNCTION = '"tanh: 0.6 ns": a primitive, and the time of one evaluation'
_SHAPE = re.compile(r"[a-z0-9]+ [a-z][a-z-]*( [1-9][0-9]*)+")
_SAMPLE = '"fp32 nn 1 128 512 784: 542 us": number format, form, sizes, and the time of one execution'
_LEVEL = '"64 KiB: 0.02 ns": what a kernel touches, and the time a byte of it takes'


def _sample(found: Any) -> str:
    shape, colon, seconds = found.partition(":") if isinstance(found, str) else ("", "", "")
    if not colon or not _SHAPE.fullmatch(shape) or not _quantity(seconds, "time", _SAMPLE) > 0.0:
        raise wrong(_SAMPLE)
    return str(found)


def _level(found: Any) -> str:
    size, colon, seconds = found.partition(":") if isinstance(found, str) else ("", "", "")
    if not colon or not _quantity(size, "data", _LEVEL) > 0.0 or not _quantity(seconds, "time", _LEVEL) >= 0.0:
        raise wrong(_LEVEL)
    return str(found)


def _function(found: Any) -> str:
    name, colon, seconds = found.partition(":") if isinstance(found, str) else ("", "", "")
    if not colon or not name.replace("-", "_").isidentifier() or not _quantity(seconds, "time", _FUNCTION) >= 0.0:
        raise wrong(_FUNCTION)
    return str(found)


def _quantity(text: str, dimension: str, example: str) -> float:
    try:
        return units.parse(text.strip(), dimension)
    except UnitError:
        raise wrong(example) from None


Sample = Annotated[str, BeforeValidator(_sample), Field(json_schema_extra={"examples": ["fp32 nn 1 64 64 64: 5 us"]})]
Level = Annotated[str, BeforeValidator(_level), Field(json_schema_extra={"examples": ["64 KiB: 0.02 ns"]})]

Function = Annotated[str, BeforeValidator(_function), Field(json_schema_extra={"examples": ["tanh: 0.6 ns"]})]


class Trend(Value):
    """The time of products or convolutions of one form as a sum of terms, each an amount of work times its time.

    ``work`` is a multiplication with its addition, ``far`` one of plain loops by weights beyond the caches near the
    core, ``left``, ``right``, ``result`` an element of an operand or of the result, ``windows`` an element of the
    input's windows one beside the other (of a product: one of the batch), ``taps`` a place in such a window, whatever
    the features.
    """

    name: Annotated[str, Field(pattern="^[a-z0-9]+ [a-z][a-z-]*$")] = Field(
        description='number format and form, "fp32 nn"'
    )
    start: Duration = 0.0
    work: Duration = 0.0
    far: Duration = 0.0
    left: Duration = 0.0
    right: Duration = 0.0
    result: Duration = 0.0
    windows: Duration = 0.0
    taps: Duration = 0.0


class Shapes(Value):
    """Matrix products, or convolutions: trends by form, and sampled shapes that correct them nearby.

    A shape is (batch, m, n, k) of a product and the geometry of a convolution, as in
    :class:`dcsim.workload.operation.Operation`.
    """

    trends: tuple[Trend, ...] = Field(min_length=1)
    samples: tuple[Sample, ...] = ()


class KernelTerms(Value):
    """What kernels of one name or kind take: a launch, time a FLOP, a function without a time of its own, and a byte.

    The time a byte depends on how many the kernel touches, linear in their logarithm between the levels.
    """

    name: Annotated[str, Field(pattern="^[a-z0-9_+.-]+$")] = Field(
        description='a primitive such as "scatter-add", or a kind of kernel such as "elementwise"'
    )
    launch: Duration = 0.0
    flop: Duration = 0.0
    function: Duration = 0.0
    traffic: tuple[Level, ...] = ()


class Efficiency(Value):
    """Measured times of a device with its software, which replace shares of the peak where they are given."""

    call: Duration = Field(0.0, description="of starting one compiled program")
    products: Shapes
    convolutions: Shapes
    kernels: tuple[KernelTerms, ...] = Field(min_length=1, description="all other kernels")
    functions: tuple[Function, ...] = Field(
        (), description="exp, tanh, a division: an evaluation in any kernel; of gather, a row"
    )
    pace: tuple[Function, ...] = Field(
        (), description='programs timed beside all others, and their times at the pace 1: "product: 98 us"'
    )
    loop: tuple[Level, ...] = Field((), description="a byte of what a loop stacks up or takes apart, trip by trip")
