"""Transfers of two owners that meet on a link, by hand."""

from __future__ import annotations

import pytest

from dcsim.engine import Clock, Process, Streams
from dcsim.network.fabric import Fabric
from dcsim.network.layout import Endpoint, FabricLayout
from dcsim.network.meetings import MeetingRow

GB = 1e9


def fabric(latency_s: float = 0.0) -> Fabric:
    """Six servers of one card of 10 GB/s."""
    endpoints = tuple(Endpoint(f"train/{i}", 1, 10 * GB) for i in range(6))
    layout = FabricLayout(endpoints, 10 * GB, hop_latency_s=latency_s, policy="d-mod-k", radix=12)
    return Fabric(Clock(), layout, Streams(3))


def met(net: Fabric, *transfers: tuple[float, tuple[int, int], float, str]) -> list[MeetingRow]:
    """Begin each (time, ends, bytes, owner) and return whom they met."""
    net.meetings.rows()

    def one(start_s: float, ends: tuple[int, int], size: float, owner: str) -> Process:
        yield net.clock.until(start_s)
        yield net.transfer(net.between((ends[0], 0), (ends[1], 0)), size, owner)

    net.clock.run(net.clock.all_of([net.clock.process(one(*each)) for each in transfers]))
    return net.meetings.rows()


def test_each_is_timed_from_the_moment_at_which_the_other_comes() -> None:
    # a: 1 GB from 0, alone until 0.05, then half the rate: 0.5 GB left take 0.1 s instead of 0.05. b: 1 GB from 0.05,
    # 0.5 GB by 0.15, the rest alone: 0.15 s instead of 0.1.
    rows = met(fabric(), (0.0, (0, 3), GB, "a"), (0.05, (1, 3), GB, "b"))
    assert [(row.job, row.other, row.transfers) for row in rows] == [("a", "b", 1), ("b", "a", 1)]
    assert rows[0][3:] == pytest.approx((0.1, 0.05, 2.0), rel=1e-9)
    assert rows[1][3:] == pytest.approx((0.15, 0.1, 1.5), rel=1e-9)


def test_the_latency_that_is_left_counts_as_time_alone() -> None:
    # a begins to flow at 0.2; b comes at 0.1 and begins to flow at 0.3: 1 GB of 2 is left. a then shares until 0.5.
    rows = met(fabric(0.2), (0.0, (0, 3), 2 * GB, "a"), (0.1, (1, 3), GB, "b"))
    assert rows[0][3:] == pytest.approx((0.4, 0.1 + 0.2, 4 / 3), rel=1e-9)
    # b: 0.2 s of latency, 1 GB at half the rate.
    assert rows[1][3:] == pytest.approx((0.4, 0.3, 4 / 3), rel=1e-9)


def test_who_does_not_meet_has_no_row() -> None:
    apart = (0.0, (0, 3), GB, "a"), (0.0, (1, 4), GB, "b")
    later = (0.0, (0, 3), GB, "a"), (0.1, (1, 3), GB, "b")
    own = (0.0, (0, 3), GB, "a"), (0.0, (1, 3), GB, "a")
    assert met(fabric(), *apart) == []
    assert met(fabric(), *own) == []
    assert met(fabric(), (later[0]), (0.2, (1, 3), GB, "b")) == []


def test_with_three_each_is_blamed_for_all_of_it() -> None:
    rows = met(fabric(), *((0.0, (i, 3), GB, name) for i, name in enumerate("abc")))
    assert len(rows) == 6
    assert all(row.slowdown == pytest.approx(3.0, rel=1e-9) for row in rows)


def test_a_transfer_that_is_dropped_counts_for_nobody() -> None:
    net = fabric()
    net.clock.call_at(0.05, lambda: net.cancel("b"))
    net.meetings.rows()
    net.transfer(net.between((1, 0), (3, 0)), GB, "b")
    rows = met(net, (0.0, (0, 3), GB, "a"))
    # 0.25 GB by 0.05, the rest alone: 0.125 s instead of 0.1.
    assert [row[:3] for row in rows] == [("a", "b", 1)]
    assert rows[0][3:] == pytest.approx((0.125, 0.1, 1.25), rel=1e-9)
