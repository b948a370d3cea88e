"""How fast the network is: CPU time where the margin is tenfold, else ratios and counts."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from dcsim.engine import Clock, Streams
from dcsim.network.fabric import Fabric
from dcsim.network.flows import max_min, max_min_reference
from dcsim.network.layout import Endpoint, FabricLayout, InnerLink
from dcsim.network.links import Links
from dcsim.network.routing import NO_LINK, Router
from dcsim.network.topology import fat_tree
from dcsim.network.tree import freeze

pytestmark = pytest.mark.bench


def cpu_s(action: Callable[[], object]) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


def random_flows(radix: int, flows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (starts, links, capacities) of random connections over a tree."""
    tree = freeze(fat_tree(radix**3 // 4, 50e9, radix=radix))
    draw = np.random.default_rng(1)
    paths = Router(tree, "ecmp", 1).paths(draw.integers(0, tree.hosts, flows), draw.integers(0, tree.hosts, flows))
    paths = paths[paths[:, 0] != NO_LINK]
    used = paths != NO_LINK
    return np.concatenate(([0], np.cumsum(used.sum(axis=1)))), paths[used], tree.capacities


def test_a_tree_of_radix_32_is_built_within_a_second() -> None:
    assert cpu_s(lambda: freeze(fat_tree(8192, 50e9, radix=32))) < 1.0


def test_local_bottleneck_rounds_beat_filling_link_by_link() -> None:
    starts, links, capacities = random_flows(16, 1000)
    flows = [dict.fromkeys(links[a:b].tolist(), 1.0) for a, b in pairwise(starts)]
    levels: list[np.ndarray] = []
    fast = min(cpu_s(lambda: levels.append(max_min(starts, links, np.ones(len(links)), capacities))) for _ in range(5))
    slow = cpu_s(lambda: levels.append(np.array(max_min_reference(flows, capacities.tolist()))))
    assert levels[0] == pytest.approx(levels[-1], rel=1e-9)
    assert slow > 20 * fast


def test_random_traffic_of_8192_hosts_is_solved_in_a_few_rounds() -> None:
    # Seven rounds of some ten passes over the entries each, fewer and fewer of them: 40 passes were measured.
    starts, links, capacities = random_flows(32, 8192)
    one_pass = min(cpu_s(lambda: np.bincount(links, capacities[links], len(capacities))) for _ in range(20))
    assert (
        min(cpu_s(lambda: max_min(starts, links, np.ones(len(links)), capacities)) for _ in range(3)) < 200 * one_pass
    )


def test_ten_thousand_ring_steps_solve_once_and_need_five_events_each() -> None:
    clock = Clock()
    endpoints = tuple(Endpoint(f"train/{i}", 8, 50e9, 8, InnerLink(360e9, 3e-6)) for i in range(16))
    net = Fabric(clock, FabricLayout(endpoints, 50e9, hop_latency_s=1e-5), Streams(0))
    route = net.all_reduce([(s, a) for s in range(15) for a in range(8)])

    def steps():  # type: ignore[no-untyped-def]
        for _ in range(10_000):
            yield net.transfer(route, 25e6, "job")

    taken = cpu_s(lambda: clock.run(clock.process(steps())))
    print(f"\n10,000 transfers over a route of {len(route.links)} links: {1e6 * taken / 10_000:.0f} us of CPU each")
    assert net.solves == 1
    assert clock.events <= 5 * 10_000 + 10


def joined(servers: int, radix: int) -> FabricLayout:
    endpoints = tuple(Endpoint(f"train/{i}", 8, 50e9, 8, InnerLink(450e9, 1e-6)) for i in range(servers))
    return FabricLayout(endpoints, 50e9, radix=radix)


def test_building_a_tree_takes_a_time_in_proportion_to_its_links() -> None:
    """27,648 cards, k = 48, have 8 times the links of 3,456 cards, k = 24."""
    small, large = joined(432, 24), joined(3456, 48)
    assert Links(large).wiring.links == 8 * Links(small).wiring.links == 165_888
    assert cpu_s(lambda: Links(large)) < 3 * 8 * min(cpu_s(lambda: Links(small)) for _ in range(3))
