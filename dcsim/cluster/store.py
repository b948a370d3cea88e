"""The storage pool as jobs see it: paths over the fabric to and from its disks, its ledger and its power."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dcsim.engine import Clock, Level
from dcsim.estimate.library import Path
from dcsim.network.fabric import Fabric
from dcsim.network.route import Leg
from dcsim.storage.placement import Leg as StorageLeg
from dcsim.storage.volume import Volume


@dataclass(frozen=True)
class Access:
    """A way to an object: the path of its bytes and what the volume's ledger books, a leg for each disk."""

    path: Path
    legs: tuple[StorageLeg, ...]


class Store:
    """Joins a volume with the fabric; its disks are resources of the fabric beside the links.

    ``power`` is that of all storage nodes [W]; it follows the mean rates that the jobs ask for.
    """

    def __init__(self, clock: Clock, volume: Volume, fabric: Fabric) -> None:
        self.volume, self._fabric = volume, fabric
        rates = (("read", volume.node.disk_read_bytes_per_s), ("write", volume.node.disk_write_bytes_per_s))
        self._disks = {
            (direction, node): fabric.add_resource(f"storage/{node} disk {direction}", f"disk {direction}", rate)
            for direction, rate in rates
            for node in range(volume.nodes)
        }
        self._writing: dict[str, tuple[object, Access]] = {}
        self._demands: dict[str, tuple[float, float]] = {}
        self.power = Level(clock, "storage", "W", volume.power_w())

    def reading(self, name: str, servers: Sequence[int]) -> Access:
        """Return how ``servers`` read the object ``name`` in equal parts."""
        return self._access(self.volume.read_legs(name, servers), self.volume.read_latency_s)

    def writing(self, name: str, servers: Sequence[int], size_bytes: float) -> Access:
        """Return how ``servers`` write the object ``name`` of ``size_bytes`` in equal parts, replication included.

        Checkpoints of a job go the same way again and again, until its servers, its size or the network change.
        """
        key = (tuple(servers), size_bytes, self._fabric.outage.state.value)
        if name not in self._writing or self._writing[name][0] != key:
            legs = self.volume.write_legs(name, servers, size_bytes)
            self._writing[name] = key, self._access(legs, self.volume.write_latency_s)
        return self._writing[name][1]

    def has_read(self, access: Access, size_bytes: float) -> None:
        """Book a finished read."""
        self.volume.record_read(access.legs, size_bytes)

    def has_written(self, access: Access, name: str, size_bytes: float) -> None:
        """Book a finished write, which takes the place of an older object of that name."""
        self.volume.record_write(access.legs, size_bytes)
        self.volume.store(name, size_bytes)

    def demand(self, owner: str, read_bytes_per_s: float, write_bytes_per_s: float) -> None:
        """From now on ``owner`` reads and writes at these mean rates."""
        self._demands[owner] = (read_bytes_per_s, write_bytes_per_s)
        read, write = (sum(rates) for rates in zip(*self._demands.values(), strict=True))
        self.power.set(self.volume.power_w(read, write))

    def _access(self, legs: Sequence[StorageLeg], latency_s: float) -> Access:
        route = self._fabric.legs([self._on_fabric(leg) for leg in legs])
        route = replace(route, latency_s=route.latency_s + latency_s)
        return Access(Path(route, self._fabric.planned_rate(route)), _by_disk(legs))

    def _on_fabric(self, leg: StorageLeg) -> Leg:
        source = None if leg.source_disk is None else self._disks["read", leg.source_disk]
        target = None if leg.target_disk is None else self._disks["write", leg.target_disk]
        return Leg(leg.source, leg.target, leg.share, source, target)


def _by_disk(legs: Sequence[StorageLeg]) -> tuple[StorageLeg, ...]:
    """Return legs to or from the same disks as one."""
    first: dict[tuple[int | None, int | None], StorageLeg] = {}
    shares: dict[tuple[int | None, int | None], float] = {}
    for leg in legs:
        disks = (leg.source_disk, leg.target_disk)
        first.setdefault(disks, leg)
        shares[disks] = shares.get(disks, 0.0) + leg.share
    return tuple(replace(leg, share=shares[disks]) for disks, leg in first.items())
