"""A replicated volume: what it holds, which legs its reads and writes travel, and its ledger of bytes.

It is data for those above it: it never sees the fabric. Latencies and rates are of an idle volume; sharing is the
fabric's matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dcsim.catalogue.parts import Disk, StorageServer
from dcsim.engine import Check, Streams
from dcsim.errors import RunError
from dcsim.scenario.hardware import Storage
from dcsim.storage import placement
from dcsim.storage.device import Node
from dcsim.storage.placement import Layout, Leg

Floats = NDArray[np.float64]

_FULL = 0.95


class StorageParts(Protocol):
    """The catalogue parts of a volume."""

    @property
    def server(self) -> StorageServer:
        """The storage server."""

    @property
    def disk(self) -> Disk:
        """Its disks."""


class Volume:
    """A volume over ``spec.nodes`` equal storage nodes, whose endpoints of the fabric begin at ``first_endpoint``.

    ``node_used`` [B] is what each node's disks hold; ``read_by_node`` and ``written_by_node`` [B] are what they have
    read and written; shapes (nodes,).
    """

    def __init__(self, parts: StorageParts, spec: Storage, streams: Streams, first_endpoint: int = 0) -> None:
        self.node = Node(parts.server, parts.disk, spec.disks.count)
        self.nodes, self.replicas = spec.nodes, spec.protection.replicas
        self._streams, self._first = streams, first_endpoint
        self._objects: dict[str, tuple[float, Layout]] = {}
        self.node_used: Floats = np.zeros(self.nodes)
        self.read_by_node: Floats = np.zeros(self.nodes)
        self.written_by_node: Floats = np.zeros(self.nodes)
        self.read_bytes = self.written_bytes = 0.0

    @property
    def read_latency_s(self) -> float:
        """From a request at a node to its first byte [s]."""
        return self.node.disk.latency

    @property
    def write_latency_s(self) -> float:
        """From the last byte at the primary to the acknowledgement: every copy of the chain in turn [s]."""
        return self.replicas * self.node.disk.latency

    @property
    def read_limit_bytes_per_s(self) -> float:
        """What all nodes can serve together [B/s]."""
        return self.nodes * self.node.read_bytes_per_s

    @property
    def write_limit_bytes_per_s(self) -> float:
        """Client bytes that all nodes can take in together, every byte being written ``replicas`` times [B/s]."""
        return self.nodes * self.node.write_bytes_per_s / self.replicas

    @property
    def capacity_bytes(self) -> float:
        """Client bytes the volume holds when every node is 95 % full, where Ceph stops writes by default [B]."""
        return _FULL * self.nodes * self.node.capacity_bytes / self.replicas

    @property
    def stored_bytes(self) -> float:
        """Client bytes of all objects [B]."""
        return sum(size for size, _ in self._objects.values())

    def read_legs(self, name: str, targets: Sequence[int], size_bytes: float | None = None) -> list[Leg]:
        """Return the legs of a read of ``name`` by ``targets`` in equal parts; the payload is what all read."""
        return placement.read_legs(self._layout(name, size_bytes), targets, self._first)

    def write_legs(self, name: str, sources: Sequence[int], size_bytes: float | None = None) -> list[Leg]:
        """Return the legs of a write of ``name`` by ``sources`` in equal parts; replication is beyond the payload."""
        return placement.write_legs(self._layout(name, size_bytes), sources, self._first)

    def store(self, name: str, size_bytes: float) -> None:
        """Take up the space of ``name``, in place of an older object of that name.

        Raises
        ------
        RunError
            If a node would be more than 95 % full; the volume is left as it was.
        """
        where = self._layout(name, size_bytes)
        used = self.node_used + size_bytes * where.node_shares() - self._space(name)
        limit = _FULL * self.node.capacity_bytes
        if used.max() > limit:
            raise RunError(
                f"storage is full: {name} of {size_bytes:.4g} B in {self.replicas} replicas fills a node to "
                f"{used.max():.4g} B of {limit:.4g} B; add nodes or disks, or write fewer checkpoints"
            )
        self.node_used = used
        self._objects[name] = (size_bytes, where)

    def remove(self, name: str) -> None:
        """Give back the space of ``name``, if it is there."""
        self.node_used = np.maximum(0.0, self.node_used - self._space(name))
        self._objects.pop(name, None)

    def record_read(self, legs: Sequence[Leg], size_bytes: float) -> None:
        """Book a finished read of ``size_bytes`` [B] along ``legs``."""
        self.read_bytes += size_bytes
        for leg in legs:
            if leg.source_disk is not None:
                self.read_by_node[leg.source_disk] += leg.share * size_bytes

    def record_write(self, legs: Sequence[Leg], size_bytes: float) -> None:
        """Book a finished write of ``size_bytes`` [B] along ``legs``."""
        self.written_bytes += size_bytes
        for leg in legs:
            if leg.target_disk is not None:
                self.written_by_node[leg.target_disk] += leg.share * size_bytes

    def power_w(self, read_bytes_per_s: float = 0.0, write_bytes_per_s: float = 0.0) -> float:
        """Return the power of all nodes [W] while clients read and write at these mean rates [B/s]."""
        node = self.node
        reading = read_bytes_per_s / (self.nodes * node.disk_read_bytes_per_s)
        writing = write_bytes_per_s * self.replicas / (self.nodes * node.disk_write_bytes_per_s)
        return self.nodes * node.power_w(reading + writing)

    def checks(self) -> list[Check]:
        """Return the conservation checks: what clients read and wrote is what the disks did."""
        disk_reads, disk_writes = float(self.read_by_node.sum()), float(self.written_by_node.sum())
        copies = self.written_bytes * self.replicas
        return [
            Check("storage bytes read by clients = by disks", self.read_bytes, disk_reads, "B"),
            Check("storage bytes written by clients x replicas = by disks", copies, disk_writes, "B"),
        ]

    def _layout(self, name: str, size_bytes: float | None) -> Layout:
        return placement.layout(name, self.nodes, self.replicas, self._streams, size_bytes)

    def _space(self, name: str) -> Floats:
        size, where = self._objects.get(name, (0.0, None))
        return np.zeros(self.nodes) if where is None else size * where.node_shares()
