"""Non-negative terms whose sums are measured times: least squares of the logarithms of predicted over measured.

Terms below zero have no meaning for a time; C. Lawson and R. Hanson, "Solving Least Squares Problems" (1974), chapter
23. Logarithms, since a prediction of half the time is as wrong as one of twice the time; errors relative to the
measurement would hold the first for half as wrong, and fit too low. Large errors, of programs that the terms cannot
tell, count less: P. Huber, "Robust Estimation of a Location Parameter" (1964). Each round of the fit is linear in the
terms: log p = log p0 + (p - p0) / p0 near the prediction p0 of the round before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Term = tuple[str, str]
"""A kind of kernel and one of its terms: ("elementwise", "launch")."""

_ROUNDS = 30
_FAR = 5.0  # factor by which the point of expansion may be off a measured time: the next round could not be positive
_LARGE = 0.25  # logarithm of an error from which on it counts less


@dataclass(frozen=True, slots=True)
class Equation:
    """One measured program: what multiplies each unknown term, what is known of its time, and the time [s]."""

    name: str
    features: Mapping[Term, float]
    known_s: float
    measured_s: float


@dataclass(frozen=True, slots=True)
class Tie:
    """Two terms that are alike unless programs say otherwise: a difference of ``unit`` counts as an error of 1."""

    one: Term
    other: Term
    unit: float


@dataclass(frozen=True, slots=True)
class Fit:
    """The fitted terms, and for each program predicted over measured time less one [1]."""

    terms: Mapping[Term, float]
    errors: Mapping[str, float]


def fit_terms(equations: Sequence[Equation], ties: Sequence[Tie] = ()) -> Fit:
    """Return the non-negative terms with the least sum of squared logarithms of predicted over measured time.

    Raises
    ------
    ValueError
        Without equations, or with a time that is not positive.
    """
    import numpy as np

    if not equations or min(equation.measured_s for equation in equations) <= 0.0:
        raise ValueError("a fit needs measured times above zero")
    unknown = list(dict.fromkeys(term for equation in equations for term in equation.features))
    measured = np.array([equation.measured_s for equation in equations])
    matrix = np.array([[equation.features.get(term, 0.0) for term in unknown] for equation in equations])
    known = np.array([equation.known_s for equation in equations])
    alike = np.array([_row(tie, unknown) for tie in ties if {tie.one, tie.other} <= set(unknown)])
    alike = alike.reshape(-1, len(unknown))
    predicted = measured
    for _ in range(_ROUNDS):
        terms = _solved(matrix, known, measured, predicted, alike)
        predicted = matrix @ terms + known
    errors = predicted / measured - 1.0
    return Fit(
        dict(zip(unknown, terms.tolist(), strict=True)),
        {equation.name: float(error) for equation, error in zip(equations, errors, strict=True)},
    )


def _solved(matrix: Floats, known: Floats, measured: Floats, predicted: Floats, alike: Floats) -> Floats:
    """Return the terms of one round, linear around what was ``predicted`` in the round before."""
    import numpy as np
    from scipy.optimize import nnls

    point = np.clip(predicted, measured / _FAR, measured * _FAR)
    distance = np.log(measured / point)
    sizes = np.abs(distance)
    weights = np.sqrt(np.minimum(1.0, _LARGE / np.maximum(sizes, 1e-9)))
    rows = np.vstack([matrix / point[:, None] * weights[:, None], alike])
    scale = np.maximum(np.abs(rows).max(axis=0, initial=0.0), 1e-300)
    target = np.concatenate([((1.0 + distance) - known / point) * weights, np.zeros(len(alike))])
    solution, _ = nnls(rows / scale, target)
    found: Floats = solution / scale
    return found


def _row(tie: Tie, unknown: Sequence[Term]) -> list[float]:
    return [((term == tie.one) - (term == tie.other)) / tie.unit for term in unknown]
