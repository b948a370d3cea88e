"""Sequences shared by context ranks: the bytes of keys and values, and what the busiest rank attends to."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from dcsim.catalogue import Shelf
from dcsim.parallel.context import Context, busiest_share, key_bytes
from dcsim.parallel.model_shape import shape_of
from dcsim.parallel.parallelism import Parallelism, Precision
from dcsim.parallel.shape import Shape
from dcsim.scenario.transformers import Decoder

IN_ORDER = Context(in_order=np.ones(1))


def plan(**sizes: float) -> Parallelism:
    given = {field.name: 1.0 for field in fields(Parallelism)} | sizes
    return Parallelism(**{name: np.array([size]) for name, size in given.items()})


def shape(**changes: float) -> Shape:
    spec = Shelf().model("llama3-8b")
    assert isinstance(spec, Decoder)
    return replace(shape_of(spec), **{name: np.array([value]) for name, value in changes.items()})


def test_all_keys_and_values_of_the_heads_of_a_tensor_rank_travel() -> None:
    # 3 sequences x 8,192 tokens x 8 / 4 heads of keys x (128 + 128) x 2 bytes, whatever the context ranks.
    precision = Precision(**{field.name: np.full(1, 2.0) for field in fields(Precision)})
    for context in (2.0, 16.0):
        found = key_bytes(shape(), plan(micro=3.0, tensor=4.0, context=context), precision)
        assert float(found[0]) == pytest.approx(3 * 8192 * 2 * 256 * 2, rel=1e-12)
    shared = key_bytes(shape(), plan(tensor=32.0, context=2.0), precision)  # 4 ranks have a head of keys each
    assert float(shared[0]) == pytest.approx(8192 * 1 * 256 * 2, rel=1e-12)


@pytest.mark.parametrize("ranks", [1, 2, 16])
def test_the_last_rank_in_order_attends_to_all_before_it(ranks: int) -> None:
    # Its queries see s (1 - 1 / n) to s keys, s (2 n - 1) / (2 n) on average; the mean rank's see s / 2.
    found = float(busiest_share(shape(), plan(context=float(ranks)), IN_ORDER)[0])
    assert found == pytest.approx((2 * ranks - 1) / ranks, rel=1e-12)
    assert float(busiest_share(shape(), plan(context=float(ranks)), Context())[0]) == 1.0


def test_without_a_mask_all_ranks_work_alike() -> None:
    assert float(busiest_share(shape(causal=0.0), plan(context=8.0), IN_ORDER)[0]) == 1.0


@pytest.mark.parametrize("window", [1000.0, 7000.0])
def test_a_window_is_counted_token_by_token(window: float) -> None:
    # The token at i sees min(i, window) keys: the last of 4 ranks over the mean of all, summed in small steps.
    length, ranks = 8192.0, 4.0
    at = (np.arange(8192 * 8) + 0.5) / 8.0
    seen = np.minimum(at, window)
    expected = seen[at > length * (1 - 1 / ranks)].mean() / seen.mean()
    found = busiest_share(shape(window=window, windowed=1.0, sequence=length), plan(context=ranks), IN_ORDER)
    assert float(found[0]) == pytest.approx(expected, rel=1e-6)
