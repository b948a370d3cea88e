"""Named random streams."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri

from dcsim.engine import Streams
from dcsim.engine.streams import uniforms

WHOLE = Streams(7).normal(0, 400, "job", "pretrain", 1)


@given(st.integers(0, 399), st.integers(0, 399))
def test_a_draw_depends_on_its_number_alone(one: int, other: int) -> None:
    first, end = min(one, other), max(one, other)
    assert np.array_equal(Streams(7).normal(first, end - first, "job", "pretrain", 1), WHOLE[first:end])


def test_streams_differ_by_seed_name_and_attempt() -> None:
    draws = [
        Streams(seed).normal(0, 4, *key).tolist()
        for seed, key in ((7, ("a", 1)), (8, ("a", 1)), (7, ("b", 1)), (7, ("a", 2)), (7, ("a",)), (7, ("a1",)))
    ]
    assert len({tuple(draw) for draw in draws}) == len(draws)


def test_a_generator_starts_anew_each_time() -> None:
    streams = Streams(7)
    once = streams.generator("failures", 3).exponential(size=3)
    streams.generator("failures", 4).exponential(size=100)
    assert np.array_equal(once, streams.generator("failures", 3).exponential(size=3))


def test_draws_are_normal() -> None:
    # Of 100,000 draws the mean is within 4 sigma of 0 (0.0126) and the variance within 4 sigma of 1 (0.0179).
    draws = Streams(1).normal(0, 100_000, "noise")
    assert abs(draws.mean()) < 0.0126
    assert abs(draws.var() - 1.0) < 0.0179
    assert np.corrcoef(draws[:-1], draws[1:])[0, 1] == pytest.approx(0.0, abs=0.0126)


def test_no_word_gives_an_infinite_draw() -> None:
    words = np.array([0, 1, 2**63, 2**64 - 1], dtype=np.uint64)
    found = uniforms(words)
    assert np.all((found > 0.0) & (found < 1.0))
    assert np.all(np.isfinite(ndtri(found)))
    assert found[0] == 1.0 - found[-1]
