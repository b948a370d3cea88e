"""The heat map of links: the hottest survives in its cell."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.report.figures.heat import cells


@pytest.mark.parametrize("count", [1, 2, 119, 121, 5000])
def test_no_peak_is_lost_between_cells(count: int) -> None:
    for hot in {0, count // 2, count - 1}:
        loads = np.zeros(count)
        loads[hot] = 0.7
        assert cells(loads).max() == 0.7
    assert cells(np.full(count, 0.3)).tolist() == [0.3] * 120
