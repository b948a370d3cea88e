"""Limits and power of a storage node."""

from __future__ import annotations

import pytest

from dcsim.catalogue.parts import Disk, StorageServer
from dcsim.storage.device import Node, transfer_time

SERVER = StorageServer.model_construct(title="a node", nics=2, nic_rate=50e9, idle=300.0, active=500.0)
DISK = Disk.model_construct(title="a disk", capacity=8e12, read=7e9, write=4e9, latency=100e-6, idle=5.0, active=15.0)


def test_the_network_cards_limit_reads_and_the_disks_writes() -> None:
    # 20 disks read 140 GB/s, write 80 GB/s; two cards of 50 GB/s carry 100 GB/s.
    node = Node(SERVER, DISK, 20)
    assert (node.read_bytes_per_s, node.write_bytes_per_s) == (100e9, 80e9)
    assert node.capacity_bytes == 160e12


def test_power_is_linear_in_activity_and_bounded() -> None:
    # Idle 300 + 20 x 5 = 400 W, active 500 + 20 x 15 = 800 W.
    node = Node(SERVER, DISK, 20)
    assert [node.power_w(activity) for activity in (0.0, 0.25, 1.0, 3.0)] == [400.0, 500.0, 800.0, 800.0]


def test_a_request_takes_its_latency_and_its_bytes() -> None:
    assert transfer_time(DISK.latency, 7e6, DISK.read) == pytest.approx(1.1e-3, rel=1e-12)
