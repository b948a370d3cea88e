"""The volume: limits, space, ledger and power; and its limits against published clusters."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from dcsim.catalogue.parts import Disk, StorageServer
from dcsim.engine import Streams
from dcsim.errors import RunError
from dcsim.scenario.hardware import Disks, Protection, Storage
from dcsim.scenario.workload import CnnModel, MlpModel, TransformerModel
from dcsim.storage.loader import data_stall, sample_bytes
from dcsim.storage.volume import Volume


@dataclass(frozen=True)
class Parts:
    server: StorageServer
    disk: Disk


def _volume(
    nodes: int, disks: int, replicas: int, nic_rate: float = 25e9, read: float = 7e9, write: float = 4e9
) -> Volume:
    server = StorageServer.model_construct(title="a node", nics=1, nic_rate=nic_rate, idle=300.0, active=500.0)
    disk = Disk.model_construct(
        title="a disk", capacity=1e12, read=read, write=write, latency=1e-4, idle=5.0, active=15.0
    )
    spec = Storage.model_construct(
        nodes=nodes,
        disks=Disks.model_construct(type="a-disk", count=disks),
        protection=Protection.model_construct(replicas=replicas),
    )
    return Volume(Parts(server, disk), spec, Streams(1), first_endpoint=16)


def test_limits_of_a_small_volume() -> None:
    # Six nodes of four disks: 28 GB/s of disks behind 25 GB/s of network; writes 16 GB/s a node, three copies.
    volume = _volume(6, 4, 3)
    assert volume.read_limit_bytes_per_s == 6 * 25e9
    assert volume.write_limit_bytes_per_s == 6 * 16e9 / 3
    assert volume.capacity_bytes == pytest.approx(0.95 * 24e12 / 3, rel=1e-12)
    assert (volume.read_latency_s, volume.write_latency_s) == (1e-4, pytest.approx(3e-4, rel=1e-12))


def test_space_is_taken_replaced_and_given_back() -> None:
    volume = _volume(4, 1, 2)
    volume.store("a", 400e9)
    volume.store("b", 100e9)
    assert volume.node_used.sum() == pytest.approx(1000e9, rel=1e-12)
    volume.store("a", 200e9)
    assert volume.stored_bytes == 300e9
    assert volume.node_used.sum() == pytest.approx(600e9, rel=1e-12)
    volume.remove("a")
    volume.remove("a")
    assert volume.node_used.sum() == pytest.approx(200e9, rel=1e-9)


def test_a_full_volume_says_so_and_stays_as_it_was() -> None:
    volume = _volume(4, 1, 2)
    volume.store("a", 1500e9)
    before = volume.node_used.copy()
    with pytest.raises(RunError, match="storage is full: b of 5e\\+11 B in 2 replicas"):
        volume.store("b", 500e9)
    assert volume.stored_bytes == 1500e9
    assert (volume.node_used == before).all()


def test_the_ledger_balances() -> None:
    volume = _volume(5, 2, 3)
    volume.record_write(volume.write_legs("ckpt", [0, 1, 2]), 7e9)
    volume.record_read(volume.read_legs("data", [0, 3]), 11e9)
    assert all(check.passed for check in volume.checks())
    assert volume.written_by_node.sum() == pytest.approx(21e9, rel=1e-12)
    assert volume.written_by_node == pytest.approx([4.2e9] * 5, rel=1e-12)
    volume.record_write([], 1000.0)
    assert not volume.checks()[1].passed


def test_power_follows_the_share_of_time_the_disks_are_busy() -> None:
    # Four nodes of two disks: idle 4 x 310 W, active 4 x 530 W. Reads at 14 of 56 GB/s: a quarter.
    volume = _volume(4, 2, 2)
    assert volume.power_w() == 1240.0
    assert volume.power_w(read_bytes_per_s=14e9) == pytest.approx(1240 + 0.25 * 880, rel=1e-12)
    # Writes at 4 GB/s in two copies are 8 of 32 GB/s: another quarter.
    assert volume.power_w(14e9, 4e9) == pytest.approx(1240 + 0.5 * 880, rel=1e-12)


@pytest.mark.parametrize(
    ("nodes", "disks", "nic", "read", "published", "ratio"),
    [
        # 63 of 68 nodes held 630 OSDs, 2 x 100 GbE, NVMe of about 7 GB/s: 1025 GiB/s of reads (ceph.io blog, 2024).
        (63, 10, 25e9, 7e9, 1025 * 2**30, 1.43),
        # 180 nodes, 2 x 200 Gbit/s, 16 NVMe each: 6.6 TiB/s of reads (3FS README, DeepSeek).
        (180, 16, 50e9, 7e9, 6.6 * 2**40, 1.24),
    ],
)
def test_published_clusters_stay_below_the_limits_of_their_hardware(
    nodes: int, disks: int, nic: float, read: float, published: float, ratio: float
) -> None:
    """The limit is an upper bound: published clusters reach 70 % (Ceph) and 81 % (3FS) of it."""
    limit = _volume(nodes, disks, 3, nic_rate=nic, read=read).read_limit_bytes_per_s
    assert limit / published == pytest.approx(ratio, rel=0.01)


def test_published_replicated_writes_stay_below_the_limit() -> None:
    """320 OSDs on 32 nodes of 2 x 100 GbE wrote 133 GiB/s in three copies (ceph.io blog, 2024): 54 % of the limit."""
    limit = _volume(32, 10, 3, write=6e9).write_limit_bytes_per_s
    assert limit / (133 * 2**30) == pytest.approx(1.87, rel=0.01)


def test_samples_as_stored() -> None:
    gpt = TransformerModel.model_construct(family="transformer", context=1024, vocabulary=50257)
    assert sample_bytes(gpt) == 2 * 1025
    assert sample_bytes(gpt.model_copy(update={"vocabulary": 128256})) == 4 * 1025
    assert sample_bytes(MlpModel.model_construct(family="mlp", inputs=784, hidden=(10,), classes=10)) == 785
    assert sample_bytes(CnnModel.model_construct(family="cnn", image=32, channels=(3, 16), classes=10)) == 3073
    assert sample_bytes(gpt, stated_bytes=100.0) == 100.0


def test_a_step_waits_for_samples_that_come_later_than_it_ends() -> None:
    assert data_stall(0.1, 0.03) == 0.0
    assert data_stall(0.1, 0.13) == pytest.approx(0.03, rel=1e-12)
