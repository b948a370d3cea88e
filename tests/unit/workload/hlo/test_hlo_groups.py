"""The four spellings of replica groups."""

from __future__ import annotations

import pytest

from dcsim.workload.hlo.groups import groups, pairs
from dcsim.workload.hlo.scanner import SyntaxProblem


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{0,4},{1,5}}", ((0, 4), (1, 5))),
        ("{{0,1,2,3}}", ((0, 1, 2, 3),)),
        ("{}", ((0, 1, 2, 3, 4, 5, 6, 7),)),
        ("[2,4]<=[8]", ((0, 1, 2, 3), (4, 5, 6, 7))),
        # 0..7 as two rows of four, transposed: 0 4 1 5 2 6 3 7, cut in twos
        ("[4,2]<=[2,4]T(1,0)", ((0, 4), (1, 5), (2, 6), (3, 7))),
        # 0..7 as 2 x 2 x 2, its axes in the order 1, 0, 2: 0 1 4 5 2 3 6 7
        ("[2,4]<=[2,2,2]T(1,0,2)", ((0, 1, 4, 5), (2, 3, 6, 7))),
        ("mesh['axis_0'=8,'axis_1'=1] {'axis_0'}", ((0, 1, 2, 3, 4, 5, 6, 7),)),
        ("mesh['data'=2,'model'=4] {'model'}", ((0, 1, 2, 3), (4, 5, 6, 7))),
        ("mesh['data'=2,'model'=4] {'data'}", ((0, 4), (1, 5), (2, 6), (3, 7))),
        # the axis named first is the outer one within a group
        ("mesh['a'=2,'b'=2,'c'=2] {'c','a'}", ((0, 4, 1, 5), (2, 6, 3, 7))),
    ],
)  # fmt: skip
def test_every_spelling(text: str, expected: tuple[tuple[int, ...], ...]) -> None:
    assert groups(text, 8) == expected


def test_large_groups_are_every_device_once() -> None:
    found = groups("[64,64]<=[64,64]T(1,0)", 4096)
    assert found[1][:3] == (1, 65, 129)
    assert sorted(device for group in found for device in group) == list(range(4096))


@pytest.mark.parametrize(
    "text",
    ["[8,8]<=[8,8]P(1,0)", "[4,2]<=[9]", "[4,2]<=[2,4]T(1,1)", "mesh['a'=2] {'b'}", "devices(0,1)", "", "{0,1}"],
)
def test_any_other_is_refused(text: str) -> None:
    with pytest.raises(SyntaxProblem):
        groups(text, 8)


def test_pairs_of_a_permutation() -> None:
    assert pairs("{{0,1},{1,0}}") == ((0, 1), (1, 0))
    with pytest.raises(SyntaxProblem):
        pairs("{{0,1,2}}")
