"""Links inside servers as bounds of traffic: closed forms, PCIe payload of 12 and cards of 10 GB/s unless stated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from dcsim import cli
from dcsim.catalogue.inventory import resolve
from dcsim.catalogue.parts import Link, Server
from dcsim.catalogue.shelf import Shelf
from dcsim.engine import Clock, Streams
from dcsim.estimate.fabric_plan import fabric_layout
from dcsim.network.collectives import ring_share
from dcsim.network.fabric import Fabric
from dcsim.network.layout import Endpoint, FabricLayout, InnerLink, Inside
from dcsim.network.route import Leg
from dcsim.parallel.waves import Wave
from dcsim.scenario.load import load

GB = 1e9
NVLINK, PCIE = InnerLink(100 * GB, 0.0), InnerLink(12 * GB, 0.0)
STORE = Endpoint("storage/0", 16, 10 * GB)


def fabric(gpus: int, nics: int, inside: Inside, store: Endpoint | None = None, storage_nics: int = 0) -> Fabric:
    """Two servers, whose peers meet over PCIe or NVLink, and a storage node with more cards than they have."""
    inner = PCIE if inside.peers else NVLINK
    servers = [Endpoint(f"train/{i}", nics, 10 * GB, gpus, inner, storage_nics, inside) for i in range(2)]
    endpoints = (*servers, *([store] if store else []))
    return Fabric(Clock(), FabricLayout(endpoints, 10 * GB, radix=64, policy="adaptive"), Streams(3))


def seconds(net: Fabric, pairs: list[tuple[tuple[int, int], tuple[int, int]]], cards: tuple[int, ...]) -> float:
    """Move a gigabyte from rank to rank of every pair at once, by its card."""
    moved = [net.transfer(net.between(*pair, card), GB, "a") for pair, card in zip(pairs, cards, strict=True)]
    net.clock.run(net.clock.all_of(moved))
    assert net.sent_bytes == pytest.approx(net.received_bytes, rel=1e-12)
    return net.clock.now


@pytest.mark.parametrize(("pcie", "half"), [(12, 5), (8, 4)])
def test_two_accelerators_under_one_switch_with_one_card_get_half_each(pcie: int, half: int) -> None:
    """Of the card, and of its PCIe link where that is slower."""
    net = fabric(2, 1, Inside(1, 1, pcie * GB))
    assert seconds(net, [((0, 0), (1, 0)), ((0, 1), (1, 1))], (0, 0)) == pytest.approx(1 / half, rel=1e-9)


def test_an_accelerator_with_two_cards_is_no_faster_than_its_pcie_link() -> None:
    net, wave = fabric(1, 2, Inside(1, 1, 12 * GB)), Wave(np.array([0]), np.array([1]), 1.0)
    route = net.exchange([(0, 0), (1, 0)], wave)
    assert net.alone_rate(route) == pytest.approx(12 * GB, rel=1e-9)  # not 2 x 10
    ring = net.all_reduce([(0, 0), (1, 0)])
    assert net.alone_rate(ring) == pytest.approx(12 * GB / ring_share(2), rel=1e-9)
    assert "train/0 gpu 0 pcie out" in [row.link for row in net.link_table()]


def test_where_no_link_inside_can_be_the_bottleneck_none_is_added() -> None:
    """Two cards a switch whose uplink nobody takes for want of storage, and a card a switch beside storage."""
    for net in (fabric(8, 8, Inside(2, 4, 12 * GB)), fabric(8, 8, Inside(2, 8, 12 * GB), STORE)):
        assert not {"pcie", "socket"} & set(net.tiers)


def test_storage_traffic_crosses_the_uplinks_of_the_switches() -> None:
    """Four cards of 10 under two switches of 12: 24 in all; a fifth card on a socket, for storage alone: 10."""
    leg = [Leg(2, 0, 1.0)]
    for cards, alone, expected in ((4, 0, 24), (5, 1, 10), (4, 4 // 2, 20)):
        net = fabric(4, cards, Inside(2, 2, 12 * GB), STORE, alone)
        assert net.alone_rate(net.legs(leg)) == pytest.approx(expected * GB, rel=1e-9)
        assert net.alone_rate(net.legs([Leg(0, 2, 1.0)])) == pytest.approx(expected * GB, rel=1e-9)


def test_storage_traffic_leaves_the_cards_of_ranks_alone_where_it_has_its_own() -> None:
    net = fabric(4, 5, Inside(2, 2, 12 * GB), STORE, 1)
    ranks = [(server, gpu) for server in (0, 1) for gpu in range(4)]
    shared = np.intersect1d(net.legs([Leg(2, 0, 1.0)]).links, net.all_reduce(ranks).links)
    assert not len(shared)
    assert net.alone_rate(net.all_reduce(ranks)) == pytest.approx(4 * 10 * GB / ring_share(8), rel=1e-9)


def test_peers_over_pcie_share_the_uplinks_of_their_switches() -> None:
    """Two pairs between the same two switches get half of an uplink each, pairs under one switch all of their links."""
    inside = Inside(1, 2, 12 * GB, peers=True)
    across = seconds(fabric(4, 2, inside), [((0, 0), (0, 2)), ((0, 1), (0, 3))], (0, 0))
    below = seconds(fabric(4, 2, inside), [((0, 0), (0, 1)), ((0, 2), (0, 3))], (0, 0))
    assert (across, below) == pytest.approx((1 / 6, 1 / 12), rel=1e-9)


def test_peers_over_pcie_share_the_link_between_their_sockets() -> None:
    """Eight under four switches: two pairs between two sockets, each by uplinks of its own, share 5 GB/s."""
    inside = Inside(2, 4, 12 * GB, 5 * GB, peers=True)
    pairs = [((0, 0), (0, 4)), ((0, 2), (0, 6)), ((0, 1), (0, 3))]
    net = fabric(8, 4, inside)
    assert seconds(net, pairs[:2], (0, 0)) == pytest.approx(1 / 2.5, rel=1e-9)
    ring = net.all_reduce([(0, gpu) for gpu in range(8)])  # one hop from socket to socket each way
    assert net.alone_rate(ring) == pytest.approx(5 * GB / ring_share(8), rel=1e-9)


def test_peers_and_network_share_the_link_of_an_accelerator_that_has_no_other() -> None:
    """6 GB/s to a peer and 6 to another server of the 12 of PCIe; over NVLink the card alone bounds: 10."""
    pairs = [((0, 0), (0, 1)), ((0, 0), (1, 0))]
    assert seconds(fabric(2, 1, Inside(1, 1, 12 * GB, peers=True)), pairs, (0, 0)) == pytest.approx(1 / 6, rel=1e-9)
    assert seconds(fabric(2, 1, Inside(1, 1, 12 * GB)), pairs, (0, 0)) == pytest.approx(1 / 10, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "added"),
    [("dgx-v100", False), ("dgx-a100", True), ("dgx-h100", False), ("dgx-b200", False), ("dgx-b300", False)],
)
def test_of_shipped_servers_only_uplinks_of_the_dgx_a100_can_hold_storage_back(name: str, added: bool) -> None:
    """Two cards of 200 Gbit/s to an uplink of 25.2 GB/s there; elsewhere one card of 100 Gbit/s to 12.6 GB/s (V100), of
    400 to 51.2 (H100, B200), of 800 to 102.4 (B300)."""
    shelf = Shelf()
    server = shelf.take(Server, name)
    assert server.sockets and server.pcie_switches and server.pcie
    pcie = shelf.take(Link, server.pcie)
    inside = Inside(server.sockets, server.pcie_switches, pcie.rate * pcie.efficiency)
    node = Endpoint("train/0", server.nics, server.nic_rate, server.accelerators, NVLINK, 0, inside)
    net = Fabric(Clock(), FabricLayout((node, STORE), server.nic_rate), Streams(1))
    assert ("pcie" in net.tiers) == added
    assert net.card_rates(0) == pytest.approx([server.nic_rate] * server.nics)


SCENARIO = """\
dcsim: 1
name: few-cards
parts:
  servers:
    two-cards:
      based_on: dgx-a100
      title: eight accelerators behind two cards
      nics: {value: 2, source: assumption}
      nic_rate: {value: 400 Gbit/s, source: assumption}
      pcie_switches: {value: 2, source: assumption}
cluster:
  servers:
    - {name: train, type: two-cards, count: 4}
  network: {link: 400 Gbit/s, routing: adaptive}
jobs:
  - {name: pretrain, model: gpt2-small, batch: {global: 64, micro: 2}, parallel: {data: 32}, steps: 20}
"""


def test_a_scenario_whose_server_has_fewer_cards_than_accelerators(tmp_path: Path) -> None:
    """Two cards of 400 Gbit/s behind PCIe 4.0, of whose 31.5 GB/s payload takes 80 %: 2 x 25.2 GB/s, not 2 x 50."""
    (tmp_path / "x.yaml").write_text(SCENARIO)
    loaded = load(tmp_path / "x.yaml")
    net = Fabric(Clock(), fabric_layout(loaded.scenario, resolve(loaded), tmp_path), Streams(1))
    ranks = [(server, gpu) for server in range(4) for gpu in range(8)]
    assert net.alone_rate(net.all_reduce(ranks)) == pytest.approx(2 * 25.2 * GB / ring_share(32), rel=1e-9)


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("nics: {value: 2", "nics: {value: 3", 8, "nics: found 3, expected a multiple of 2"),
        ("pcie_switches: {value: 2", "sockets: {value: 3", 8, "nics: found 2, expected a multiple of 4"),
        ("pcie_switches: {value: 2", "storage_nics: {value: 2", 10, "storage_nics: found 2, expected at most 1"),
        ("dgx-a100", "mi300x-8", 5, "sockets: found nothing"),
    ],
)
def test_an_inside_that_does_not_fit_is_refused(tmp_path: Path, old: str, new: str, line: int, says: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(SCENARIO.replace(old, new))
    done = CliRunner().invoke(cli.application(), ["check", str(file)], prog_name="dcsim")
    assert done.exit_code == 2
    assert f"x.yaml:{line}: parts.servers.two-cards.{says}" in done.stderr
