"""Fit terms of kernels to the times of small programs, none of them negative.

Each program is traced to operations like any step, and measured; its time is linear in the unknown terms of the kinds
of kernels it runs. Non-negative least squares (C. L. Lawson, R. J. Hanson, "Solving Least Squares Problems", 1974,
chapter 23) on relative residuals: a program of 10 us counts as much as one of 10 ms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Term = tuple[str, str]
"""A kind of kernel and one of its terms: ("elementwise", "launch")."""


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
    """Return the non-negative terms with the least sum of squared relative errors.

    Raises
    ------
    ValueError
        Without equations, or with a time that is not positive.
    """
    import numpy as np
    from scipy.optimize import nnls

    if not equations or min(equation.measured_s for equation in equations) <= 0.0:
        raise ValueError("a fit needs measured times above zero")
    unknown = list(dict.fromkeys(term for equation in equations for term in equation.features))
    measured = np.array([equation.measured_s for equation in equations])
    matrix = np.array([[equation.features.get(term, 0.0) for term in unknown] for equation in equations])
    known = np.array([equation.known_s for equation in equations])
    alike = np.array([_row(tie, unknown) for tie in ties if {tie.one, tie.other} <= set(unknown)])
    rows = np.vstack([matrix / measured[:, None], alike.reshape(-1, len(unknown))])
    scale = np.maximum(np.abs(rows).max(axis=0, initial=0.0), 1e-300)
    target = np.concatenate([(measured - known) / measured, np.zeros(len(rows) - len(measured))])
    solution, _ = nnls(rows / scale, target)
    terms = solution / scale
    errors = (matrix @ terms + known) / measured - 1.0
    return Fit(
        dict(zip(unknown, terms.tolist(), strict=True)),
        {equation.name: float(error) for equation, error in zip(equations, errors, strict=True)},
    )


def _row(tie: Tie, unknown: Sequence[Term]) -> list[float]:
    return [((term == tie.one) - (term == tie.other)) / tie.unit for term in unknown]
