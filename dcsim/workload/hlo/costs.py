"""Floating-point operations of HLO instructions, in the convention of XLA's own cost analysis.

One operation an element of elementwise work, functions such as exp apart as transcendentals, 2 b m n k of a product, 2
for each output feature, input feature and tap of a convolution that meets a real element. :mod:`dcsim.workload.rules`
has the same of a jaxpr.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from math import ceil, log2, prod
from typing import NamedTuple

from dcsim.workload.hlo.scanner import SyntaxProblem
from dcsim.workload.hlo.shapes import Shape
from dcsim.workload.hlo.text import Computation, Instruction, Module
from dcsim.workload.taps import taps_along


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FREE = _words(
    "parameter constant tuple get-tuple-element bitcast after-all add-dependency partition-id replica-id opt-barrier "
    "domain get-dimension-size set-dimension-size"
)
MOVES = _words(
    "copy transpose broadcast reshape slice dynamic-slice dynamic-update-slice pad concatenate reverse iota gather "
    "bitcast-convert dynamic-reshape copy-start infeed outfeed send recv"
)
ELEMENTWISE = _words(
    "add subtract multiply divide remainder maximum minimum negate abs sign ceil floor round-nearest-afz "
    "round-nearest-even compare select and or xor not clamp convert shift-left shift-right-logical "
    "shift-right-arithmetic is-finite popcnt count-leading-zeros complex real imag reduce-precision stochastic-convert"
)
TRANSCENDENTAL = _words(
    "exponential exponential-minus-one log log-plus-one tanh sqrt rsqrt cbrt power sine cosine tan atan2 erf logistic "
    "acos asin acosh asinh atanh sinh cosh"
)
_DOT_CALLS = ("__cublas$gemm", "__cublas$lt$matmul", "__onednn$matmul")


class Work(NamedTuple):
    """What one instruction computes; ``shape`` is (batch, m, n, k) of a product."""

    flops: float = 0.0
    transcendentals: float = 0.0
    shape: tuple[int, ...] = ()


def work(module: Module, within: Computation, instruction: Instruction) -> Work:
    """Return what an instruction that calls no others computes.

    Raises
    ------
    SyntaxProblem
        For an instruction without a rule.
    """
    opcode, elements = instruction.opcode, float(instruction.shape.elements)
    given = [within.instructions[name].shape for name in instruction.operands if name in within.instructions]
    if opcode in ELEMENTWISE:
        return Work(elements)
    if opcode in TRANSCENDENTAL:
        return Work(0.0, elements)
    if opcode in FREE or opcode in MOVES:
        return Work()
    if opcode == "dot":
        return _dot(instruction, given)
    if opcode == "custom-call":
        return _custom(instruction, given)
    if opcode == "convolution":
        return _convolution(instruction, given)
    if opcode in (
        "sort",
        "rng",
        "rng-bit-generator",
        "rng-get-and-update-state",
        "cholesky",
        "triangular-solve",
        "fft",
    ):
        return _special(instruction, given)
    return _applied(module, instruction, given)


def _applied(module: Module, instruction: Instruction, given: list[Shape]) -> Work:
    """An instruction that applies a small computation many times."""
    times = {
        "reduce": lambda: _reduced(instruction, given),
        "map": lambda: float(instruction.shape.elements),
        "scatter": lambda: float(given[-1].elements),
        "reduce-window": lambda: (
            next(instruction.shape.leaves()).elements * float(max(1, prod(_window(instruction)["size"]) - 1))
        ),
        "select-and-scatter": lambda: given[0].elements * float(prod(_window(instruction)["size"])),
    }
    if instruction.opcode not in times:
        raise SyntaxProblem(
            f'the instruction "{instruction.opcode}", for which there is no rule', "one that XLA documents"
        )
    applied = module.computations.get(instruction.attributes.get("to_apply", "").removeprefix("%"))
    each = Work(1.0) if applied is None else _scalar(module, applied)
    count = times[instruction.opcode]()
    return Work(count * each.flops, count * each.transcendentals)


def _reduced(instruction: Instruction, given: list[Shape]) -> float:
    first = next(instruction.shape.leaves())
    return float(max(0, given[0].elements - first.elements))


def _reduced_by_windows(instruction: Instruction) -> float:
    results = next(instruction.shape.leaves()).elements
    return float(results) * max(1, prod(_window(instruction)["size"]) - 1)


def _scalar(module: Module, applied: Computation) -> Work:
    parts = [work(module, applied, inner) for inner in applied.instructions.values()]
    return Work(sum(part.flops for part in parts), sum(part.transcendentals for part in parts))


def _dot(instruction: Instruction, given: list[Shape]) -> Work:
    return _product(
        given,
        _axes(instruction.attributes.get("lhs_contracting_dims", "{}")),
        _axes(instruction.attributes.get("lhs_batch_dims", "{}")),
        instruction.shape.elements,
    )


def _product(given: list[Shape], summed: tuple[int, ...], shared: tuple[int, ...], elements: int) -> Work:
    left = given[0].sizes
    k, batch = prod(left[axis] for axis in summed), prod(left[axis] for axis in shared)
    m = prod(left) // max(1, k * batch)
    return Work(2.0 * elements * k, shape=(batch, m, elements // max(1, batch * m), k))


def _custom(instruction: Instruction, given: list[Shape]) -> Work:
    """A product handed to a library states its axes; of all others no text tells the operations."""
    target = instruction.attributes.get("custom_call_target", "").strip('"')
    if not target.startswith(_DOT_CALLS):
        return Work()
    stated = json.loads(instruction.attributes.get("backend_config", "{}"))
    numbers = next((item["dot_dimension_numbers"] for item in stated.values() if _states_axes(item)), None)
    if numbers is None:
        raise SyntaxProblem(f'the custom call "{target}" without dot_dimension_numbers', "them in its backend_config")
    summed = tuple(int(axis) for axis in numbers.get("lhs_contracting_dimensions", ()))
    shared = tuple(int(axis) for axis in numbers.get("lhs_batch_dimensions", ()))
    return _product(given, summed, shared, next(instruction.shape.leaves()).elements)


def _states_axes(item: object) -> bool:
    return isinstance(item, dict) and "dot_dimension_numbers" in item


def _convolution(instruction: Instruction, given: list[Shape]) -> Work:
    """2 x images x output features x input features of a group x taps that meet a real element."""
    window = _window(instruction)
    left, right, out = (piece for piece in re.split(r"_|->", instruction.attributes["dim_labels"]))
    taps = 1.0
    for axis in range(len(window["size"])):
        sizes = tuple(
            shape.sizes[labels.index(str(axis))]
            for shape, labels in ((given[0], left), (given[1], right), (instruction.shape, out))
        )
        dilations = (window["lhs_dilate"][axis], window["rhs_dilate"][axis])
        taps *= taps_along((sizes[0], sizes[1], sizes[2]), window["stride"][axis], window["pad"][axis], dilations)
    images = given[0].sizes[left.index("b")] // int(instruction.attributes.get("batch_group_count", 1))
    features = given[0].sizes[left.index("f")] // int(instruction.attributes.get("feature_group_count", 1))
    return Work(2.0 * images * features * instruction.shape.sizes[out.index("f")] * taps)


def _window(instruction: Instruction) -> Mapping[str, tuple[int, ...]]:
    """Return the window's sizes, strides, paddings before it and dilations, one an axis."""
    text = instruction.attributes.get("window", "{}")[1:-1]
    stated = dict(piece.partition("=")[::2] for piece in text.split())
    size = tuple(int(piece) for piece in stated.get("size", "").split("x") if piece)
    ones = tuple(1 for _ in size)

    def along(name: str) -> tuple[int, ...]:
        return tuple(int(piece) for piece in stated[name].split("x")) if name in stated else ones

    pad = stated.get("pad", "")
    before = tuple(int(piece.partition("_")[0]) for piece in pad.split("x")) if pad else tuple(0 for _ in size)
    found = {name: along(name) for name in ("stride", "lhs_dilate", "rhs_dilate")}
    return {"size": size, "pad": before, **found}


def _special(instruction: Instruction, given: list[Shape]) -> Work:
    """Sorting takes n ceil(log2 n) comparisons; Cholesky n^3/3, triangular solves n^2 a right side, transforms
    5 n log2 n; random numbers one operation each, all but the sort's as in decompositions of a jaxpr.
    """
    elements = float(instruction.shape.elements)
    if instruction.opcode == "sort":
        length = given[0].sizes[_axes(instruction.attributes.get("dimensions", "{0}"))[0]]
        return Work(given[0].elements * float(ceil(log2(max(2, length)))))
    if instruction.opcode == "cholesky":
        return Work(given[0].elements * given[0].sizes[-1] / 3.0)
    if instruction.opcode == "triangular-solve":
        return Work(float(given[0].sizes[-1]) * given[1].elements)
    if instruction.opcode == "fft":
        return Work(5.0 * elements * log2(max(2, prod(_axes(instruction.attributes.get("fft_length", "{2}"))))))
    return Work(elements)


def _axes(text: str) -> tuple[int, ...]:
    return tuple(int(piece) for piece in text.strip("{}").split(",") if piece.strip())
