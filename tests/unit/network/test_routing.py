"""Routes are real paths of the graph, follow their policy, and spread."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from dcsim.network.routing import NO_LINK, Policy, Router
from dcsim.network.topology import TreeShape, tree_graph
from dcsim.network.tree import freeze

SHAPES = [TreeShape.of_radix(4), TreeShape.balanced(4, 4, 8), TreeShape(3, 2, 3, 2, 5), TreeShape(4, 3, 1, 2, 2)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("policy", ["ecmp", "d-mod-k"])
def test_every_route_is_a_shortest_path(shape: TreeShape, policy: Policy) -> None:
    graph = tree_graph(shape, shape.hosts, 1.0)
    tree = freeze(graph)
    names = np.array(tree.names)
    sources, targets = (a.ravel() for a in np.meshgrid(np.arange(shape.hosts), np.arange(shape.hosts)))
    lengths = dict(nx.all_pairs_shortest_path_length(graph))
    for source, target, path in zip(sources, targets, Router(tree, policy, 5).paths(sources, targets), strict=True):
        hops = [name.split(" > ") for name in names[path[path != NO_LINK]]]
        assert len(hops) == lengths[f"host {source}"][f"host {target}"]
        places = [f"host {source}", *(high for _, high in hops)]
        assert [low for low, _ in hops] == places[:-1]
        assert places[-1] == f"host {target}"


def test_d_mod_k_chooses_by_the_target() -> None:
    # Target 27 of a 4,4,8 tree: edge uplink 27 mod 4 = 3, aggregation uplink (27 div 4) mod 4 = 2: core 3 * 4 + 2 = 14.
    tree = freeze(tree_graph(TreeShape.balanced(4, 4, 8), 128, 1.0))
    (path,) = Router(tree, "d-mod-k").paths(np.array([64]), np.array([27]))
    assert [tree.names[i] for i in path] == [
        "host 64 > edge 4.0",
        "edge 4.0 > agg 4.3",
        "agg 4.3 > core 14",
        "core 14 > agg 1.3",
        "agg 1.3 > edge 1.2",
        "edge 1.2 > host 27",
    ]


def test_ecmp_is_seeded_and_even() -> None:
    tree = freeze(tree_graph(TreeShape.of_radix(8), 128, 1.0))
    pairs = np.arange(16), np.arange(16) + 64
    sources, targets = (np.tile(ends, 1000) for ends in pairs)
    labels = np.repeat(np.arange(1000), 16)
    paths = Router(tree, "ecmp", 7).paths(sources, targets, labels)
    assert np.array_equal(paths, Router(tree, "ecmp", 7).paths(sources, targets, labels))
    assert not np.array_equal(paths, Router(tree, "ecmp", 8).paths(sources, targets, labels))
    # Each of 4 x 4 cores carries 1,000 of 16,000 connections of these hosts' pod, +- 5 standard deviations of 31.
    core_up = paths[:, 2] - tree.starts[4]
    counts = np.bincount(core_up % 16, minlength=16)
    assert np.all(np.abs(counts - 1000) < 155)


def test_two_connections_collide_as_often_as_chance_has_it() -> None:
    # Two hosts of one edge switch with 4 uplinks choose the same one with probability 1/4.
    tree = freeze(tree_graph(TreeShape.of_radix(8), 128, 1.0))
    labels = np.arange(20000)
    first, second = (
        Router(tree, "ecmp", 1).paths(np.full(20000, host), np.full(20000, 100 + host), labels)[:, 1] for host in (0, 1)
    )
    assert np.mean(first == second) == pytest.approx(0.25, abs=0.02)
