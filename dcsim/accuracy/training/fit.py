"""Fit the constants: least squares on the logarithm of errors, robust, with a Gaussian prior on every constant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.accuracy.training.constants import FITTED, Constants, prior_of, value
from dcsim.accuracy.training.predict import Facts, seconds

Floats = NDArray[np.float64]

NOISE = 0.025
"""Scale of an error that no constant is to explain: repeated runs and rounded values differ by 0.1 to 4 %.

Where errors of runs that the fit did not see are smallest: 0.02 and 0.03 are no better for both ways to leave out.
"""

EXPERT_NOISE = 0.09
"""The same for mixtures of experts: one configuration differs by 2 to 80 % between releases whose columns are alike.

Megatron-Bridge's performance summaries, the spans of one configuration over releases 25.11 to 26.08.
"""


_STEP = 1e-4


@dataclass(frozen=True, slots=True)
class Fit:
    """Fitted constants by name."""

    constants: Mapping[str, float]


def names_of(facts: Facts) -> list[str]:
    """Return the constants that the runs of ``facts`` ask for."""
    found = [f"{owner}.{field}" for owner in facts.generations for field in FITTED[owner]]
    found += [f"{owner}.{field}" for owner in facts.eras for field in FITTED[owner]]
    return found + list(FITTED[""])


def fit(facts: Facts, start: Constants | None = None, names: Sequence[str] | None = None) -> Fit:
    """Return the constants that fit ``facts`` best, from ``start`` on.

    Minimizes the sum of 2 (sqrt(1 + r^2) - 1), r being a log error over its noise, and of the squared distance of
    every constant from its prior over its spread.
    """
    from scipy.optimize import least_squares

    names = list(names or names_of(facts))
    first = np.array([_forth(name, float(value(start or {}, *_split(name)))) for name in names])
    centers = np.array([_forth(name, prior_of(name).value) for name in names])
    spreads = np.array([prior_of(name).spread for name in names])
    measured = np.log(facts.columns["target"])
    noise = np.where(facts.shape.mixture, EXPERT_NOISE, NOISE)

    def residuals(places: Floats) -> Floats:
        """Return the residuals of many places, shape (places, residuals)."""
        sets = {name: _back(name, places[:, i : i + 1]) for i, name in enumerate(names)}
        off = (np.log(seconds(facts, {**(start or {}), **sets})) - measured) / noise
        robust = np.sign(off) * np.sqrt(2.0 * (np.sqrt(1.0 + off * off) - 1.0))
        return np.concatenate([robust, (places - centers) / spreads], axis=1)

    def slopes(place: Floats) -> Floats:
        moved = np.concatenate([place[None, :], place + _STEP * np.eye(len(place))])
        values = residuals(moved)
        return np.asarray((values[1:] - values[0]).T / _STEP)

    def at(place: Floats) -> Floats:
        return np.asarray(residuals(place[None, :])[0])

    found = least_squares(at, first, jac=slopes, x_scale=spreads, max_nfev=40, ftol=1e-4)
    places = found.x.tolist()
    return Fit({name: float(_back(name, np.array(x))) for name, x in zip(names, places, strict=True)})


def _split(name: str) -> tuple[str, str]:
    owner, _, field = name.rpartition(".")
    return owner, field


def _forth(name: str, number: float) -> float:
    number = max(number, 1e-9)
    return float(np.log(number / (1.0 - number)) if prior_of(name).scale == "share" else np.log(number))


def _back(name: str, place: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-place)) if prior_of(name).scale == "share" else np.exp(place))
