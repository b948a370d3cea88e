"""From axes to points: values between bounds, combinations, samples, each made when it is asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dcsim.errors import ScenarioError
from dcsim.scenario.study import Axis, LoadedStudy, Study
from dcsim.scenario.suggest import quoted

Changes = dict[str, Any]
_SHORTEST_STEP = 1e-9  # of the distance between bounds; what is nearer counts as reached


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers from ``low`` to ``high``, written with ``unit``; whole where both bounds are."""

    low: float
    high: float
    unit: str
    whole: bool
    logarithmic: bool

    def at(self, share: float) -> Any:
        """Return the value ``share`` of the way [1] from the low bound to the high one."""
        if self.logarithmic:
            number = self.low * (self.high / self.low) ** share
        else:
            number = self.low + (self.high - self.low) * share
        return self.write(number)

    def write(self, number: float) -> Any:
        """Return a number as it stands in a scenario file."""
        number = round(number) if self.whole else float(f"{number:.12g}")
        return f"{number} {self.unit}" if self.unit else number


def span(axis: Axis) -> Span | None:
    """Return the bounds of an axis that has bounds.

    Raises
    ------
    ValueError
        With what is expected, if they are no two ascending numbers of one unit.
    """
    bounds = axis.range or axis.log or axis.log2
    if bounds is None:
        return None
    (low, low_unit), (high, high_unit) = _number(bounds[0]), _number(bounds[1])
    if low_unit != high_unit:
        raise ValueError("two bounds with the same unit")
    if not low < high:
        raise ValueError("a low bound and then a higher one")
    if axis.range is None and not low > 0:
        raise ValueError("bounds above zero")
    whole = isinstance(low, int) and isinstance(high, int)
    return Span(low, high, low_unit, whole, axis.range is None)


def _number(bound: Any) -> tuple[float, str]:
    """Split a bound into its number and its unit."""
    if isinstance(bound, int | float) and not isinstance(bound, bool):
        return bound, ""
    number, _, unit = str(bound).partition(" ")
    try:
        return (int(number) if number.lstrip("+-").isdecimal() else float(number)), unit.strip()
    except ValueError:
        raise ValueError('two numbers, with their unit where the path has one: ["100 Gbit/s", "800 Gbit/s"]') from None


def values(axis: Axis) -> list[Any]:
    """Return the values of an axis in order, each once.

    Raises
    ------
    ValueError
        With what is expected, if its bounds make no sense.
    """
    bounds = span(axis)
    if bounds is None:
        return list(axis.values)
    if axis.log2 is not None:
        count = math.floor(math.log2(bounds.high / bounds.low) + _SHORTEST_STEP)
        return [bounds.write(bounds.low * 2**i) for i in range(count + 1)]
    if axis.step is not None:
        count = math.floor((bounds.high - bounds.low) / axis.step * (1 + _SHORTEST_STEP))
        return [_stepped(bounds, axis.step * i) for i in range(count + 1)]
    if axis.points is None:
        raise ValueError("points: N beside the bounds, or step: X")
    shares = [i / (axis.points - 1) for i in range(axis.points)] if axis.points > 1 else [0.0]
    return list(dict.fromkeys(bounds.at(share) for share in shares))


def _stepped(bounds: Span, offset: float) -> Any:
    number = bounds.low + offset
    whole = bounds.whole and number == round(number)
    return Span(bounds.low, bounds.high, bounds.unit, whole, False).write(number)


class Points:
    """The points of a study, in order; only the values of the axes are held.

    Raises
    ------
    ScenarioError
        If an axis has no values, zipped axes differ in length, or a sample needs bounds that are not there.
    """

    def __init__(self, loaded: LoadedStudy) -> None:
        self._study = loaded.study
        self._sampled = loaded.study.combine.sample is not None
        self.axes = tuple(loaded.study.axes)
        self._values = {} if self._sampled else _all_values(loaded)
        self._spans = _all_spans(loaded) if self._sampled else {}
        self._groups = _groups(loaded, self._values)

    def __len__(self) -> int:
        if self._sampled:
            return self._study.combine.points or 0
        return math.prod(len(self._values[group[0]]) for group in self._groups)

    def __iter__(self) -> Iterator[Changes]:
        return self._sample() if self._sampled else (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> Changes:
        """Return a point that was not sampled; the last axis moves fastest."""
        chosen: dict[str, int] = {}
        for group in reversed(self._groups):
            index, place = divmod(index, len(self._values[group[0]]))
            chosen |= dict.fromkeys(group, place)
        return {path: self._values[path][chosen[path]] for path in self.axes}

    def _sample(self) -> Iterator[Changes]:
        for row in _unit_sample(self._study, len(self.axes)):
            shares = zip(self.axes, row, strict=True)
            yield {path: _at(self._study.axes[path], self._spans[path], share) for path, share in shares}


def _at(axis: Axis, bounds: Span | None, share: float) -> Any:
    if bounds is not None:
        return bounds.at(share)
    return axis.values[min(int(share * len(axis.values)), len(axis.values) - 1)]


def _unit_sample(study: Study, dimensions: int) -> Iterator[Sequence[float]]:
    """Yield points of the unit cube by SciPy: scrambled Sobol (Owen 1998), Latin hypercube (McKay et al. 1979)."""
    import numpy as np
    from scipy.stats import qmc

    generator, count = np.random.default_rng(study.combine.seed), study.combine.points or 0
    if study.combine.sample == "random":
        yield from generator.random((count, dimensions)).tolist()
    elif study.combine.sample == "latin-hypercube":
        yield from qmc.LatinHypercube(dimensions, rng=generator).random(count).tolist()
    else:
        sobol = qmc.Sobol(dimensions, rng=generator)
        yield from sobol.random_base2(max(0, count - 1).bit_length())[:count].tolist()


def factors(loaded: LoadedStudy) -> dict[tuple[str, ...], list[Changes]]:
    """Return what a search moves: the axes one by one, and those that are zipped together, with their joint values.

    An axis that moves alone has no values here, as it may have bounds instead.

    Raises
    ------
    ScenarioError
        If zipped axes differ in length or have bounds without a number of points.
    """
    groups = [] if loaded.study.combine.sample else _groups(loaded, {})
    known: dict[str, list[Any]] = {}
    for path in (path for group in groups if len(group) > 1 for path in group):
        try:
            known[path] = values(loaded.study.axes[path])
        except ValueError as error:
            raise ScenarioError([loaded.problem(f"axes.{path}", "bounds on a zipped axis", str(error))]) from None
    _groups(loaded, known)
    moved: dict[tuple[str, ...], list[Changes]] = {}
    for group in groups or [(path,) for path in loaded.study.axes]:
        rows = zip(*(known[path] for path in group), strict=True) if len(group) > 1 else ()
        moved[group] = [dict(zip(group, row, strict=True)) for row in rows]
    return moved


def _all_values(loaded: LoadedStudy) -> dict[str, list[Any]]:
    return {path: found for path, found in _each(loaded, values).items() if found is not None}


def _all_spans(loaded: LoadedStudy) -> dict[str, Span | None]:
    return _each(loaded, span)


def _each(loaded: LoadedStudy, read: Any) -> dict[str, Any]:
    found, problems = {}, []
    for path, axis in loaded.study.axes.items():
        try:
            found[path] = read(axis)
        except ValueError as error:
            bounds = axis.range or axis.log or axis.log2
            problems.append(loaded.problem(f"axes.{path}", quoted(list(bounds or ())), str(error)))
    if problems:
        raise ScenarioError(problems)
    return found


def _groups(loaded: LoadedStudy, known: dict[str, list[Any]]) -> list[tuple[str, ...]]:
    """Return the axes that move together, in the order of the file."""
    combine, axes = loaded.study.combine, tuple(loaded.study.axes)
    together = [axes] if combine.how == "zip" else list(combine.zip)
    groups = list(dict.fromkeys(next((group for group in together if path in group), (path,)) for path in axes))
    problems = []
    for group in groups:
        lengths = {path: len(known[path]) for path in group if path in known}
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{path}: {length}" for path, length in lengths.items())
            problems.append(loaded.problem("combine", f"zipped axes of {listed} values", "as many values on each"))
    if problems:
        raise ScenarioError(problems)
    return groups
