"""Figures of networks: one point, many, equal values, zero, long names, none."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from dcsim.report import svg
from dcsim.report.figures import Drawing
from dcsim.report.figures.fabrics import BusRates, Shares, bus_bandwidth, collision_loss


def text(drawing: Drawing) -> str:
    page = svg.standalone(drawing)
    ElementTree.fromstring(page.encode())
    return page


def test_nothing_is_a_sentence() -> None:
    assert collision_loss([]).figure is None
    assert bus_bandwidth([], "an all-reduce").figure is None


@pytest.mark.parametrize("draws", [1, 10])
def test_collisions_name_the_network_that_loses_most(draws: int) -> None:
    good = Shares("rails", (1, 4), np.ones((2, draws)))
    bad = Shares("leaf-spine 1:7", (1, 4), np.array([[0.25] * draws, [0.5] * draws]))
    drawing = collision_loss([good, bad])
    assert drawing.title.startswith("With 1 queue pair leaf-spine 1:7 keeps 25 % of the ideal rate")
    assert "leaf-spine 1:7: 25 % with 1, 50 % with 4" in drawing.description
    assert "leaf-spine 1:7" in text(drawing)


def test_one_point_zero_and_long_names_are_drawn() -> None:
    assert text(collision_loss([Shares("a" * 200, (1,), np.zeros((1, 1)))]))
    assert text(bus_bandwidth([BusRates("b" * 200, np.array([1024.0]), np.array([1e9]))], "an all-reduce"))


def test_bus_bandwidth_says_what_the_largest_message_gets() -> None:
    sizes = 2.0 ** np.arange(10, 34)
    lines = [BusRates(f"{n} ranks", sizes, 4e11 * sizes / (sizes + n * 1e6)) for n in (8, 64, 512)]
    drawing = bus_bandwidth(lines, "an all-reduce")
    assert drawing.title.startswith("512 ranks reach 3")
    assert drawing.title.endswith("with 8 GiB")
    page = text(drawing)
    assert "32 MiB" in page
    many = [BusRates(f"{n}", np.geomspace(1, 1e12, 10_000), np.full(10_000, 1e9)) for n in range(20)]
    assert text(bus_bandwidth(many, "an all-reduce"))
