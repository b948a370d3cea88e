"""Fit the terms of kernels to the times of small programs, none of them negative.

Each program is traced to operations like any step, and measured; its time is linear in the unknown terms of the kinds
of kernels it runs. Non-negative least squares (C. L. Lawson, R. J. Hanson, "Solving Least Squares Problems", 1974,
chapter 23) on relative residuals: a program of 10 us counts as much as one of 10 ms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Term = tuple[str, str]
"""A kind of kernel and one of its terms: ("elementwise", "traffic")."""


@dataclass(frozen=True, slots=True)
class Equation:
    """One measured program: what multiplies each unknown term, what is known of its time, and the time [s]."""

    name: str
    features: Mapping[Term, float]
    known_s: float
    measured_s: float


@dataclass(frozen=True, slots=True)
class Fit:
    """The fitted terms, and for each program predicted over measured time less one [1]."""

    terms: Mapping[Term, float]
    errors: Mapping[str, float]


def fit_terms(equations: Sequence[Equation]) -> Fit:
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
    scale = np.maximum(np.abs(matrix).max(axis=0, initial=0.0), 1e-300)
    solution, _ = nnls(matrix / scale / measured[:, None], (measured - known) / measured)
    terms = solution / scale
    errors = (matrix @ terms + known) / measured - 1.0
    return Fit(
        dict(zip(unknown, terms.tolist(), strict=True)),
        {equation.name: float(error) for equation, error in zip(equations, errors, strict=True)},
    )
