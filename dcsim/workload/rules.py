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

import numpy as np

from dcsim.workload.graph import Node
from dcsim.workload.operation import CollectiveKind, Kind


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


VIEWS = _words(
    "reshape squeeze expand_dims transpose broadcast_in_dim slice dynamic_slice bitcast_convert_type stop_gradient "
    "copy copy_p optimization_barrier sharding_constraint reshard pvary pcast name split device_put layout_constraint "
    "real imag random_wrap random_unwrap mesh_cast"
)
TRANSCENDENTAL = _words(
    "exp exp2 expm1 log log1p tanh logistic erf erfc erf_inv sin cos tan asin acos atan atan2 sinh cosh asinh acosh "
    "atanh pow sqrt rsqrt cbrt lgamma digamma"
)
ELEMENTWISE = _words(
    "add sub mul div rem max min neg sign abs floor ceil round is_finite eq ne lt le gt ge and or xor not select_n "
    "clamp convert_element_type reduce_precision integer_pow square add_any nextafter population_count clz shift_left "
    "shift_right_logical shift_right_arithmetic eq_to lt_to le_to mulhi complex conj"
)
MOVES = _words("concatenate pad rev iota tile empty axis_index")
REDUCTIONS = _words("reduce_sum reduce_max reduce_min reduce_prod reduce_and reduce_or reduce_xor argmax argmin reduce")
RANDOM = _words(
    "random_bits random_seed random_fold_in random_split threefry2x32 rng_bit_generator rng_uniform random_clone"
)
COLLECTIVES: Mapping[str, CollectiveKind] = MappingProxyType(
    {
        "psum": "all-reduce",
        "psum2": "all-reduce",
        "psum_invariant": "all-reduce",
        "unreduced_psum": "all-reduce",
        "pmax": "all-reduce",
        "pmin": "all-reduce",
        "all_gather": "all-gather",
        "all_gather_invariant": "all-gather",
        "all_gather_reduced": "all-gather",
        "pbroadcast": "all-gather",
        "reduce_scatter": "reduce-scatter",
        "unreduced_reduce_scatter": "reduce-scatter",
        "all_to_all": "all-to-all",
        "ppermute": "permute",
    }
)
SCANS = _words("cumsum cumprod cummax cummin cumlogsumexp")


@dataclass(frozen=True, slots=True)
class Charge:
    """What one node costs. ``size_bytes`` is None where it reads every operand and writes every result once.

    ``form`` and ``geometry`` are those of :class:`dcsim.workload.operation.Operation`.
    """

    kind: Kind
    flops: float
    transcendentals: float = 0.0
    shape: tuple[int, ...] = ()
    size_bytes: float | None = None
    form: str = ""
    geometry: tuple[int, ...] = ()


def is_fusible(node: Node) -> bool:
    """Whether the node joins its neighbours in one kernel."""
    name = node.primitive
    return name in ELEMENTWISE or name in TRANSCENDENTAL or name in MOVES or name in REDUCTIONS or name in RANDOM


def charge(node: Node) -> Charge | None:
    """Return what ``node`` costs, None where its primitive is unknown."""
    name = node.primitive
    elements = float(node.outputs[0].elements)
    if name in TRANSCENDENTAL:
        return Charge("elementwise", 0.0, elements)
    if name in ELEMENTWISE:
        return Charge("elementwise", elements * _multiplications(node))
    if name in REDUCTIONS:
        return Charge("reduce", float(node.inputs[0].elements) - elements)
    if name in MOVES:
        return Charge("copy", 0.0)
    if name in RANDOM:
        return Charge("random", 0.0)
    if name in COLLECTIVES:
        return Charge("collective", 0.0, shape=node.outputs[0].shape)
    if name in SCANS:
        return Charge("reduce", elements, shape=node.outputs[0].shape)
    rule = _kernels().get(name)
    return None if rule is None else rule(node)


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
        "scatter_add": _scatter,
        "scatter-mul": _scatter,
        "scatter_mul": _scatter,
        "scatter_min": _scatter,
        "scatter_max": _scatter,
        "dynamic_update_slice": _update,
        "reduce_window": _window,
        "reduce_window_sum": _window,
        "reduce_window_max": _window,
        "reduce_window_min": _window,
        "select_and_scatter_add": _window_gradient,
        "select_and_gather_add": _window,
        "sort": _sort,
        "top_k": _sort,
    }


def _matmul(node: Node) -> Charge:
    (left_k, _), (left_batch, _) = node.parameters["dimension_numbers"]
    left, right = node.inputs[0].shape, node.inputs[1]
    batch = prod(left[i] for i in left_batch)
    k = prod(left[i] for i in left_k)
    m = prod(left) // max(1, batch * k)
    n = right.elements // max(1, batch * k)
    return Charge("matmul", 2.0 * batch * m * n * k, shape=(batch, m, n, k), form=_form(node))


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
        taps *= _taps(along, given["window_strides"][axis], given["padding"][axis][0], dilations)
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
        form=("beyond" if any(window > size for size, window, _ in sizes) else "inside")
        + ("-broad" if windows[0] > places else ""),
        geometry=(images, features, outputs, places, *windows, *dilations),
    )


def _taps(sizes: tuple[int, int, int], stride: int, padding: int, dilations: tuple[int, int]) -> int:
    """Pairs of output position and kernel tap along one axis that meet an element of the input.

    ``sizes`` are those of input, kernel and output; ``dilations`` those of input and kernel.
    """
    (size, window, out), (spread, step) = sizes, dilations
    position = np.arange(out)[:, None] * stride - padding + np.arange(window)[None, :] * step
    inside = (position >= 0) & (position < (size - 1) * spread + 1) & (position % spread == 0)
    return int(inside.sum())


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
