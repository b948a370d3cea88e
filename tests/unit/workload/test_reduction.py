"""The all-reduce of real arrays by a schedule."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.errors import RunError
from dcsim.parallel.schedule import ring_all_reduce
from dcsim.workload.reduction import reduce


@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
def test_a_ring_sums(ranks: int) -> None:
    """Whole numbers add without rounding; 10 elements do not divide by 3 or 8."""
    rows = np.arange(ranks * 10, dtype=np.float32).reshape(ranks, 10)
    expected = rows.sum(axis=0)
    assert np.array_equal(reduce(rows, ring_all_reduce(ranks)), expected)


def test_the_order_of_a_sum_is_that_of_the_ring() -> None:
    """Chunk 0 starts at rank 0 and is added up along 1 and 2: (1e8 + 1) + -1e8 = 0 in float32."""
    rows = np.array([[1e8], [1.0], [-1e8]], np.float32)
    assert reduce(rows, ring_all_reduce(3))[0] == 0.0


def test_a_schedule_that_forgets_a_rank_is_an_error() -> None:
    with pytest.raises(RunError, match="different sums"):
        reduce(np.ones((2, 4), np.float32), (((0, 1, 0, "reduce"),),))
