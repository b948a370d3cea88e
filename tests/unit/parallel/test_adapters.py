"""Low-rank adapters: their parameters and products, counted by hand for Llama 3 8B."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from dcsim.catalogue import Shelf
from dcsim.parallel.adapters import Adapters, adapter_parameters, adapter_products, adapter_traffic
from dcsim.parallel.held import trained
from dcsim.parallel.model_shape import shape_of
from dcsim.parallel.parallelism import Parallelism
from dcsim.scenario.transformers import Decoder

SPEC = Shelf().model("llama3-8b")
assert isinstance(SPEC, Decoder)
SHAPE = shape_of(SPEC)
# r (k + n) of queries, keys and values of 8 of 32 heads, and output; of gate, up and down.
ATTENTION = 16 * (8192 + 2 * (4096 + 1024) + 8192)
FEED = 16 * 3 * (4096 + 14336)


def adapters(attention: float, feed: float) -> Adapters:
    return Adapters(np.full(1, 16.0), np.array([attention]), np.array([feed]))


def plan(**sizes: float) -> Parallelism:
    given = {field.name: 1.0 for field in fields(Parallelism)} | sizes
    return Parallelism(**{name: np.array([size]) for name, size in given.items()})


@pytest.mark.parametrize(
    ("attention", "feed", "each"), [(1.0, 0.0, ATTENTION), (0.0, 1.0, FEED), (1.0, 1.0, ATTENTION + FEED), (0, 0, 0)]
)
def test_parameters_and_products(attention: float, feed: float, each: float) -> None:
    one = adapters(attention, feed)
    assert float(adapter_parameters(SHAPE, one)[0]) == pytest.approx(32 * each, rel=1e-12)
    for tensor in (1.0, 4.0):  # two FLOP a parameter and token
        products = adapter_products(SHAPE, plan(tensor=tensor), one)
        assert sum(float(p.flops[0]) for p in products) == pytest.approx(2 * 8192 * each / tensor, rel=1e-12)


def test_only_adapters_are_trained_where_there_are_any() -> None:
    few = trained(SHAPE, plan(tensor=4.0, pipeline=2.0, adapters=1.0), adapters(1.0, 1.0))
    assert float(few.plain[0]) == pytest.approx(32 * (ATTENTION + FEED) / 8, rel=1e-12)
    whole = trained(SHAPE, plan(adapters=0.0), Adapters())
    assert float(whole.plain[0]) == pytest.approx(8_030_000_000, rel=1e-3)


def test_adapters_move_what_their_matrices_read_and_write() -> None:
    # Three times 4,096 and 4,096 read, four times 6,144 and 4,096 written; feed-forward layers read 4,096 and 14,336.
    attention, feed = 3 * 8192 + 4 * (6144 + 4096), 3 * (4096 + 14336) + 4 * (2 * 14336 + 4096)
    for tensor in (1.0, 4.0):
        found = adapter_traffic(SHAPE, plan(tensor=tensor), adapters(1.0, 1.0))
        assert float(found[0]) == pytest.approx(8192 * (attention + feed) / tensor, rel=1e-12)
    assert float(adapter_traffic(SHAPE, plan(), Adapters())[0]) == 0.0
