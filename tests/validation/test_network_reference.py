"""Simulated times of an independent flow-level simulator (SimGrid 3.32, model CM02, TCP-gamma 0, cross traffic off).

Three-level trees (hosts per edge switch, edge switches per pod, pods) of 50 GB/s a link and direction, as many up- as
down-ports, D-mod-k routing; a flow pays 0.5 us a link of its path and then shares links max-min fairly, weighted by
the inverse of that latency, which is what CM02 takes for the unfairness of TCP between round-trip times. (dcsim weighs
connections alike unless told otherwise; only the churn, where paths of all lengths meet, tells the two apart: 0.4 %.)
"""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from dcsim.engine import Clock, Process, Streams
from dcsim.network.collectives import ring_all_reduce_s, ring_share
from dcsim.network.fabric import Fabric
from dcsim.network.layout import Endpoint, FabricLayout
from dcsim.network.play import play
from dcsim.network.route import Routes
from dcsim.network.topology import TreeShape
from dcsim.parallel.schedule import ring_all_reduce

TREES = {64: (4, 4, 8), 128: (4, 4, 8), 256: (8, 8, 16), 1024: (8, 8, 16), 4096: (16, 16, 16)}
LINK_S = 0.5e-6
HOP_S = 6 * LINK_S


def fabric(hosts: int) -> Fabric:
    endpoints = tuple(Endpoint(f"host/{i}", 1, 50e9) for i in range(hosts))
    shape = TreeShape.balanced(*TREES[hosts])
    layout = FabricLayout(endpoints, 50e9, hop_latency_s=HOP_S, shape=shape, policy="d-mod-k")
    return Fabric(Clock(), layout, Streams(0))


def connections(net: Fabric, sources: list[int], targets: list[int]) -> Routes:
    routes = net.connections([(i, 0, 0) for i in sources], [(i, 0, 0) for i in targets])
    return replace(routes, weights=1.0 / routes.sizes, latency_s=routes.sizes * LINK_S)


def permutation(hosts: int, kind: str) -> list[tuple[int, int, float]]:
    """Return (source, target, bytes) of every flow."""
    if kind == "shift":
        return [(i, (i + hosts // 2) % hosts, 1e9) for i in range(hosts)]
    targets = list(range(hosts))
    random.Random(42).shuffle(targets)
    sizes = [float(int(0.5e9 + 1e9 * i / hosts)) if kind == "mixed" else 1e9 for i in range(hosts)]
    return [(i, targets[i], sizes[i]) for i in range(hosts) if targets[i] != i]


def permutation_s(hosts: int, kind: str) -> float:
    net = fabric(hosts)
    sources, targets, sizes = zip(*permutation(hosts, kind), strict=True)
    routes = connections(net, list(sources), list(targets))
    net.clock.run(net.transfers(routes, np.array(sizes), "all"))
    assert net.sent_bytes == pytest.approx(net.received_bytes, rel=1e-12)
    return net.clock.now


def churn_s(hosts: int, flows: int) -> float:
    """Every host sends ``flows`` flows of 100 MB to random others, one after the other, all hosts at once."""
    net, draw = fabric(hosts), random.Random(7)
    targets = [(i + 1 + draw.randrange(hosts - 1)) % hosts for i in range(hosts) for _ in range(flows)]
    routes = connections(net, [i for i in range(hosts) for _ in range(flows)], targets)
    size = np.array([1e8])

    def sender(host: int) -> Process:
        for i in range(host * flows, (host + 1) * flows):
            yield net.transfers(routes, size, "all", np.array([i]))

    net.clock.run(net.clock.all_of([net.clock.process(sender(host)) for host in range(hosts)]))
    assert net.sent_bytes == pytest.approx(net.received_bytes, rel=1e-12)
    return net.clock.now


def ring_s(hosts: int) -> float:
    """A ring all-reduce of 1 GB flow by flow, with whole bytes a chunk and a barrier a round."""
    net = fabric(hosts)
    plan = net.rings([(i, 0) for i in range(hosts)])
    net.clock.run(net.clock.process(play(net, ring_all_reduce(hosts), plan.order(0), whole_bytes(hosts), "ring")))
    return net.clock.now


def whole_bytes(hosts: int) -> float:
    return float(hosts * (10**9 // hosts))


PERMUTATIONS = {
    ("shift", 128): 0.020003000,
    ("shift", 1024): 0.020003000,
    ("random", 128): 0.060003000,
    ("random", 1024): 0.100003000,
    ("mixed", 128): 0.077503000,
    ("mixed", 1024): 0.128733469,
}
LARGE_PERMUTATIONS = {("shift", 4096): 0.020003000, ("random", 4096): 0.120003000, ("mixed", 4096): 0.146594797}
RINGS = {64: 0.039753000, 256: 0.041373750, 1024: 0.046098917}


@pytest.mark.parametrize(("case", "expected_s"), PERMUTATIONS.items())
def test_permutations(case: tuple[str, int], expected_s: float) -> None:
    assert permutation_s(case[1], case[0]) == pytest.approx(expected_s, rel=1e-6)


@pytest.mark.bench
@pytest.mark.parametrize(("case", "expected_s"), LARGE_PERMUTATIONS.items())
def test_large_permutations(case: tuple[str, int], expected_s: float) -> None:
    assert permutation_s(case[1], case[0]) == pytest.approx(expected_s, rel=1e-6)


@pytest.mark.bench
@pytest.mark.parametrize(("hosts", "flows", "expected_s"), [(1024, 20, 0.117283637), (4096, 10, 0.064313350)])
def test_churn(hosts: int, flows: int, expected_s: float) -> None:
    assert churn_s(hosts, flows) == pytest.approx(expected_s, rel=1e-6)


BENCH = pytest.mark.bench


@pytest.mark.parametrize("hosts", [64, pytest.param(256, marks=BENCH), pytest.param(1024, marks=BENCH)])
def test_rings_flow_by_flow(hosts: int) -> None:
    assert ring_s(hosts) == pytest.approx(RINGS[hosts], rel=1e-6)


@pytest.mark.parametrize(("hosts", "expected_s"), RINGS.items())
def test_rings_as_one_route(hosts: int, expected_s: float) -> None:
    net = fabric(hosts)
    route = net.all_reduce([(i, 0) for i in range(hosts)])
    net.clock.run(net.transfer(route, whole_bytes(hosts), "ring"))
    assert net.clock.now == pytest.approx(expected_s, rel=1e-6)
    rate = net.alone_rate(route) * ring_share(hosts)
    assert ring_all_reduce_s(whole_bytes(hosts), hosts, rate, route.latency_s) == pytest.approx(expected_s, rel=1e-6)
