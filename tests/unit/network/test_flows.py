"""Max-min fair shares that a person can compute."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.network.flows import max_min, max_min_reference


def solve(flows: list[dict[int, float]], capacities: list[float]) -> list[float]:
    starts = np.cumsum([0, *map(len, flows)])
    links = np.array([link for flow in flows for link in flow], dtype=np.int64)
    amounts = np.array([amount for flow in flows for amount in flow.values()])
    return max_min(starts, links, amounts, np.array(capacities)).tolist()


CASES = [
    # Flow 0 crosses links 0 and 1; link 0 (10) is shared by two: 5 each; flow 2 takes the rest of link 1 (20): 15.
    ([{0: 1.0, 1: 1.0}, {0: 1.0}, {1: 1.0}], [10.0, 20.0], [5.0, 5.0, 15.0]),
    # A chain: link 0 = 6 for three flows gives 2 each; link 1 = 10 leaves 8 to one; link 2 = 9 leaves 7.
    ([{0: 1, 1: 1}, {0: 1, 2: 1}, {0: 1}, {1: 1}, {2: 1}], [6.0, 10.0, 9.0], [2.0, 2.0, 2.0, 8.0, 7.0]),
    # Weights: a flow that takes 3 a level beside one that takes 1 of a link of 8 leaves both at level 2.
    ([{0: 3.0}, {0: 1.0}], [8.0], [2.0, 2.0]),
    # Coupled amounts: 2 of link 0 and 1/2 of link 1: min(10/2, 4/0.5) = 5, alone.
    ([{0: 2.0, 1: 0.5}], [10.0, 4.0], [5.0]),
    ([], [1.0], []),
    ([{}, {0: 1.0}], [4.0], [float("inf"), 4.0]),
]


@pytest.mark.parametrize(("flows", "capacities", "levels"), CASES)
def test_levels(flows: list[dict[int, float]], capacities: list[float], levels: list[float]) -> None:
    assert solve(flows, capacities) == pytest.approx(levels, rel=1e-12)
    assert max_min_reference(flows, capacities) == pytest.approx(levels, rel=1e-12)


def test_many_flows_on_one_link_leave_no_crumbs() -> None:
    flows = [{0: 1.0, 1 + i: 1.0} for i in range(997)]
    levels = solve(flows, [1.0] + [10.0] * 997)
    assert levels == pytest.approx([1.0 / 997] * 997, rel=1e-12)
