"""Intervals over replications."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with the bounds of its confidence interval; the bounds are None for a single sample."""

    mean: float
    low: float | None
    high: float | None

    @property
    def half_width(self) -> float | None:
        """Half the width of the interval [unit of the samples]."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2


def interval(samples: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return the Student t interval of the mean of independent, roughly normal ``samples``.

    mean +- t(1 - (1 - confidence) / 2, n - 1) s / sqrt(n), with the sample standard deviation s
    (Gosset, Biometrika 6, 1908).

    Raises
    ------
    ValueError
        If there are no samples or ``confidence`` is not inside (0, 1).
    """
    if not samples or not 0.0 < confidence < 1.0:
        raise ValueError("an interval needs samples and a confidence between 0 and 1")
    count, mean = len(samples), math.fsum(samples) / len(samples)
    if count == 1:
        return Interval(mean, None, None)
    from scipy.special import stdtrit

    deviation = math.sqrt(math.fsum((x - mean) ** 2 for x in samples) / (count - 1))
    half = float(stdtrit(count - 1, 0.5 + confidence / 2)) * deviation / math.sqrt(count)
    return Interval(mean, mean - half, mean + half)


def paired_difference(first: Sequence[float], second: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return the interval of the mean of ``second - first`` for replications that share their random numbers pairwise.

    Raises
    ------
    ValueError
        If the lengths differ or there are no samples.
    """
    return interval([b - a for a, b in zip(first, second, strict=True)], confidence)
