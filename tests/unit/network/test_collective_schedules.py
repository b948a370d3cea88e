"""Closed forms of every schedule against the schedule played flow by flow, where nobody else is on the links."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dcsim.engine import Clock, Streams
from dcsim.network.collectives import alpha_beta as form
from dcsim.network.fabric import Fabric
from dcsim.network.layout import Endpoint, FabricLayout, InnerLink
from dcsim.network.play import play
from dcsim.parallel import schedule, schedules
from dcsim.parallel.schedule import Schedule

RATE, HOP, SIZE = 10e9, 4e-6, 1e9


def fabric(ranks: int) -> Fabric:
    """A server for each rank, all on one switch: ports are shared, nothing else is."""
    endpoints = tuple(Endpoint(f"train/{i}", 1, RATE, 1) for i in range(ranks))
    return Fabric(Clock(), FabricLayout(endpoints, RATE, hop_latency_s=HOP, radix=64), Streams(3))


def played(made: Schedule, ranks: int, chunk_bytes: float) -> float:
    net = fabric(ranks)
    places = [(rank, 0, 0) for rank in range(ranks)]
    net.clock.run(net.clock.process(play(net, made, places, chunk_bytes * ranks, "a")))
    return net.clock.now


def chain(size: float, ranks: int, rate: float, hop: float) -> float:
    return form.chain_s(size, (ranks, 5), rate, hop)


Form = Callable[[float, int, float, float], float]
CASES: list[tuple[str, Callable[[int], Schedule], Callable[[int], int], Form, list[int]]] = [
    ("ring reduce-scatter", schedules.ring_reduce_scatter, lambda n: n, form.ring_half_s, [2, 5, 8]),
    ("ring all-gather", schedules.ring_all_gather, lambda n: n, form.ring_half_s, [2, 5, 8]),
    ("halving and doubling", schedules.halving_doubling_all_reduce, lambda n: n, form.halving_doubling_s, [2, 4, 8]),
    ("tree", schedule.tree_all_reduce, lambda _: 1, form.tree_all_reduce_s, [2, 5, 8]),
    ("direct all-to-all", schedules.direct_all_to_all, lambda n: n, form.direct_s, [2, 5, 8]),
    ("direct all-gather", schedules.direct_all_gather, lambda n: n, form.direct_s, [2, 5, 8]),
    ("direct reduce-scatter", schedules.direct_reduce_scatter, lambda n: n, form.direct_s, [2, 5, 8]),
    ("gather", schedules.direct_gather, lambda n: n, form.direct_s, [2, 5, 8]),
    ("Bruck", schedules.bruck_all_to_all, lambda n: n, form.bruck_s, [2, 5, 8, 13]),
    ("PAT all-gather", schedules.pat_all_gather, lambda n: n, form.pat_s, [2, 5, 8, 13]),
    ("PAT reduce-scatter", schedules.pat_reduce_scatter, lambda n: n, form.pat_s, [2, 5, 8]),
    ("broadcast", schedules.binomial_broadcast, lambda _: 1, form.binomial_s, [2, 5, 8]),
    ("reduce", schedules.binomial_reduce, lambda _: 1, form.binomial_s, [2, 5, 8]),
    ("chain broadcast", lambda n: schedules.chain_broadcast(n, 5), lambda _: 5, chain, [2, 4, 7]),
    ("chain reduce", lambda n: schedules.chain_reduce(n, 5), lambda _: 5, chain, [2, 4, 7]),
]


@pytest.mark.parametrize(
    ("make", "chunks", "closed", "ranks"),
    [pytest.param(m, c(n), f, n, id=f"{name} {n}") for name, m, c, f, many in CASES for n in many],
)
def test_played_flow_by_flow_it_takes_the_closed_form(
    make: Callable[[int], Schedule], chunks: int, closed: Form, ranks: int
) -> None:
    expected = closed(SIZE, ranks, RATE, HOP)
    assert played(make(ranks), ranks, SIZE / chunks) == pytest.approx(expected, rel=1e-9)
    assert form.rounds_s(make(ranks), SIZE / chunks, RATE, HOP) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("made", "ranks", "chunks"),
    [
        pytest.param(schedules.torus_all_reduce(2, 4), 8, 16, id="torus 2 x 4"),
        pytest.param(schedules.torus_all_reduce(3, 3), 9, 18, id="torus 3 x 3"),
        pytest.param(schedules.double_tree_all_reduce(8, 4), 8, 8, id="two trees of 8"),
        pytest.param(schedules.double_tree_all_reduce(13, 6), 13, 12, id="two trees of 13"),
        pytest.param(schedules.dissemination_barrier(6), 6, 6, id="barrier"),
        pytest.param(schedule.parameter_server(6, 2), 6, 2, id="servers"),
    ],
)
def test_rounds_of_any_schedule(made: Schedule, ranks: int, chunks: int) -> None:
    assert played(made, ranks, SIZE / chunks) == pytest.approx(form.rounds_s(made, SIZE / chunks, RATE, HOP), rel=1e-6)


def test_on_paper() -> None:
    # 2 x 3 hops of 1, and 2 x 7/8 of 8 at a rate of 2
    assert form.halving_doubling_s(8.0, 8, 2.0, 1.0) == 6 + 7
    # distances 1 to 4 of 5 ranks: bit 0 in 1 and 3, bit 1 in 2 and 3, bit 2 in 4; parts of 1 at a rate of 1
    assert form.bruck_s(5.0, 5, 1.0, 1.0) == 3 + 2 + 2 + 1
    assert form.in_switch_s(8.0, 4, 2.0, 1.0) == 1 + 5


@pytest.mark.parametrize("ranks", [2, 4, 8])
def test_what_a_switch_adds_and_multicasts(ranks: int) -> None:
    """The route of an all-reduce in the switch of a server: 1 + 1 / n payloads in and out of every port at once."""
    endpoint = Endpoint("train/0", ranks, RATE, ranks, InnerLink(100e9, HOP))
    net = Fabric(Clock(), FabricLayout((endpoint,), RATE, radix=64), Streams(3))
    route = net.trees([(0, rank) for rank in range(ranks)], 1.0 + 1.0 / ranks)
    net.clock.run(net.transfer(route, SIZE, "a", HOP))
    assert net.clock.now == pytest.approx(form.in_switch_s(SIZE, ranks, 100e9, HOP), rel=1e-9)


def test_the_torus_uses_both_directions_of_rings() -> None:
    """Both halves of the payload cross the ports at once, so on ports that they share a square torus gains nothing."""
    square = form.rounds_s(schedules.torus_all_reduce(4, 4), SIZE / 32, RATE, 0.0)
    assert square == pytest.approx(form.ring_share(16) * SIZE / RATE, rel=1e-9)
