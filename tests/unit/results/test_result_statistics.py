"""Intervals over replications."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from dcsim.results.statistics import interval, paired_difference


def test_interval_of_three_samples() -> None:
    # mean 2, sample deviation 1, t(0.975, 2) = 4.3027 (any t table), so the half width is 4.3027 / sqrt(3)
    found = interval([1.0, 2.0, 3.0])
    assert found.mean == 2.0
    assert found.half_width == pytest.approx(4.302652729911275 / math.sqrt(3), rel=1e-9)


def test_interval_agrees_with_scipy() -> None:
    samples = [3.1, 2.7, 3.3, 2.9, 3.6]
    low, high = stats.t.interval(0.9, len(samples) - 1, loc=sum(samples) / 5, scale=stats.sem(samples))
    found = interval(samples, 0.9)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-9)


def test_one_sample_has_no_interval_and_none_is_an_error() -> None:
    assert interval([5.0]).half_width is None
    for samples, confidence in (([], 0.95), ([1.0], 1.0)):
        with pytest.raises(ValueError, match="samples"):
            interval(samples, confidence)


def test_paired_differences_cancel_what_is_common() -> None:
    found = paired_difference([1.0, 5.0, 9.0], [2.0, 6.0, 10.0])
    assert (found.mean, found.low, found.high) == (1.0, 1.0, 1.0)
