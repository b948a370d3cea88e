"""What the disks and network cards of a storage node allow, and what a node draws."""

from __future__ import annotations

from dataclasses import dataclass

from dcsim.catalogue.parts import Disk, StorageServer


@dataclass(frozen=True)
class Node:
    """A storage server with ``disks`` equal disks."""

    server: StorageServer
    disk: Disk
    disks: int

    @property
    def capacity_bytes(self) -> float:
        """Raw capacity [B]."""
        return self.disks * self.disk.capacity

    @property
    def nic_bytes_per_s(self) -> float:
        """Line rate of all network cards, one direction [B/s]."""
        return self.server.nics * self.server.nic_rate

    @property
    def disk_read_bytes_per_s(self) -> float:
        """Sequential read rate of all disks [B/s]; large requests are spread over all of them."""
        return self.disks * self.disk.read

    @property
    def disk_write_bytes_per_s(self) -> float:
        """Sequential write rate of all disks [B/s]."""
        return self.disks * self.disk.write

    @property
    def read_bytes_per_s(self) -> float:
        """What a node can serve: the lower of its disks and its network cards [B/s]."""
        return min(self.disk_read_bytes_per_s, self.nic_bytes_per_s)

    @property
    def write_bytes_per_s(self) -> float:
        """What a node can take in, primary and replica copies together: the lower of disks and network cards [B/s]."""
        return min(self.disk_write_bytes_per_s, self.nic_bytes_per_s)

    def power_w(self, activity: float = 0.0) -> float:
        """Return the power of the node [W], linear between idle (0) and active (1).

        ``activity`` is the share of time its disks are busy; beyond 1 counts as 1. The linear form is an assumption.
        """
        share = min(1.0, max(0.0, activity))
        idle = self.server.idle + self.disks * self.disk.idle
        active = self.server.active + self.disks * self.disk.active
        return idle + share * (active - idle)


def transfer_time(latency_s: float, size_bytes: float, rate_bytes_per_s: float) -> float:
    """Return the time of one request on an idle device: latency + size / rate [s]."""
    return latency_s + size_bytes / rate_bytes_per_s
