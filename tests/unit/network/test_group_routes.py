"""Collectives over the axes of a mesh: what they put on each link, and how long they take."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.engine import Clock, Streams
from dcsim.network import groups as grouped
from dcsim.network.fabric import Fabric
from dcsim.network.layout import Endpoint, FabricLayout, InnerLink
from dcsim.network.route import Route
from dcsim.parallel.mesh import Mesh, groups, sent_factor
from dcsim.workload.operation import CollectiveKind, Group

GB = 1e9
HOP_S, INNER_S = 4e-6, 1e-6
MESH: Mesh = (("data", 6), ("model", 4))  # six servers of four accelerators and four cards
RANKS = [(server, accelerator) for server in range(6) for accelerator in range(4)]


def fabric(radix: int | None = 64) -> Fabric:
    inner = InnerLink(100 * GB, INNER_S)
    endpoints = tuple(Endpoint(f"train/{i}", 4, 10 * GB, 4, inner) for i in range(6))
    return Fabric(Clock(), FabricLayout(endpoints, 10 * GB, hop_latency_s=HOP_S, radix=radix), Streams(3))


def route(net: Fabric, kind: CollectiveKind, *axes: str, pairs: tuple[tuple[int, int], ...] = ()) -> Route:
    group = Group(kind, axes, pairs)
    return net.collective(RANKS, groups(MESH, group), group)


def loads(net: Fabric, found: Route, tier: str) -> list[float]:
    """What a byte of payload puts on the links of a tier, those without any left out."""
    return sorted(found.share[np.isin(found.links, net.tiers[tier])].tolist())


def sent(net: Fabric, found: Route) -> float:
    """Bytes out of cards and ports for a byte of payload: half of what is on them, as each hop has two ends."""
    return sum(loads(net, found, "host") + loads(net, found, "nvlink")) / 2


def test_groups_are_the_ranks_that_differ_along_the_axes() -> None:
    assert groups(MESH, Group("all-reduce", ("model",))).tolist()[:2] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert groups(MESH, Group("all-reduce", ("data",))).tolist()[0] == [0, 4, 8, 12, 16, 20]
    assert groups(MESH, Group("all-reduce", ("data", "model"))).tolist() == [list(range(24))]
    assert groups((("a", 2), ("b", 2), ("c", 2)), Group("all-to-all", ("c", "a"))).tolist() == [
        [0, 4, 1, 5],
        [2, 6, 3, 7],
    ]


def test_rings_inside_servers_use_their_ports_alone() -> None:
    net = fabric()
    found = route(net, "all-reduce", "model")
    assert loads(net, found, "nvlink") == pytest.approx([2 * 3 / 4] * 48)
    assert loads(net, found, "host") == []
    assert found.latency_s == pytest.approx(2 * 3 * INNER_S)
    assert net.alone_rate(found) == pytest.approx(100 * GB / 1.5)


def test_rings_along_the_outer_axis_have_a_card_each() -> None:
    net = fabric()
    found = route(net, "all-reduce", "data")
    assert loads(net, found, "host") == pytest.approx([2 * 5 / 6] * 48)
    assert loads(net, found, "nvlink") == []
    assert found.latency_s == pytest.approx(2 * 5 * HOP_S)


def test_a_ring_over_the_whole_mesh_is_that_of_all_ranks() -> None:
    net = fabric()
    found, whole = route(net, "all-reduce", "data", "model"), net.all_reduce(RANKS)
    assert found.links.tolist() == whole.links.tolist()
    assert found.share.tolist() == whole.share.tolist()
    assert (found.weight, found.latency_s) == (whole.weight, whole.latency_s)


@pytest.mark.parametrize("axes", [("model",), ("data",), ("data", "model")])
@pytest.mark.parametrize("kind", ["all-gather", "reduce-scatter"])
def test_half_a_ring_has_half_the_bytes_and_half_the_rounds(kind: CollectiveKind, axes: tuple[str, ...]) -> None:
    net = fabric()
    half, whole = route(net, kind, *axes), route(net, "all-reduce", *axes)
    assert half.share == pytest.approx(whole.share / 2)
    assert half.latency_s == pytest.approx(whole.latency_s / 2)
    assert half.weight == pytest.approx(whole.weight * 2)


@pytest.mark.parametrize("kind", ["all-reduce", "all-gather", "reduce-scatter", "all-to-all"])
@pytest.mark.parametrize("axes", [("model",), ("data",), ("model", "data")])
def test_every_rank_sends_what_the_closed_form_says(kind: CollectiveKind, axes: tuple[str, ...]) -> None:
    net = fabric()
    expected = 24 * sent_factor(MESH, Group(kind, axes))
    # A ring over several servers passes the network once a server; its other hops are inside.
    assert sent(net, route(net, kind, *axes)) == pytest.approx(expected)


def test_an_all_to_all_goes_straight_to_everyone() -> None:
    """Of 24 parts a rank sends 3 to its own server and 20 to others; it keeps one."""
    net = fabric()
    found = route(net, "all-to-all", "data", "model")
    assert loads(net, found, "nvlink") == pytest.approx([3 / 24] * 48)
    assert loads(net, found, "host") == pytest.approx([20 / 24] * 48)
    assert found.latency_s == HOP_S


def test_very_many_connections_fill_the_uplinks_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    net = fabric(radix=6)  # three hosts an edge switch, nine a pod: all tiers carry something
    exact = route(net, "all-to-all", "data", "model")
    monkeypatch.setattr(grouped, "_PAIRS", 0)
    even = route(net, "all-to-all", "data", "model")
    for tier in ("host", "nvlink"):
        assert loads(net, even, tier) == pytest.approx(loads(net, exact, tier))
    assert even.latency_s == exact.latency_s
    for tier in ("edge", "core"):
        assert max(loads(net, even, tier)) <= max(loads(net, exact, tier))
        # Switches of a server's cards differ here, so what stays below a switch is told from the first card alone.
        assert sum(loads(net, even, tier)) == pytest.approx(sum(loads(net, exact, tier)), rel=0.15)


@pytest.mark.parametrize(
    "dead",
    [
        ["edge 0.0 > agg 0.1"],
        ["agg 0.0 > core 1", "core 5 > agg 1.1"],
        ["edge 1.0 > agg 1.0", "agg 1.0 > core 2", "edge 0.1 > agg 0.0"],
        ["edge 0.2 > agg 0.0", "edge 0.2 > agg 0.1", "edge 0.2 > agg 0.2"],  # cut off: it stalls
    ],
)
def test_very_many_connections_divide_over_the_ways_that_are_left(
    dead: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against spraying, which divides every connection over the ways that are left, one by one."""
    endpoints = tuple(Endpoint(f"train/{i}", 1, 10 * GB, 1) for i in range(18))
    layout = FabricLayout(endpoints, 10 * GB, hop_latency_s=HOP_S, radix=6, policy="adaptive", detection_s=1.0)
    ranks, mesh = [(i, 0) for i in range(18)], (("a", 3), ("b", 6))
    for axes in (("a", "b"), ("b",), ("a",)):
        net = Fabric(Clock(), layout, Streams(3))
        group = Group("all-to-all", axes)
        laid = []
        for pairs in (2**18, 0):
            monkeypatch.setattr(grouped, "_PAIRS", pairs)
            laid.append(net.collective(ranks, groups(mesh, group), group))
        for cable in dead:
            net.outage.impair(cable, net.cable(cable), 0.0)
        net.clock.run(2.0)  # routing knows
        exact, even = (net.current(found) for found in laid)
        used = np.zeros((2, len(net.capacities)))
        for row, found in zip(used, (exact, even), strict=True):
            row[found.links] = found.share
        assert used[1] == pytest.approx(used[0], rel=1e-9, abs=1e-12)
        lives = net.capacities * (net.alone_rate(exact) > 0.0)
        assert (net.alone_rate(even) > 0.0) == bool(lives.any())
        assert even.latency_s == exact.latency_s


def test_a_permutation_is_point_to_point() -> None:
    net = fabric()
    shift = tuple((i, (i + 1) % 6) for i in range(6))
    found = route(net, "permute", "data", pairs=shift)
    assert loads(net, found, "host") == pytest.approx([1.0] * 48)
    assert found.latency_s == HOP_S
    inner = route(net, "permute", "model", pairs=((0, 1),))
    assert loads(net, inner, "nvlink") == pytest.approx([1.0] * 12)  # one pair in each of six servers
    assert inner.latency_s == INNER_S


def test_a_permutation_that_moves_nothing_uses_no_link() -> None:
    assert not len(route(fabric(), "permute", "model", pairs=((1, 1),)).links)
