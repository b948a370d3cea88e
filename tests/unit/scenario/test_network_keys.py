"""Topologies and routing in the scenario file: what is accepted, what it stands for, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcsim.catalogue import resolve
from dcsim.errors import ScenarioError
from dcsim.estimate import feasibility
from dcsim.estimate.fabric_plan import fabric_layout
from dcsim.network.topologies.dragonfly import Dragonfly
from dcsim.network.topologies.dual_plane import DualPlane
from dcsim.network.topologies.leaf_spine import LeafSpine
from dcsim.network.topologies.nvlink_domain import NvlinkDomain
from dcsim.network.topologies.pcie_tree import PcieTree
from dcsim.network.topologies.rail_optimized import RailOptimized
from dcsim.network.topologies.three_layer import ThreeLayer
from dcsim.network.topologies.torus import Torus
from dcsim.network.topologies.wan import Wan, WanLink
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
        ("{topology: three-layer, oversubscription: 2, core_oversubscription: 6}", ThreeLayer(64, 2.0, 3.0), "ecmp"),
        ("{topology: {kind: dual-plane, rails: 4}}", DualPlane(64, rails=4), "rail-local"),
        ("{topology: nvlink-domain}", NvlinkDomain(), "adaptive"),
        ("{topology: {kind: pcie-tree, devices: 5, between_sockets: 1 GB/s}}", PcieTree(5, 2, 2, 1e9), "ecmp"),
        (
            "{topology: {kind: wan, sites: [{name: a, servers: [train]}, {name: b, servers: [storage]}]}}",
            Wan(64, (("a", ("train",)), ("b", ("storage",))), (WanLink(("a", "b"), 12.5e9, 5e-3),)),
            "ecmp",
        ),
        (
            "{topology: {kind: wan, rate: 8 Gbit/s, sites: [{name: a, servers: [train]}, {name: b, servers: "
            "[storage]}], links: [{between: [a, b], latency: 1 ms}]}}",
            Wan(64, (("a", ("train",)), ("b", ("storage",))), (WanLink(("a", "b"), 1e9, 1e-3),)),
            "ecmp",
        ),
        ("{topology: torus}", Torus(), "dimension-order"),
        ("{topology: {kind: torus, dimensions: 2}}", Torus((), 2), "dimension-order"),
        ("{topology: {kind: torus, sizes: [4, 12], twist: 4}}", Torus((4, 12), twist=4), "ecmp"),
        ("{topology: dragonfly, routing: valiant}", Dragonfly(16, 32, 16, None, 64), "valiant"),
        ("{topology: dragonfly, routing: ugal}", Dragonfly(16, 32, 16, None, 64), "ugal"),
        (
            "{topology: {kind: dragonfly, hosts: 4, routers: 6, globals: 2, groups: 3}}",
            Dragonfly(4, 6, 2, 3, 64),
            "ecmp",
        ),
    ],
)
def test_a_network_is_what_the_keys_say(tmp_path: Path, network: str, topology: object, policy: str) -> None:
    found = loaded(tmp_path, network)
    layout = fabric_layout(found.scenario, resolve(found), tmp_path)
    assert layout.topology == topology
    assert layout.policy == policy


@pytest.mark.parametrize(
    ("network", "told"),
    [
        ("{topology: fat-treee}", '"fat-tree"'),
        ("{topology: {kind: hypercube}}", "one of fat-tree, three-layer, leaf-spine"),
        ("{topology: {kind: torus, size: [4, 4]}}", 'did you mean "sizes"'),
        ("{topology: {kind: torus, sizes: [4]}}", "2"),
        ("{topology: {kind: torus, twist: 2}}", "sizes too"),
        ("{topology: leaf-spine, routing: valiant}", "ecmp, d-mod-k, static or adaptive"),
        ("{topology: torus, routing: ugal}", "ecmp, d-mod-k, static, adaptive, dimension-order or valiant, in a torus"),
        ("{routing: rail-local}", "in a fat-tree"),
        ("{topology: {kind: rail-optimized, spine: false}, routing: ecmp}", "rail-local where no spine"),
        ("{routing: hot-potato}", "'ecmp'"),
        ("{queue_pairs: 0}", "at least 1"),
        ("{topology: {file: nowhere.graphml}}", "an existing file in the scenario's folder"),
        ("{topology: {file: ../x.graphml}}", "an existing file in the scenario's folder"),
        ("{topology: leaf-spine, core_oversubscription: 2}", "which have cores"),
        ("{oversubscription: 3, core_oversubscription: 2}", "at least the oversubscription, 3"),
        ("{topology: {kind: nvlink-domain, size: 80}}", "at most 72"),
        ("{topology: {kind: wan, sites: [{name: a, servers: [train]}]}}", "2"),
        (
            "{topology: {kind: wan, sites: [{name: a, servers: [train]}, {name: b, servers: [storage]}, "
            "{name: c, servers: [x]}], links: [{between: [a, b]}]}}",
            "every site can be reached from a",
        ),
        (
            "{topology: {kind: wan, sites: [{name: a, servers: [train]}, {name: b, servers: [storage]}], "
            "links: [{between: [a, d]}]}}",
            "a site: a, b",
        ),
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
        ("{topology: {kind: nvlink-domain, size: 16}}", "at least 38, the network cards"),
        ("{topology: pcie-tree}", "at least 38 places"),
        (
            "{topology: {kind: wan, sites: [{name: a, servers: [train]}, {name: b, servers: [disks]}]}}",
            "no site with storage",
        ),
        # Ports of 8: 10 leaves of 4; ports of 10: 8 leaves of 5.
        (
            "{topology: leaf-spine, radix: 4}",
            "found 4, expected a port of every spine for each of 19 leaf switches: radix: 10 at least",
        ),
        # Ports of 4: 19 access switches of 2, 2 a block; of 12: 7 of 6, 2 a block, so that 4 blocks have 8 above them.
        (
            "{topology: three-layer, radix: 4}",
            "a port of every core for each of 20 aggregation switches: radix: 12 at least",
        ),
        ("{topology: dragonfly, radix: 2}", "routers of at least 3 ports: a host, a neighbor, another group: radix: "),
        ("{topology: leaf-spine, radix: 8, oversubscription: 9}", "found 9, expected at most 7: of the 8 ports of a"),
        (
            "{topology: three-layer, oversubscription: 2, core_oversubscription: 200}",
            "core_oversubscription: found 100, expected at most 63",
        ),
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
