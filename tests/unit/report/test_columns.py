"""Plain text tables."""

from __future__ import annotations

from dcsim.report.columns import columns


def test_columns_are_as_wide_as_their_widest_cell_and_numbers_stand_right() -> None:
    text = columns(("part", "W"), [("fan", "7"), ("accelerator", "700")], right=(1,))
    assert text.splitlines() == [
        "part           W",
        "fan            7",
        "accelerator  700",
    ]


def test_no_line_ends_in_blanks() -> None:
    assert columns(("a", "source"), [("1", "")]).splitlines() == ["a  source", "1"]
