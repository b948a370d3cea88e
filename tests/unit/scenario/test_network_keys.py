"""Topologies and routing in the scenario file: what is accepted, what it stands for, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcsim.catalogue import resolve
from dcsim.errors import ScenarioError
from dcsim.estimate import feasibility
from dcsim.estimate.fabric_plan import fabric_layout
from dcsim.network.topologies.dragonfly import Dragonfly
from dcsim.network.topologies.leaf_spine import LeafSpine
from dcsim.network.topologies.rail_optimized import RailOptimized
from dcsim.network.topologies.torus import Torus
from dcsim.scenario.load import Loaded, load

BASE = """\
dcsim: 1
name: small
cluster:
  servers:
    - {name: train, type: dgx-h100, count: 4}
  network: NETWORK
  storage: {nodes: 3}
jobs:
  - {name: digits, model: mlp-mnist, batch: {global: 64, micro: 8}, parallel: {data: 8}, steps: 20}
"""


def loaded(folder: Path, network: str) -> Loaded:
    file = folder / "x.yaml"
    file.write_text(BASE.replace("NETWORK", network), "utf-8")
    return load(file)


@pytest.mark.parametrize(
    ("network", "topology", "policy"),
    [
        ("{}", None, "ecmp"),
        ("{topology: {kind: fat-tree}}", None, "ecmp"),
        ("{topology: leaf-spine, oversubscription: 3}", LeafSpine(64, 3.0), "ecmp"),
        ("{topology: leaf-spine, routing: adaptive, radix: 32}", LeafSpine(32), "adaptive"),
        ("{topology: rail-optimized}", RailOptimized(64), "rail-local"),
        ("{topology: rail-optimized, routing: ecmp}", RailOptimized(64), "ecmp"),
        ("{topology: {kind: rail-optimized, rails: 4}}", RailOptimized(64, rails=4), "rail-local"),
        ("{topology: torus}", Torus(), "dimension-order"),
        ("{topology: {kind: torus, dimensions: 2}}", Torus((), 2), "dimension-order"),
        ("{topology: {kind: torus, sizes: [4, 12], twist: 4}}", Torus((4, 12), twist=4), "ecmp"),
        ("{topology: dragonfly, routing: valiant}", Dragonfly(16, 32, 16, None, 64), "valiant"),
        (
            "{topology: {kind: dragonfly, hosts: 4, routers: 6, globals: 2, groups: 3}}",
            Dragonfly(4, 6, 2, 3, 64),
            "ecmp",
        ),
    ],
)
def test_a_network_is_what_the_keys_say(tmp_path: Path, network: str, topology: object, policy: str) -> None:
    found = loaded(tmp_path, network)
    layout = fabric_layout(found.scenario, resolve(found))
    assert layout.topology == topology
    assert layout.policy == policy


@pytest.mark.parametrize(
    ("network", "told"),
    [
        ("{topology: fat-treee}", '"fat-tree"'),
        ("{topology: {kind: hypercube}}", "one of fat-tree, leaf-spine"),
        ("{topology: {kind: torus, size: [4, 4]}}", 'did you mean "sizes"'),
        ("{topology: {kind: torus, sizes: [4]}}", "2"),
        ("{topology: {kind: torus, twist: 2}}", "sizes too"),
        ("{topology: leaf-spine, routing: valiant}", "ecmp, d-mod-k, static or adaptive"),
        ("{routing: rail-local}", "in a fat-tree"),
        ("{topology: {kind: rail-optimized, spine: false}, routing: ecmp}", "rail-local where no spine"),
        ("{routing: hot-potato}", "'ecmp'"),
        ("{queue_pairs: 0}", "at least 1"),
    ],
)
def test_slips_of_the_keys_are_told_with_their_line(tmp_path: Path, network: str, told: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        loaded(tmp_path, network)
    assert all(problem.line == 6 for problem in caught.value.problems)
    assert told.replace("'", '"') in str(caught.value).replace("'", '"')


@pytest.mark.parametrize(
    ("network", "told"),
    [
        # 4 servers of 8 cards and 3 storage nodes of 2: 38 hosts.
        ("{topology: {kind: torus, sizes: [2, 3, 5]}}", "2 x 3 x 5 = 30 places, expected a product of at least 38"),
        ("{topology: leaf-spine, radix: 4}", "at least 19 ports"),
        ("{topology: {kind: rail-optimized, spine: false}}", "8 cards, one a rail, in every server: one has 2"),
        ("{topology: {kind: dragonfly, hosts: 2, routers: 2, globals: 1}}", "at most routers x globals + 1 = 3"),
        ("{topology: {kind: dragonfly, hosts: 32, routers: 32, globals: 16}}", "at most 64 together"),
        ("{topology: {kind: dragonfly, hosts: 2, routers: 4, groups: 2}}", "at least 5 groups of 8 hosts"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path: Path, network: str, told: str) -> None:
    found = loaded(tmp_path, network)
    problems = list(feasibility.structure(found.scenario, resolve(found), found.problem))
    assert [problem.line for problem in problems] == [6]
    assert told in str(problems[0])
