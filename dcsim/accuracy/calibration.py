"""From timings of micro-kernels to the efficiency of a device: the same terms that predict, fitted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import ItemsView, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from dcsim import units
from dcsim.accuracy.fit import Equation, Fit, Term, Tie, fit_terms
from dcsim.catalogue.efficiency import Efficiency, KernelTerms, Shapes, Trend
from dcsim.compute.measured import (
    form_of,
    function_counts,
    kernel_name,
    level_shares,
    product_seconds,
    shape_of,
    trend_features,
)
from dcsim.workload.measure import Timing
from dcsim.workload.operation import Operation

LEVELS = tuple(2.0**power for power in (14, 17, 20, 23, 26))
"""Touched memory [B] between which the time of a byte is interpolated: from the first cache to main memory."""

NAMES = (
    "elementwise", "update", "rows", "reduce", "copy", "random", "gather", "scatter", "scatter-add", "sort",
    "top_k", "argmax", "cumsum", "reduce_window_max", "reduce_window_sum", "select_and_scatter_add",
)  # fmt: skip
"""The kinds of kernels that have terms of their own."""

FUNCTIONS = (
    "gather", "scatter", "scatter-add", "div", "erf", "erfc", "exp", "log", "log1p", "logistic",
    "pow", "rsqrt", "sin", "cos", "sqrt", "tanh",
)  # fmt: skip
"""The primitives that have a time of their own: an evaluation, or a row found by its index."""

_BYTE_S = 2e-11  # the scale of the time of a byte [s]: differences of it between levels count as errors
_STIFF = 0.15  # weight of that against a program
_LEAST_S = 1e-7  # what is left of a measured time, at least, when the call is taken off [s]
_RARE = 5  # samples of a form below which it has no trend of its own
_LOOP = "loop"
_FUNCTION = "function"


Row = tuple[str, tuple[int, ...], float]
"""A timed product or convolution: its name, its sizes, and the time of one execution [s]."""


@dataclass(frozen=True, slots=True)
class Timings:
    """What calibration timed: an empty program, products, convolutions, and programs of all other kernels.

    ``pace`` has the time of each program of the pace when that is 1 [s]; ``partial`` if an interrupt came between.
    """

    empty: Timing
    products: tuple[Timing, ...]
    convolutions: tuple[Timing, ...]
    kernels: tuple[Timing, ...]
    pace: Mapping[str, float] = field(default_factory=dict)
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Calibration:
    """The efficiency of a device, and how far it is from each program that it was fitted on."""

    efficiency: Efficiency
    errors: Mapping[str, float]

    @property
    def summary(self) -> str:
        """The error within the sample in words."""
        sizes = sorted(map(abs, self.errors.values()))
        ninety = sizes[min(len(sizes) - 1, int(0.9 * len(sizes)))]
        return f"{len(sizes)} programs, median error {median(sizes):.1%}, 90th percentile {ninety:.1%}"


def calibrate(timings: Timings) -> Calibration:
    """Return the efficiency fitted to ``timings``."""
    call_s = timings.empty.seconds
    products = _shapes(timings.products, call_s)
    convolutions = _shapes(timings.convolutions, call_s)
    fit = _kernels(timings.kernels, call_s, (products, convolutions))
    given = {
        "call": _time(call_s),
        "products": products,
        "convolutions": convolutions,
        "kernels": tuple(_terms(name, fit) for name in NAMES if any(term[0] == name for term in fit.terms)),
        "functions": _functions(fit),
        "pace": tuple(f"{name}: {_time(seconds)}" for name, seconds in timings.pace.items()),
        "loop": _levels(_LOOP, fit),
    }
    return Calibration(Efficiency.model_validate(given), fit.errors)


def _shapes(timings: Sequence[Timing], call_s: float) -> Shapes:
    """Return trends by form and the samples, what starts a program taken off."""
    by_form: dict[str, list[Row]] = defaultdict(list)
    for timing in timings:
        (kernel,) = [operation for operation in timing.operations if operation.kind in ("matmul", "convolution")]
        seconds = max(timing.seconds - call_s, _LEAST_S) / kernel.count
        by_form[f"{kernel.dtype} {form_of(kernel)}"].append((timing.name, shape_of(kernel), seconds))
    trends, samples = [], []
    for form, rows in sorted(_joined(by_form).items()):
        trends.append(_trend(form, rows))
        unique = {shape: seconds for _, shape, seconds in rows}
        samples += [
            f"{form} {' '.join(map(str, shape))}: {_time(seconds)}" for shape, seconds in sorted(unique.items())
        ]
    return Shapes(trends=tuple(trends), samples=tuple(samples))


def _joined(by_form: Mapping[str, list[Row]]) -> dict[str, list[Row]]:
    """Return the rows of every form, rare forms with those that they are particulars of: "inside" of "inside-few"."""
    found: dict[str, list[Row]] = {form: list(rows) for form, rows in by_form.items()}
    for form in sorted(found, key=len, reverse=True):
        parent = form.rpartition("-")[0]
        if len(found[form]) < _RARE and parent in found:
            found[parent] += found.pop(form)
    return found


def _trend(form: str, rows: Sequence[Row]) -> Trend:
    equations = [
        Equation(name, {(form, term): amount for term, amount in _trend_terms(form, shape)}, 0.0, seconds)
        for name, shape, seconds in rows
    ]
    fitted = {term: _time(value) for (_, term), value in fit_terms(equations).terms.items()}
    return Trend.model_validate({"name": form, **fitted})


def _trend_terms(form: str, shape: Sequence[int]) -> ItemsView[str, float]:
    return trend_features(shape, form.partition(" ")[2]).items()


def _kernels(timings: Sequence[Timing], call_s: float, shapes: tuple[Shapes, Shapes]) -> Fit:
    equations = []
    for timing in timings:
        features: dict[Term, float] = defaultdict(float)
        known_s = call_s
        for operation in timing.operations:
            known_s += operation.count * _known_s(operation, shapes)
            for term, amount in _features(operation).items():
                features[term] += operation.count * amount
        equations.append(Equation(timing.name, features, known_s, timing.seconds))
    labels = [_label(level) for level in LEVELS]
    ties = [
        Tie((name, low), (name, high), _BYTE_S / _STIFF) for name in (*NAMES, _LOOP) for low, high in pairwise(labels)
    ]
    return fit_terms(equations, ties)


def _known_s(operation: Operation, shapes: tuple[Shapes, Shapes]) -> float:
    if operation.kind not in ("matmul", "convolution") or operation.flops <= 0.0:
        return 0.0
    return product_seconds(operation, shapes[operation.kind == "convolution"])


def _features(operation: Operation) -> dict[Term, float]:
    """Return what multiplies each unknown term in the time of one execution."""
    found = _traffic(_LOOP, operation.stacked_bytes)
    if operation.kind in ("matmul", "convolution"):
        return found
    name = kernel_name(operation, NAMES)
    counts = function_counts(operation, FUNCTIONS)
    amounts = {"launch": 1.0, "flop": operation.flops, _FUNCTION: counts.pop("")}
    found |= {(name, term): amount for term, amount in amounts.items() if amount}
    found |= {(_FUNCTION, function): count for function, count in counts.items()}
    return found | _traffic(name, operation.bytes)


def _traffic(name: str, touched_bytes: float) -> dict[Term, float]:
    if not touched_bytes:
        return {}
    return {
        (name, _label(LEVELS[index])): share * touched_bytes
        for index, share in level_shares(touched_bytes, LEVELS).items()
    }


def _terms(name: str, fit: Fit) -> KernelTerms:
    given = {term: _time(fit.terms.get((name, term), 0.0)) for term in ("launch", "flop", "function")}
    return KernelTerms.model_validate({"name": name, **given, "traffic": _levels(name, fit)})


def _functions(fit: Fit) -> tuple[str, ...]:
    return tuple(f"{name}: {_time(fit.terms[_FUNCTION, name])}" for name in FUNCTIONS if (_FUNCTION, name) in fit.terms)


def _levels(name: str, fit: Fit) -> tuple[str, ...]:
    known = [(level, fit.terms[name, _label(level)]) for level in LEVELS if (name, _label(level)) in fit.terms]
    return tuple(f"{_label(level)}: {_time(seconds)}" for level, seconds in known)


def _label(level: float) -> str:
    return f"{level / 2**10:.0f} KiB" if level < 2**20 else f"{level / 2**20:.0f} MiB"


def _time(seconds: float) -> str:
    """Return a time with four digits: more would be noise."""
    return units.write(float(f"{seconds:.4g}"), "time")
