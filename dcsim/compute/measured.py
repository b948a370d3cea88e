"""The time of an operation on a device whose kernels were measured.

Everything is a sum of measured terms, the same that the calibration fits. Products and convolutions follow the trend of
their form, corrected by how far the sampled shapes nearby are from it: inverse distance weighting (D. Shepard, "A
two-dimensional interpolation function for irregularly-spaced data", ACM 1968) of the logarithm of that ratio over the
logarithms of the sizes, and over how often each can be halved, on which vectors and caches depend. So a sampled shape
takes what was measured, cliffs included. The trend counts as one more sample at a distance of its own, so that far
from all samples a shape takes what its form usually does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import exp, log, log2, prod
from typing import TYPE_CHECKING

from dcsim import units
from dcsim.catalogue.efficiency import Efficiency, Shapes, Trend
from dcsim.workload.operation import Operation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_NEAREST = 6  # samples that correct a trend
_POWER = 3.0  # of the distance in their weights
_TRUSTED = (
    2.0  # distance [doublings] at which a sample counts as much as the trend: the least error of left-out samples
)
_HALVES = 0.4  # distance of a size that can be halved once more, without a remainder [doublings]
_MOST_HALVES = 6  # 64 numbers of 4 bytes: beyond vectors and cache lines
_CLOSE = 1e-6  # a distance [doublings] below which only the sample counts
_ROWWISE = 1.8  # touched bytes over those of the largest array, above which a reduction writes as much as it reads
_WIDTHS = {"fp64": 8, "int64": 8, "bf16": 2, "fp16": 2, "int16": 2, "fp8": 1, "int8": 1, "uint8": 1, "bool": 1}
_PRODUCT = 4  # sizes of a product; a convolution has nine
_CROSSED = "crossed"
_PLAIN = (_CROSSED, "beyond")
_NEAR = (2.0**18, 2.0**21)  # bytes of weights up to which plain loops find them near the core, and from which on never
_DIVISIONS = frozenset({"div", "rem"})
_FEW = (
    16  # features up to which XLA takes another kernel: IsConvolutionOpSupportedByYnn of its CPU backend, jaxlib 0.10
)
_SHORT = 64  # input features below which XLA unrolls the inner loop of a convolution with crossed axes: measured
_KERNELS = frozenset({"matmul", "convolution"})


@dataclass(frozen=True, slots=True)
class Parts:
    """What the time of one execution consists of [s]; arithmetic follows the clock, the others do not."""

    launch_s: float
    memory_s: float
    arithmetic_s: float


def measured_parts(operation: Operation, efficiency: Efficiency) -> Parts:
    """Return the parts of the time of one execution of ``operation`` [s]."""
    sliced_s = _traffic_s(operation.stacked_bytes, efficiency.loop)
    if operation.kind in _KERNELS:
        shapes = efficiency.products if operation.kind == "matmul" else efficiency.convolutions
        return Parts(0.0, sliced_s, product_seconds(operation, shapes) if operation.flops > 0.0 else 0.0)
    known = {terms.name: terms for terms in efficiency.kernels}
    terms = known.get(kernel_name(operation, known), efficiency.kernels[0])
    arithmetic_s = terms.flop * operation.flops + _functions_s(operation, terms.function, efficiency.functions)
    return Parts(terms.launch, _traffic_s(operation.bytes, terms.traffic) + sliced_s, arithmetic_s)


def function_counts(operation: Operation, known: Collection[str]) -> dict[str, float]:
    """Return the evaluations of each of the ``known`` functions in one execution, of all others under ""."""
    counts = {name: count for name, count in operation.functions if name in known}
    listed = sum(count for name, count in operation.functions)
    others = sum(count for name, count in operation.functions if name not in known and name not in _DIVISIONS)
    return counts | {"": others if listed else operation.transcendentals}


def kernel_name(operation: Operation, known: Collection[str]) -> str:
    """Return the most special of the ``known`` names that ``operation`` goes by, "elementwise" if none does.

    Its primitive where it is a kernel of its own; "update" for an optimizer's work, which is in place; "rows" for a
    fused reduction that also writes about as much as it reads, such as a softmax or a normalization; its kind.
    """
    names = [operation.name]
    if operation.kind == "elementwise" and operation.phase == "optimizer":
        names.append("update")
    if operation.kind == "reduce" and operation.bytes >= _ROWWISE * _array_bytes(operation):
        names.append("rows")
    names.append(operation.kind)
    return next((name for name in names if name in known), "elementwise")


def level_shares(touched_bytes: float, levels: Sequence[float]) -> Mapping[int, float]:
    """Return the weight of each level [B], by its index, in the time that a byte of ``touched_bytes`` takes."""
    place = log2(max(touched_bytes, 1.0))
    marks = [log2(level) for level in levels]
    if place <= marks[0] or place >= marks[-1]:
        return {0 if place <= marks[0] else len(marks) - 1: 1.0}
    index = next(number for number, (_, high) in enumerate(pairwise(marks)) if place < high)
    share = (place - marks[index]) / (marks[index + 1] - marks[index])
    return {index: 1.0 - share, index + 1: share}


def form_of(operation: Operation) -> str:
    """Return the form by which a product or a convolution is looked up.

    Beside the form of the operation that is what decides between the kernels of common libraries: whether a product is
    one by a vector, whether a convolution has few features, an input spread out with zeros, or a window that covers the
    input and so gives one result, and whether a loop over input features is long enough for vectors.
    """
    if operation.kind == "matmul":
        return operation.form + ("-vector" if 1 in operation.shape[1:3] else "")
    _, inputs, outputs, places, _, _, spread = operation.geometry[:7]
    if operation.form.startswith(_CROSSED):
        return operation.form + ("-short" if operation.form == _CROSSED and inputs < _SHORT else "")
    if spread > 1:
        return operation.form + "-spread"
    return operation.form + ("-few" if max(inputs, outputs) <= _FEW else "-single" if places == 1 else "")


def shape_of(operation: Operation) -> tuple[int, ...]:
    """Return the sizes by which a product or a convolution is looked up."""
    return operation.shape if operation.kind == "matmul" else operation.geometry


def trend_features(sizes: Sequence[int], form: str = "") -> dict[str, float]:
    """Return what multiplies each term of a trend; four sizes are those of a product, more those of a convolution.

    Libraries multiply the zeros of a border too. The plain loops for convolutions with crossed axes, and for windows
    beyond the input, do not, and go through all weights for every place of the result.
    """
    if len(sizes) == _PRODUCT:
        b, m, n, k = map(float, sizes)
        return {
            "start": 1.0,
            "work": b * m * n * k,
            "left": b * m * k,
            "right": b * k * n,
            "result": b * m * n,
            "windows": b,
        }
    images, inputs, outputs, places, window, stride, dilation = map(float, sizes[:7])
    plain = form.startswith(_PLAIN)
    work = images * inputs * outputs * (float(sizes[-1]) if plain else places * window / dilation)
    return {
        "start": 1.0,
        "work": work,
        "far": work * level_shares(4.0 * inputs * outputs * window, _NEAR).get(1, 0.0) if plain else 0.0,
        "left": images * inputs * places * stride / dilation,
        "right": inputs * outputs * window,
        "result": images * outputs * places,
        "windows": images * inputs * places * window,
        "taps": images * places * window,
    }


def trend_seconds(trend: Trend, sizes: Sequence[int]) -> float:
    """Return the time of a product or convolution by the trend alone [s]."""
    form = trend.name.partition(" ")[2]
    return sum(float(getattr(trend, name)) * amount for name, amount in trend_features(sizes, form).items())


def product_seconds(operation: Operation, shapes: Shapes) -> float:
    """Return the time of a product or convolution: its trend, corrected by the samples nearby [s]."""
    table = _table(shapes)
    form = table[_known_form(table, operation.dtype, form_of(operation))]
    sizes = shape_of(operation)
    return trend_seconds(form.trend, sizes) * exp(_correction(form, sizes))


@dataclass(frozen=True, slots=True)
class _Form:
    """A trend, where the samples are, shape (samples, coordinates), and logarithms of sample over trend."""

    trend: Trend
    places: Floats
    ratios: Floats


def _correction(form: _Form, sizes: Sequence[int]) -> float:
    import numpy as np

    if not len(form.ratios):
        return 0.0
    distance = np.sqrt(((form.places - np.array(_place(sizes))) ** 2).sum(axis=1))
    near = np.argsort(distance, kind="stable")[:_NEAREST]
    weights = np.maximum(distance[near], _CLOSE) ** -_POWER
    return float((weights * form.ratios[near]).sum() / (weights.sum() + _TRUSTED**-_POWER))


def _place(sizes: Sequence[int]) -> list[float]:
    """Return the coordinates of a shape: the logarithms of its sizes, and the halvings of those it is stored along."""
    sizes = sizes[:8]  # of a convolution all but the pairs that meet the input
    inner = sizes[1:] if len(sizes) == _PRODUCT else sizes[1:3]
    halves = (min(((size & -size).bit_length() - 1), _MOST_HALVES) for size in inner)
    return [*(log2(size) for size in sizes), *(_HALVES * half for half in halves)]


def _known_form(table: Mapping[tuple[str, str], _Form], dtype: str, form: str) -> tuple[str, str]:
    """Return the number format and form to look up, without particulars of which nothing is known: "tn" for "tn-joint".

    Another form stands in for an unknown one, another number format for an unknown one.
    """
    formats = [known for known in table if known[0] == dtype] or list(table)
    named = form
    while named and named not in [known[1] for known in formats]:
        named = named.rpartition("-")[0]
    return next((known for known in formats if known[1] == named), formats[0])


def _traffic_s(touched_bytes: float, rows: tuple[str, ...]) -> float:
    if not touched_bytes or not rows:
        return 0.0
    levels, seconds = _levels(rows)
    return touched_bytes * sum(share * seconds[index] for index, share in level_shares(touched_bytes, levels).items())


def _functions_s(operation: Operation, other_s: float, rows: tuple[str, ...]) -> float:
    seconds = {**_functions(rows), "": other_s}
    return sum(seconds[name] * count for name, count in function_counts(operation, seconds).items())


@lru_cache(maxsize=64)
def _functions(rows: tuple[str, ...]) -> Mapping[str, float]:
    pairs = [row.split(":") for row in rows]
    return {name.strip(): units.parse(seconds.strip(), "time") for name, seconds in pairs}


def _array_bytes(operation: Operation) -> float:
    return float(prod(operation.shape) * _WIDTHS.get(operation.dtype, 4))


@lru_cache(maxsize=64)
def _table(shapes: Shapes) -> Mapping[tuple[str, str], _Form]:
    """Return the trends with the samples of their form, by (number format, form)."""
    import numpy as np

    found = {}
    sampled: dict[str, list[tuple[list[int], float]]] = {trend.name: [] for trend in shapes.trends}
    for row in shapes.samples:
        shape, _, seconds = row.partition(":")
        dtype, form, *sizes = shape.split()
        sampled.setdefault(f"{dtype} {form}", []).append((list(map(int, sizes)), units.parse(seconds.strip(), "time")))
    for trend in shapes.trends:
        dtype, _, form = trend.name.partition(" ")
        rows = sampled[trend.name]
        ratios = np.array([log(seconds / max(trend_seconds(trend, sizes), 1e-12)) for sizes, seconds in rows])
        found[dtype, form] = _Form(trend, np.array([_place(sizes) for sizes, _ in rows]), ratios)
    return found


@lru_cache(maxsize=256)
def _levels(rows: tuple[str, ...]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    pairs = [row.split(":") for row in rows]
    parsed = sorted((units.parse(a.strip(), "data"), units.parse(b.strip(), "time")) for a, b in pairs)
    return tuple(level for level, _ in parsed), tuple(seconds for _, seconds in parsed)
