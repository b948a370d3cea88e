"""What one primitive costs: its kind, floating-point operations and, where operands are only partly touched, its bytes.

The convention of XLA's cost analysis: a multiplication and an addition are one operation each, an elementwise
primitive one an element, and functions such as exp or tanh are counted apart as transcendentals. A matrix product of
b batches of (m, k) by (k, n) takes 2bmnk, a convolution only the taps that meet real input, not padding or the zeros
of dilation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log2, prod
from types import MappingProxyType
from typing import Any

from dcsim.workload import decompositions
from dcsim.workload.graph import Node
from dcsim.workload.operation import Kind
from dcsim.workload.primitives import (
    COLLECTIVES,
    ELEMENTWISE,
    MOVES,
    RANDOM,
    REDUCTIONS,
    SCANS,
    TRANSCENDENTAL,
)
from dcsim.workload.taps import taps_along

REGISTERED = "registered cost"  # the parameter of a node whose cost the user states
_ROUNDS = 113.0
_EXPANSIONS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "logistic": (3.0, 1.0),
        "exp2": (1.0, 1.0),
        "erfc": (62.0, 1.0),
        "erf_inv": (37.0, 2.0),
        "lgamma": (53.0, 4.0),
        "digamma": (73.0, 3.0),
        "sinh": (10.0, 3.0),
        "acosh": (7.0, 4.0),
    }
)


@dataclass(frozen=True, slots=True)
class Charge:
    """What one node costs. ``size_bytes`` is None where it reads every operand and writes every result once.

    ``form`` and ``geometry`` are those of :class:`dcsim.workload.operation.Operation`; ``crossed`` is the form in the
    body of a loop, where there is another.
    """

    kind: Kind
    flops: float
    transcendentals: float = 0.0
    shape: tuple[int, ...] = ()
    size_bytes: float | None = None
    form: str = ""
    geometry: tuple[int, ...] = ()
    crossed: str = ""


def is_fusible(node: Node) -> bool:
    """Whether the node joins its neighbours in one kernel."""
    name = node.primitive
    return name in ELEMENTWISE or name in TRANSCENDENTAL or name in MOVES or name in REDUCTIONS or name in RANDOM


def is_known(primitive: str) -> bool:
    """Whether there is a rule for a primitive that applies no other program."""
    plain = (ELEMENTWISE, TRANSCENDENTAL, MOVES, REDUCTIONS, RANDOM, COLLECTIVES, SCANS, decompositions.NAMES)
    return any(primitive in names for names in plain) or primitive in _kernels()


def charge(node: Node) -> Charge | None:
    """Return what ``node`` costs, None where its primitive is unknown.

    Functions that XLA expands into polynomials count as it counts them: (operations, transcendentals) an element by the
    cost analysis of jaxlib 0.10. A random word takes the 20 rounds of Threefry-2x32, of 5 operations, its 6 injections
    of the key and the joining of two halves: 20 x 5 + 6 x 2 + 1 (J. Salmon et al., "Parallel random numbers: as easy
    as 1, 2, 3", SC 2011).
    """
    name = node.primitive
    elements = float(node.outputs[0].elements)
    if REGISTERED in node.parameters:
        return _registered(node)
    if name in TRANSCENDENTAL:
        operations, functions = _EXPANSIONS.get(name, (0.0, 1.0))
        return Charge("elementwise", operations * elements, functions * elements)
    if name in ELEMENTWISE:
        return Charge("elementwise", elements * _multiplications(node))
    if name in REDUCTIONS:
        return Charge("reduce", float(node.inputs[0].elements) - elements)
    if name in MOVES:
        return Charge("copy", 0.0)
    if name in RANDOM:
        return Charge("random", _ROUNDS * elements)
    if name in COLLECTIVES:
        return Charge("collective", 0.0, shape=node.outputs[0].shape)
    if name in SCANS:
        return Charge("reduce", elements, shape=node.outputs[0].shape)
    if name in decompositions.NAMES:
        return Charge("elementwise", decompositions.flops(node), shape=node.outputs[0].shape)
    rule = _kernels().get(name)
    return None if rule is None else rule(node)


def _registered(node: Node) -> Charge:
    """What the user states about a kernel that no trace can look into."""
    stated = node.parameters[REGISTERED]
    return Charge("custom", stated.flops, shape=node.outputs[0].shape, size_bytes=stated.bytes, form=stated.units)


def _multiplications(node: Node) -> int:
    """Multiplications of an integer power by repeated squaring, the division of a negative one; 1 for all others."""
    if node.primitive != "integer_pow":
        return 1
    power = int(node.parameters["y"])
    size = abs(power)
    return size.bit_length() - 1 + size.bit_count() - 1 + (power < 0) if size else 0


def _kernels() -> dict[str, Callable[[Node], Charge]]:
    return {
        "dot_general": _matmul,
        "conv_general_dilated": _convolution,
        "gather": _gather,
        "scatter": _scatter,
        "scatter-add": _scatter,
        "scatter-sub": _scatter,
        "scatter-mul": _scatter,
        "scatter-min": _scatter,
        "scatter-max": _scatter,
        "dynamic_update_slice": _update,
        "reduce_window": _window,
        "reduce_window_sum": _window,
        "reduce_window_max": _window,
        "reduce_window_min": _window,
        "select_and_scatter_add": _window_gradient,
        "select_and_gather_add": _window,
        "select_and_scatter": _window_gradient,
        "ragged_dot_general": _ragged,
        "sort": _sort,
        "top_k": _sort,
        "approx_top_k": _sort,
    }


def _matmul(node: Node) -> Charge:
    (left_k, _), (left_batch, _) = node.parameters["dimension_numbers"]
    left, right = node.inputs[0].shape, node.inputs[1]
    batch = prod(left[i] for i in left_batch)
    k = prod(left[i] for i in left_k)
    m = prod(left) // max(1, batch * k)
    n = right.elements // max(1, batch * k)
    return Charge("matmul", 2.0 * batch * m * n * k, shape=(batch, m, n, k), form=_form(node))


def _ragged(node: Node) -> Charge:
    """A product whose left operand has its rows in groups, each of which meets a matrix of its own: 2 m n k in all."""
    numbers = node.parameters["ragged_dot_dimension_numbers"]
    (left_k, right_k), (_, right_batch) = numbers.dot_dimension_numbers
    left, right = node.inputs[:2]
    k = prod(left.shape[axis] for axis in left_k)
    shared = {*right_k, *right_batch, *numbers.rhs_group_dimensions}
    n = prod(size for axis, size in enumerate(right.shape) if axis not in shared)
    return Charge("matmul", 2.0 * left.elements * n, shape=(1, left.elements // max(1, k), n, k), form="nn")


def _form(node: Node) -> str:
    """Return how the operands of a product lie in memory, each row by row.

    One letter an operand: "n" where it is as in a plain product of row-major matrices, "t" where the contracted axes
    of the left one come before its others, or those of the right one after. "-joint" where several axes are contracted
    at once, "-apart" where the axes of a batch are not in front.
    """
    contracted, batch = node.parameters["dimension_numbers"]
    free = [
        set(range(len(value.shape))) - set(summed) - set(shared)
        for value, summed, shared in zip(node.inputs[:2], contracted, batch, strict=True)
    ]
    left = "t" if free[0] and contracted[0] and min(contracted[0]) < max(free[0]) else "n"
    right = "t" if free[1] and contracted[1] and max(contracted[1]) > min(free[1]) else "n"
    joint = "-joint" if len(contracted[0]) > 1 else ""
    apart = "-apart" if any(tuple(axes) != tuple(range(len(axes))) for axes in batch) else ""
    return left + right + joint + apart


def _convolution(node: Node) -> Charge:
    """2 x output features x input features of a group x images x taps that meet real input.

    Gradients arrive here as convolutions with dilated operands; the formula holds for them too.
    """
    given = node.parameters
    left, right, out = (node.inputs[0].shape, node.inputs[1].shape, node.outputs[0].shape)
    numbers = given["dimension_numbers"]
    sizes = [
        (left[numbers.lhs_spec[axis]], right[numbers.rhs_spec[axis]], out[numbers.out_spec[axis]])
        for axis in range(2, len(out))
    ]
    taps = 1.0
    for axis, along in enumerate(sizes):
        dilations = (given["lhs_dilation"][axis], given["rhs_dilation"][axis])
        taps *= taps_along(along, given["window_strides"][axis], given["padding"][axis][0], dilations)
    images = left[numbers.lhs_spec[0]] // given["batch_group_count"]
    features = left[numbers.lhs_spec[1]] // given["feature_group_count"]
    outputs = out[numbers.out_spec[1]]
    places = prod(along[2] for along in sizes)
    windows = (prod(window for _, window, _ in sizes), prod(given["window_strides"]))
    dilations = (prod(given["lhs_dilation"]), prod(given["rhs_dilation"]))
    return Charge(
        "convolution",
        2.0 * images * features * outputs * taps,
        shape=out,
        form=_reach(sizes) + ("-broad" if windows[0] > places else ""),
        geometry=(images, features, outputs, places, *windows, *dilations, int(taps)),
        crossed=_crossed(numbers),
    )


def _reach(sizes: list[tuple[int, int, int]]) -> str:
    """Return how the window of a convolution lies to its input; ``sizes`` are (input, window, result) of every axis."""
    if all(size == 1 for size, _, _ in sizes):
        return "point"
    return "beyond" if any(window > size or out > size for size, window, out in sizes) else "inside"


def _crossed(numbers: Any) -> str:
    """Return which operands of a convolution do not have their features last, as those of gradients do not."""
    axes = len(numbers.lhs_spec)
    features_last = (0, axes - 1, *range(1, axes - 1))
    if tuple(numbers.lhs_spec) != features_last:
        return "crossed-images"
    plain = tuple(numbers.rhs_spec) == (axes - 1, axes - 2, *range(axes - 2))
    return "" if plain and tuple(numbers.out_spec) == features_last else "crossed"


def _gather(node: Node) -> Charge:
    """A gather touches the rows it takes, not the table."""
    out = node.outputs[0]
    return Charge("gather", 0.0, shape=out.shape, size_bytes=node.inputs[1].touched_bytes + 2.0 * out.size_bytes)


def _scatter(node: Node) -> Charge:
    """A scatter reads its updates and changes the rows they fall on; a fresh array it also writes once as a whole."""
    operand, indices, updates = node.inputs[:3]
    fresh = node.outputs[0].size_bytes if operand.touched_bytes < operand.size_bytes else 0.0
    moved = indices.touched_bytes + updates.touched_bytes + 2.0 * updates.size_bytes + fresh
    flops = 0.0 if node.primitive == "scatter" else float(updates.elements)
    return Charge("scatter", flops, shape=updates.shape, size_bytes=moved)


def _update(node: Node) -> Charge:
    """An update in place reads the slice and writes it."""
    return Charge("copy", 0.0, shape=node.inputs[1].shape, size_bytes=2.0 * node.inputs[1].size_bytes)


def _window(node: Node) -> Charge:
    """A reduction over windows: one operation less than the window's elements for each result."""
    out = node.outputs[0]
    window = prod(node.parameters["window_dimensions"])
    return Charge("reduce", float(out.elements) * max(1, window - 1), shape=out.shape)


def _window_gradient(node: Node) -> Charge:
    """Select the winner of every window (a comparison less than its elements) and add the gradient there."""
    source = node.inputs[0]
    window = prod(node.parameters["window_dimensions"])
    return Charge("scatter", float(source.elements) * window, shape=node.outputs[0].shape)


def _sort(node: Node) -> Charge:
    """n log2 n comparisons along the sorted axis."""
    operand = node.inputs[0]
    axis: Any = node.parameters.get("dimension", -1)
    length = max(2, operand.shape[axis]) if operand.shape else 2
    return Charge("sort", float(operand.elements) * log2(length), shape=operand.shape)
