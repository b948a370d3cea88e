"""The cluster of a scenario: servers, network, storage, scheduler, how often things break."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from dcsim import units
from dcsim.scenario.base import DataRate, Factor, PositiveDuration, Value
from dcsim.scenario.names import Name


class ServerPool(Value):
    """A number of equal servers."""

    name: Name
    type: Name
    count: PositiveInt
    per_rack: PositiveInt = 4


class Network(Value):
    """The fabric that joins the network cards of all servers and storage nodes."""

    topology: Literal["fat-tree"] = "fat-tree"
    link: DataRate = Field(units.parse("400 Gbit/s", "data rate"), description="rate of a link in each direction")
    oversubscription: Factor = Field(
        1.0,
        ge=1,
        description="host bandwidth over uplink bandwidth of an edge switch, likewise at the aggregation tier",
    )
    radix: PositiveInt | None = Field(
        None, description="ports of a switch; the smallest that holds all hosts unless given"
    )
    switch: Name = Field("quantum-2-qm9700", description="the switch of the catalogue, for latency and power")


class Disks(Value):
    """The disks of one storage node."""

    type: Name = "nvme-gen4"
    count: PositiveInt = 12


class Protection(Value):
    """How data survives the loss of a storage node."""

    replicas: PositiveInt = 3


class Storage(Value):
    """A pool of storage servers that share the fabric with the training traffic."""

    type: Literal["replicated"] = "replicated"
    nodes: PositiveInt = 6
    server: Name = Field("storage-nvme-2u", description="the storage server of the catalogue")
    disks: Disks = Disks()
    protection: Protection = Protection()


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
