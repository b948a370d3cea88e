"""Jobs that reduce as a library does: by size, over the routes of the fabric, and what of it no kernel covers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dcsim.catalogue import Shelf
from dcsim.catalogue.fabrics import NetworkFabric
from dcsim.engine import Clock, Streams
from dcsim.errors import ScenarioError
from dcsim.estimate.exposure import collective_rows
from dcsim.estimate.library import LibraryPath, take
from dcsim.estimate.library import Path as Way
from dcsim.estimate.step import Busy, Join, Move
from dcsim.estimate.step_plan import timed_move
from dcsim.network.collectives import Interconnect, RankGroup, collective_time
from dcsim.network.collectives.standard import gpu_fabric
from dcsim.network.fabric import Fabric
from dcsim.network.layout import Endpoint, FabricLayout, InnerLink
from dcsim.parallel.program import Message
from dcsim.scenario.load import load
from dcsim.scenario.parallel import Library
from dcsim.simulate.prepare import prepare
from dcsim.workload.operation import Group

GB = 1e9
QUICKSTART = Path(__file__).parents[3] / "scenarios" / "quickstart.yaml"
SHELF = Shelf()
NET = Interconnect(gpu_fabric(SHELF, "nvlink4"), SHELF.take(NetworkFabric, "infiniband"), 50 * GB)


def fabric(servers: int, each: int) -> Fabric:
    inner = InnerLink(0.9 * 450 * GB, 1e-6)
    endpoints = tuple(Endpoint(f"train/{i}", each, 50 * GB, each, inner) for i in range(servers))
    return Fabric(Clock(), FabricLayout(endpoints, 50 * GB, efficiency=0.97, radix=64), Streams(3))


def way(servers: int, each: int, **named: str) -> LibraryPath:
    net = fabric(servers, each)
    places = [(server, rank) for server in range(servers) for rank in range(each)]
    ring, tree, switch = (
        net.all_reduce(places),
        net.trees(places, 2 * (each - 1) / each),
        net.trees(places, 1 + 1 / each),
    )
    library = Library.model_validate({"kind": "library", **named})
    paths = [Way(route, net.alone_rate(route)) for route in (ring, tree, switch)]
    return LibraryPath("all-reduce", RankGroup(servers * each, each), NET, library, *paths)


@pytest.mark.parametrize(("servers", "each"), [(1, 8), (1, 4), (2, 8), (4, 8)])
@pytest.mark.parametrize("size", [1e3, 1e6, 25e6, 1e9])
def test_alone_it_takes_what_the_closed_form_says(servers: int, each: int, size: float) -> None:
    found = way(servers, each)
    taken = take(found, size)
    expected = collective_time("all-reduce", size, found.group, NET)
    assert taken.algorithm == f"{expected.algorithm} {expected.protocol}"
    assert taken.latency_s + size / taken.path.rate_bytes_per_s == pytest.approx(float(expected.seconds), rel=1e-9)


def test_the_route_goes_with_the_algorithm() -> None:
    two = way(2, 8)
    assert take(two, 1e9).path is two.in_switch
    assert take(way(2, 8, algorithm="ring", protocol="simple"), 1e9).algorithm == "Ring Simple"
    tree = way(2, 8, algorithm="tree")
    assert take(tree, 1e9).path is tree.tree
    one = way(1, 8)
    assert take(one, 1e3).path is one.ring
    assert take(one, 1e9).path is one.in_switch


def test_a_slower_route_makes_the_collective_slower() -> None:
    found = way(1, 8)
    assert found.in_switch is not None
    slow = LibraryPath(
        "all-reduce", found.group, NET, found.named, found.ring, None, Way(found.in_switch.route, 10 * GB)
    )
    taken = take(slow, 1e9)
    assert taken.latency_s == float(collective_time("all-reduce", 1e9, found.group, NET).latency_s)


@pytest.mark.parametrize("size", [1e6, 25e6])
def test_a_link_at_a_fraction_of_its_rate_costs_what_its_bytes_take_longer(size: float) -> None:
    """A ring of cards at 30 %: latency and steps stay as they are, the bytes take 1 / 0.3 of their time."""
    found = way(2, 8, algorithm="ring")
    whole = found.ring.rate_bytes_per_s
    slow = replace(found, ring=Way(found.ring.route, 0.3 * whole, whole))
    before, after = take(found, size), take(slow, size)
    assert after.latency_s == before.latency_s
    gained_s = size / after.path.rate_bytes_per_s - size / before.path.rate_bytes_per_s
    assert gained_s == pytest.approx(size / whole * (1 / 0.3 - 1), rel=1e-9)


def test_a_message_of_a_plan_over_a_slow_link_takes_longer_too() -> None:
    """12 s by the model of the message, of which 10 bytes at 2 B/s explain 5; at half the rate they take 10."""
    route = fabric(2, 1).all_reduce([(0, 0), (1, 0)])
    message = Message("tensor", Group("permute", ("stage",), ((0, 1),)), (("stage", 2),), 10.0, 12.0)
    moves = [timed_move(message, {message.group: [Way(route, rate, 2.0)]}) for rate in (2.0, 1.0)]
    assert [move.latency_s for move in moves] == [7.0, 7.0]
    assert [move.seconds for move in moves] == [12.0, 17.0]


def test_what_trees_put_on_links() -> None:
    """2 servers of 4 ranks and cards: 1.25 payloads a port each way, and a quarter of one through each card."""
    net = fabric(2, 4)
    route = net.trees([(s, r) for s in range(2) for r in range(4)], 1.25)
    names = [row.link for row in net.link_table()]
    shares = {names[link]: share for link, share in zip(route.links.tolist(), route.share.tolist(), strict=True)}
    assert {share for name, share in shares.items() if " gpu " in name} == {1.25}
    assert {share for name, share in shares.items() if " nic " in name} == {0.25}
    assert len(shares) == 2 * 8 + 2 * 8
    assert net.alone_rate(route) == pytest.approx(min(0.9 * 450 / 1.25, 0.97 * 50 / 0.25) * GB)
    # Of four servers each sends 2 x 3/4 payloads, as a ring of servers does.
    four = fabric(4, 4)
    wide = four.trees([(s, r) for s in range(4) for r in range(4)], 1.25)
    assert four.alone_rate(wide) == pytest.approx(0.97 * 50 * 4 / 1.5 * GB)


def test_exposed_is_what_no_kernel_covers() -> None:
    """Kernels for 3 s, a collective of 2 s from 3 s on beside 1 s of kernels, another of 2 s after it."""
    route = fabric(1, 2).all_reduce([(0, 0), (0, 1)])

    def move(label: str) -> Move:
        return Move(label, route, 10.0, 0.5, 10.0 / 1.5, algorithm="Ring LL")

    stages = [Busy("backward", 3.0), move("gradients 0"), Busy("backward", 1.0), move("gradients 1"), Join()]
    (row,) = collective_rows(stages, "ring")
    assert (row.label, row.algorithm, row.times, row.size_bytes) == ("gradients", "Ring LL", 2, 10.0)
    assert (row.time_s, row.ideal_s, row.exposed_s) == pytest.approx((2.0, 1.5, 1.5))
    assert collective_rows([Busy("backward", 1.0)], "ring") == []
    named = collective_rows([Move("gradients 0", route, 10.0, 0.5, 10.0)], "ring")
    assert named[0].algorithm == "ring"
    assert np.isfinite(named[0].ideal_s)


def test_what_no_library_has_there_is_refused() -> None:
    keys = [
        "jobs.pretrain.parallel.reduce={kind: library, algorithm: in-switch}",
        "cluster.servers.train.type=dgx-a100",
    ]
    with pytest.raises(ScenarioError) as caught:
        prepare(load(QUICKSTART, keys))
    (problem,) = caught.value.problems
    assert "jobs.pretrain.parallel.reduce.algorithm: found in-switch, expected what NVLink 3" in str(problem)


def test_only_planned_jobs_ask_a_library_by_default() -> None:
    """The job "learn" of the quickstart sums its gradients around the ring that is simulated."""
    pretrain, learn = prepare(load(QUICKSTART)).jobs
    assert pretrain.library is not None
    assert learn.library is None
