"""Traffic of others on the network: what jobs outside the scenario, services and people send."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, Tag, model_validator

from dcsim import units
from dcsim.scenario.base import Count, DataRate, DataSize, Duration, PositiveDuration, Quantity, Value, Whole, wrong
from dcsim.scenario.faults import ServerName
from dcsim.scenario.kinds import by_kind
from dcsim.scenario.names import Name

Load = Annotated[float, Quantity("ratio", positive=True, high=1.0)]


class _Traffic(Value):
    name: Name
    at: Duration = Field(0.0, description="when it begins")
    until: PositiveDuration | None = Field(None, description="when it ends; with the run unless given")

    @model_validator(mode="after")
    def _ends_later(self) -> Self:
        if self.until is not None and self.until <= self.at:
            raise wrong(
                f"a time after its beginning, {units.write(self.at, 'time')}", units.write(self.until, "time"), "until"
            )
        return self


class _OfServers(_Traffic):
    servers: tuple[Name, ...] | None = Field(
        None, min_length=1, description="the pools that take part; all server pools unless given"
    )


class Uniform(_OfServers):
    """Payloads between random network cards of different servers, at random times (a Poisson process)."""

    kind: Literal["uniform"]
    load: Load = Field(description="mean share of its payload rate that every network card would be loaded with")
    size: DataSize = Field(units.parse("1 GB", "data"), description="of every payload")


class Permutation(_OfServers):
    """A steady flow from every network card to that of another server, each card the target of one."""

    kind: Literal["permutation"]
    load: Load = Field(description="share of the payload rate of a network card that each flow asks for")


class Pair(_Traffic):
    """A steady flow from one server or storage node to another."""

    kind: Literal["pair"]
    source: ServerName = Field(description='server, "train/3", or storage node, "storage/0"')
    target: ServerName = Field(description="the same for where it goes")
    rate: DataRate = Field(description="payload that it asks for, in sum over its network cards")
    card: Annotated[int, Whole(0, 1024)] | None = Field(
        None, description="the one network card of both ends that it uses; all of them evenly unless given"
    )

    @model_validator(mode="after")
    def _goes_somewhere(self) -> Self:
        if self.source == self.target:
            raise wrong("another server than its source", f'"{self.target}"', "target")
        return self


class Incast(_OfServers):
    """Many servers that send to one network card at the same time."""

    kind: Literal["incast"]
    target: ServerName = Field(description='server, "train/3", or storage node, "storage/0", that all send to')
    card: Annotated[int, Whole(0, 1024)] = Field(0, description="the network card that all send to and from")
    senders: Count | None = Field(
        None, description="how many, drawn once by the seed of the scenario; all other servers unless given"
    )
    size: DataSize = Field(description="what each of them sends")
    every: PositiveDuration | None = Field(
        None, description="time from one burst to the next; a single one unless given"
    )


class StorageTraffic(_OfServers):
    """Servers that steadily read from, or write to, all storage nodes; the disks do not feel it."""

    kind: Literal["storage"]
    direction: Literal["read", "write"] = "read"
    rate: DataRate = Field(description="payload that all servers ask for together")


Background = Annotated[
    Annotated[Uniform, Tag("Uniform")]
    | Annotated[Permutation, Tag("Permutation")]
    | Annotated[Pair, Tag("Pair")]
    | Annotated[Incast, Tag("Incast")]
    | Annotated[StorageTraffic, Tag("StorageTraffic")],
    by_kind(
        {
            "uniform": "Uniform",
            "permutation": "Permutation",
            "pair": "Pair",
            "incast": "Incast",
            "storage": "StorageTraffic",
        },
        "{name: backup, kind: pair, source: train/0, target: train/8, rate: 100 Gbit/s}",
    ),
]
