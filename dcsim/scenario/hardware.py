"""The cluster of a scenario: servers, network, storage, scheduler, how often things break."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dcsim import units
from dcsim.scenario.base import Count, PositiveDuration, Value, Whole, wrong
from dcsim.scenario.fabric import Network
from dcsim.scenario.names import Name


class ServerPool(Value):
    """A number of equal servers."""

    name: Name
    type: Name
    count: Annotated[int, Whole(1, 1_000_000)]
    per_rack: Count = 4


class Disks(Value):
    """The disks of one storage node."""

    type: Name = "nvme-gen4"
    count: Count = 12


class Protection(Value):
    """How data survives the loss of a storage node."""

    replicas: Count = 3


class Storage(Value):
    """A pool of storage servers that share the fabric with the training traffic."""

    type: Literal["replicated"] = "replicated"
    nodes: Annotated[int, Whole(1, 1_000_000)] = 6
    server: Name = Field("storage-nvme-2u", description="the storage server of the catalogue")
    disks: Disks = Disks()
    protection: Protection = Protection()

    @model_validator(mode="after")
    def _replicas_fit(self) -> Self:
        if self.protection.replicas > self.nodes:
            rule = f"at most one a node, {self.nodes}"
            raise wrong(rule, found=str(self.protection.replicas), at="protection.replicas")
        return self


class Scheduler(Value):
    """Which job starts next, and where."""

    policy: Literal["fifo"] = "fifo"
    placement: Literal["rack-aware", "scattered"] = Field(
        "rack-aware", description="fill racks in order, or deal servers out over the racks at random"
    )


class Reliability(Value):
    """Random server failures: exponential times to failure, a fixed time to repair."""

    server_mtbf: PositiveDuration | None = Field(
        None, description="mean time between failures of one server; none unless given"
    )
    repair: PositiveDuration = units.parse("4 h", "time")


class Cluster(Value):
    """All that computes, moves and keeps data."""

    servers: tuple[ServerPool, ...] = Field(min_length=1)
    network: Network = Network()
    storage: Storage | None = None
    scheduler: Scheduler = Scheduler()
    reliability: Reliability = Reliability()
