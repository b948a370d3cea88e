"""Compressed gradients: what arrives, what is kept back, and that all ranks hold the same."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.parallel import schedule
from dcsim.parallel.schedule import Schedule
from dcsim.scenario.compression import CompressionSpec, Int8, Sign, TopK
from dcsim.workload.compression import codec, int8, rounded, sign, top_k
from dcsim.workload.reduction import Coding, reduce

INT8, SIGN, TOP = Int8(kind="int8"), Sign(kind="sign"), TopK(kind="top-k", keep=0.1)
SCHEDULES = {
    "ring": schedule.ring_all_reduce(6),
    "tree": schedule.tree_all_reduce(6),
    "hierarchical": schedule.hierarchical_all_reduce(6, 3),
    "server": schedule.parameter_server(6, 2),
}


def draws(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).standard_normal(shape).astype(np.float32)


def test_top_k_keeps_the_largest() -> None:
    values = np.array([1, -5, 2, 0, 4, -3, 1, 1, 1, 1], np.float32)
    assert top_k(values, 0.3).tolist() == [0, -5, 0, 0, 4, -3, 0, 0, 0, 0]


def test_top_k_keeps_the_first_of_equals_and_at_least_one() -> None:
    assert top_k(np.full(4, -2, np.float32), 0.5).tolist() == [-2, -2, 0, 0]
    assert top_k(np.array([0.1, 0.2], np.float32), 1e-9).tolist() == pytest.approx([0.0, 0.2])
    assert top_k(np.zeros(0, np.float32), 0.5).size == 0


def test_int8_rounds_to_255_levels_a_block() -> None:
    # Blocks of 2: scales 2.54 / 127 = 0.02 and 0 (a block of zeros), then the rest of 12.7 / 127 = 0.1.
    values = np.array([2.54, 0.031, 0.0, 0.0, -12.7], np.float32)
    assert int8(values, 2) == pytest.approx([2.54, 0.04, 0.0, 0.0, -12.7], rel=1e-6)
    many = draws(1000)
    steps = np.abs(many.reshape(-1, 100)).max(axis=1).repeat(100) / 127
    assert np.all(np.abs(int8(many, 100) - many) <= 0.5001 * steps)


def test_sign_sends_the_mean_magnitude_of_a_block() -> None:
    # (1 + 3) / 2 = 2; the last block holds one element
    assert sign(np.array([1, -3, 5], np.float32), 2).tolist() == [2, -2, 5]
    assert sign(np.zeros(3, np.float32), 2).tolist() == [0, 0, 0]


def test_values_travel_in_the_precision_of_the_job() -> None:
    assert codec(None, "fp32") is None
    values = np.array([1.0 + 2**-7, 1.0 + 2**-9], np.float32)  # bf16 has 8 bits of significand
    half = codec(None, "bf16")
    assert half is not None
    assert half(values).tolist() == [1.0 + 2**-7, 1.0]
    assert rounded(values, "fp16").tolist() == values.tolist()  # fp16 has 11
    top = codec(TopK(kind="top-k", keep=0.5), "bf16")
    assert top is not None
    assert top(values).tolist() == [1.0 + 2**-7, 0.0]


@pytest.mark.parametrize("kind", SCHEDULES)
@pytest.mark.parametrize("compression", [INT8, SIGN, TOP, None], ids=["int8", "sign", "top-k", "bf16"])
def test_all_ranks_hold_what_the_last_coder_sent(kind: str, compression: CompressionSpec | None) -> None:
    """``reduce`` refuses ranks that differ. Coded again the sum stays as it is: it was coded once and passed on."""
    rows, function = draws(6, 600), codec(compression, "bf16")
    assert function is not None
    total = reduce(rows, SCHEDULES[kind], Coding(function)).copy()
    exact = draws(6, 600).sum(axis=0)
    distance = np.linalg.norm(total - exact) / np.linalg.norm(exact)
    bound = {None: 0.01, "int8": 0.05, "sign": 1.0, "top-k": 1.0}[compression.kind if compression else None]
    assert 0.0 < distance < bound


@pytest.mark.parametrize("kind", SCHEDULES)
def test_bf16_sums_are_off_by_their_eight_bits(kind: str) -> None:
    """Each message is rounded to 2^-9 relative at most; a sum passes at most 6 of them here."""
    function = codec(None, "bf16")
    assert function is not None
    total, exact = reduce(draws(6, 4000), SCHEDULES[kind], Coding(function)), draws(6, 4000).sum(axis=0)
    assert 5e-4 < np.linalg.norm(total - exact) / np.linalg.norm(exact) < 6 * 2**-9


@pytest.mark.parametrize("kind", SCHEDULES)
@pytest.mark.parametrize("compression", [SIGN, TOP, INT8], ids=["sign", "top-k", "int8"])
def test_with_error_feedback_nothing_is_lost_but_kept(kind: str, compression: CompressionSpec) -> None:
    """What all ranks put in = what came out + what the residuals hold, summed over steps: only timing changes."""
    function = codec(compression, "fp32")
    assert function is not None
    residual = np.zeros((6, 600), np.float32)
    coding = Coding(function, residual)
    given, got = np.zeros(600), np.zeros(600)
    for step in range(20):
        rows = np.random.default_rng(step).standard_normal((6, 600)).astype(np.float32)
        given += rows.sum(axis=0, dtype=np.float64)
        got += reduce(rows, SCHEDULES[kind], coding)
    kept = residual.sum(axis=0, dtype=np.float64)
    assert got + kept == pytest.approx(given, abs=2e-4)
    assert np.linalg.norm(kept) > 1e-3


def test_forgetful_coding_loses_what_it_leaves_out() -> None:
    function = codec(TOP, "fp32")
    assert function is not None
    rows = np.tile(np.linspace(0.1, 1.0, 10, dtype=np.float32), (2, 1))
    rounds: Schedule = schedule.parameter_server(2, 1)
    assert reduce(rows, rounds, Coding(function)).tolist() == [0.0] * 9 + [2.0]
