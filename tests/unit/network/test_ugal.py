"""UGAL on a dragonfly: closed forms under the worst traffic, and never worse than minimal paths or Valiant's alone.

Balanced, p = 2 hosts a router, a = 4 routers a group, h = 2 cables of a router to other groups: g = a h + 1 = 9 groups,
one cable between any two, all links of one rate. Each group sends all it has to one other (Kim et al., ISCA 2008): to
the a-th after it, whose cables are at the same routers everywhere, so that third groups hand on without a local hop; or
to the next one, where all that a router hands on goes over the one link to its neighbor.
"""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.network.graph_routing import GraphRouter
from dcsim.network.next_hops import NextHops
from dcsim.network.route import RouteBuilder
from dcsim.network.routing import Ends, Policy
from dcsim.network.spraying import Flows
from dcsim.network.topologies.base import Cards
from dcsim.network.topologies.dragonfly import Dragonfly
from dcsim.network.tree import Floats
from dcsim.network.ugal import Loads, Ugal, even_share, needed_share, shares
from dcsim.network.wiring import Wiring, wire

P, A, H = 2, 4, 2
G = A * H + 1
HOSTS = G * A * P
WIRING: Wiring = wire(Dragonfly(P, A, H).graph(Cards.alike(HOSTS, 1, 1.0)))
TABLES = NextHops(WIRING)


def shifted(groups: int, hosts: int = HOSTS) -> Ends:
    return np.arange(hosts), (np.arange(hosts) + groups * A * P) % HOSTS


def throughput(policy: Policy, ends: Ends, amounts: Floats | None = None) -> float:
    """The rate of the coupled flows over the links' rate."""
    builder = RouteBuilder()
    GraphRouter(TABLES, policy, 1).lay(builder, ends, 0, np.ones(len(ends[0])) if amounts is None else amounts)
    route = builder.build(1.0, 0.0)
    return float(np.min(WIRING.capacities[route.links] / route.share))


def by_third_groups(ends: Ends) -> float:
    """The same with all that goes between groups by third ones."""
    zeros = np.zeros(len(ends[0]), np.int64)
    flows = Flows(WIRING.attached[ends[0]], WIRING.attached[ends[1]], np.ones(len(ends[0])), zeros)
    ways = Ugal(TABLES, np.zeros(WIRING.links)).ways(flows, np.zeros(len(ends[0])), 0.0)
    led = {int(tag) for tag in ways.detour.tags}
    all_led = np.array([float(pair in led) for pair in range(len(ways.shares))])
    links, amounts = ways._replace(shares=all_led).laid()
    own = [np.max(np.bincount(hosts)) for hosts in ends]
    return float(1.0 / max(np.max(np.bincount(links, amounts)), *own))


@pytest.mark.parametrize("groups", [1, A])
def test_the_worst_traffic_takes_minimal_paths_down_to_one_cable(groups: int) -> None:
    """a p hosts share the one cable to the other group: 1 / (a p), which is 1 / (a h) as p = h."""
    assert throughput("adaptive", shifted(groups)) == pytest.approx(1 / (A * P), rel=1e-9)


def test_third_groups_carry_about_half() -> None:
    """Twice a p over the g - 2 cables to third groups: (g - 2) / (2 a p) = 1/2 (1 - 1 / (a h)).

    To the next group a local link has h a p / (g - 2) to hand on, and p h / (g - 2) in the first and last group each.
    """
    assert by_third_groups(shifted(A)) == pytest.approx((G - 2) / (2 * A * P), rel=1e-9)
    assert by_third_groups(shifted(1)) == pytest.approx((G - 2) / (H * A * P + 2 * P * H), rel=1e-9)


def test_ugal_fills_the_direct_cable_and_those_to_third_groups_alike() -> None:
    """f by third groups: a p (1 - f) on the direct cable, 2 a p f / (g - 2) on others: g / (2 a p) = 1/2 (1 + 1/(a h)).

    To the next group 8 (1 - f) = 24 f / 7: f = 7/10, and 5/12 of what all links could carry.
    """
    assert throughput("ugal", shifted(A)) == pytest.approx(G / (2 * A * P), rel=1e-9)
    assert throughput("ugal", shifted(1)) == pytest.approx(5 / 12, rel=1e-9)


def test_ugal_takes_minimal_paths_where_these_are_free() -> None:
    """One flow, flows inside groups, and all-to-all, of which every cable has 2 p a / g of what a host sends."""
    every = np.repeat(np.arange(HOSTS), HOSTS), np.tile(np.arange(HOSTS), HOSTS)
    inside = np.arange(HOSTS), np.arange(HOSTS) // (A * P) * A * P + (np.arange(HOSTS) + P) % (A * P)
    for ends in ((np.array([0]), np.array([HOSTS - 1])), inside, every):
        built = [RouteBuilder(), RouteBuilder()]
        for builder, policy in zip(built, ("adaptive", "ugal"), strict=True):
            GraphRouter(TABLES, policy).lay(builder, ends, 0, np.ones(len(ends[0])))  # type: ignore[arg-type]
        minimal, ugal = (builder.build(1.0, 0.0) for builder in built)
        assert np.array_equal(minimal.links, ugal.links)
        assert ugal.share == pytest.approx(minimal.share, rel=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_ugal_is_no_worse_than_the_better_of_both(seed: int) -> None:
    draws = np.random.default_rng(seed)
    some = draws.permutation(HOSTS)[: int(draws.integers(8, HOSTS))]
    other = (some + A * P * int(draws.integers(1, G))) % HOSTS
    ends = some, np.where(draws.random(len(some)) < 0.5, other, draws.permutation(HOSTS)[: len(some)])
    better = max(throughput("adaptive", ends), by_third_groups(ends))
    assert throughput("ugal", ends) >= better * (1 - 1e-9)


def test_a_quiet_pair_of_groups_stays_on_its_cable_beside_a_loud_one() -> None:
    """Group 0 sends all to group 1, one host of group 2 to group 3: that one keeps the minimal path."""
    loud, quiet = shifted(1, A * P), (np.array([2 * A * P]), np.array([3 * A * P]))
    ends = np.append(loud[0], quiet[0]), np.append(loud[1], quiet[1])
    flows = Flows(WIRING.attached[ends[0]], WIRING.attached[ends[1]], np.ones(9), np.zeros(9, np.int64))
    ways = Ugal(TABLES, np.zeros(WIRING.links)).ways(flows, np.zeros(9), 1.0)
    assert ways.shares[1] == 0.0
    # 8 (1 - f) on the direct cable, which is to carry no more than a host's own: f = 7/8.
    assert ways.shares[0] == pytest.approx(7 / 8, rel=1e-9)


def test_bytes_leave_and_arrive() -> None:
    """At every router what comes in goes out, and every host sends and hears one."""
    builder = RouteBuilder()
    GraphRouter(TABLES, "ugal").lay(builder, shifted(1), 0, np.ones(HOSTS))
    route = builder.build(1.0, 0.0)
    balance = np.zeros(len(WIRING.nodes) + 1)
    np.add.at(balance, WIRING.heads[route.links], route.share)
    np.subtract.at(balance, WIRING.tails[route.links], route.share)
    assert balance[:-1] == pytest.approx(0.0, abs=1e-9)


def test_a_dead_cable_is_left_to_third_groups() -> None:
    alive = np.ones(WIRING.links, dtype=bool)
    groups = WIRING.groups
    between = (WIRING.tails >= 0) & (WIRING.heads >= 0)
    dead = np.flatnonzero(between & (groups[WIRING.tails] == 0) & (groups[WIRING.heads] == 1))
    alive[dead] = False
    builder = RouteBuilder()
    GraphRouter(NextHops(WIRING, alive), "ugal").lay(builder, shifted(1, A * P), 0, np.ones(A * P))
    assert not len(np.intersect1d(builder.build(1.0, 0.0).links, dead))


def test_the_best_share_is_exact() -> None:
    """Lines from 4 to 0 and from 0 to 2 cross at 2/3; a third one of 1.5 throughout hides them from 5/8 on."""
    assert even_share(np.array([4.0, 0.0]), np.array([0.0, 2.0])) == pytest.approx(2 / 3, rel=1e-12)
    assert even_share(np.array([1.0, 0.0]), np.array([1.0, 3.0])) == 0.0
    assert even_share(np.array([3.0, 1.0]), np.array([0.5, 1.0])) == pytest.approx(1.0)
    assert needed_share(np.array([4.0, 0.0]), np.array([0.0, 2.0]), np.full(2, 1.5)) == pytest.approx(5 / 8, rel=1e-12)


def test_pairs_that_have_no_detour_keep_their_paths() -> None:
    loads = Loads(np.array([0, 1]), np.array([0, 0]), np.array([2.0, 1.0]), np.array([0.0, 0.5]), 1)
    assert shares(loads, 2, 0.0) == pytest.approx([0.0, 1.0])
