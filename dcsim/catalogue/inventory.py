"""Resolve the part names of a scenario into an inventory: the names phase of loading, all problems listed at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from dcsim.catalogue.parts import (
    Accelerator,
    Chiller,
    Climate,
    Disk,
    Grid,
    Link,
    Pdu,
    Psu,
    Server,
    Software,
    StorageServer,
    Switch,
    Transformer,
    Ups,
)
from dcsim.catalogue.shelf import KINDS, MODELS, PartError, Shelf, a
from dcsim.errors import Problem, ScenarioError
from dcsim.scenario.base import Value
from dcsim.scenario.facility import ClimateFile, ConstantClimate, CustomGrid
from dcsim.scenario.hardware import ServerPool, Storage
from dcsim.scenario.models import ModelSpec
from dcsim.scenario.root import Scenario
from dcsim.scenario.suggest import nearest, quoted
from dcsim.scenario.user import UserModel
from dcsim.scenario.workload import Job

if TYPE_CHECKING:
    from dcsim.scenario.load import Loaded

Weather = Climate | ConstantClimate | ClimateFile
Model = ModelSpec | UserModel
P = TypeVar("P", bound=Value)


@dataclass(frozen=True)
class PoolParts:
    """A pool of servers and what they are made of.

    ``link`` is None where a server has a single accelerator, ``pcie``, ``socket_link`` and ``host_link`` where it does
    not tell.
    """

    pool: ServerPool
    server: Server
    accelerator: Accelerator
    link: Link | None
    psu: Psu
    pcie: Link | None = None
    socket_link: Link | None = None
    host_link: Link | None = None


@dataclass(frozen=True)
class StorageParts:
    """A storage node and its disks."""

    server: StorageServer
    disk: Disk


@dataclass(frozen=True)
class JobParts:
    """A job, the shape of its model and the efficiencies of its software."""

    job: Job
    model: Model
    software: Software


@dataclass(frozen=True)
class Inventory:
    """All parts of a scenario.

    ``fabric_link`` has the efficiency and latency of the switch's kind of link, and the rate that the scenario states.
    """

    pools: tuple[PoolParts, ...]
    storage: StorageParts | None
    switch: Switch
    fabric_link: Link
    ups: Ups
    pdu: Pdu
    transformer: Transformer
    chiller: Chiller
    climate: Weather
    grid: Grid
    jobs: tuple[JobParts, ...]

    def pools_for(self, job: Job) -> list[int]:
        """Return the positions of the pools that can hold all ranks of ``job``, of the one that it names if it does."""
        return [
            number
            for number, parts in enumerate(self.pools)
            if job.servers in (None, parts.pool.name) and parts.pool.count * parts.server.accelerators >= job.ranks
        ]

    def canonical(self) -> dict[str, Any]:
        """Return every part as plain data with exact values, for the digest of a run."""
        return {
            "pools": {
                of.pool.name: [
                    *(_dump(part) for part in (of.server, of.accelerator, of.link, of.psu)),
                    *(_dump(part) for part in (of.pcie, of.socket_link, of.host_link) if part is not None),
                ]
                for of in self.pools
            },
            "storage": [_dump(self.storage.server), _dump(self.storage.disk)] if self.storage else None,
            "network": [_dump(self.switch), _dump(self.fabric_link)],
            "power": [_dump(self.ups), _dump(self.pdu), _dump(self.transformer)],
            "site": [_dump(self.chiller), _dump(self.climate), _dump(self.grid)],
            "jobs": {of.job.name: [_dump(of.model), _dump(of.software)] for of in self.jobs},
        }


def _dump(part: Value | None) -> dict[str, Any] | None:
    return None if part is None else part.model_dump(mode="python")  # floats as they are, no text to be made of them


def resolve(loaded: Loaded) -> Inventory:
    """Look every part of a scenario up.

    Raises
    ------
    ScenarioError
        With all unknown names and all malformed parts of the user.
    """
    shelf = Shelf(loaded.scenario.parts)
    problems = dict.fromkeys([*_own_problems(loaded, shelf), *_reference_problems(loaded, shelf)])
    if problems:
        raise ScenarioError(list(problems))
    return _inventory(loaded.scenario, shelf)


def _own_problems(loaded: Loaded, shelf: Shelf) -> Iterator[Problem]:
    for kind, mine in loaded.scenario.parts.items():
        if kind not in KINDS:
            yield loaded.problem(
                f"parts.{kind}", quoted(kind), f"a kind of part: {', '.join(KINDS)}", nearest(kind, KINDS)
            )
            continue
        for name in mine:
            try:
                part = shelf.part(kind, name)
            except PartError as error:
                for fault in error.faults:
                    path = ".".join(filter(None, ("parts", error.kind, error.name, fault.field)))
                    yield loaded.problem(path, fault.found, fault.expected, fault.suggestion)
            else:
                for field, inner, target in _inside(part):
                    yield from _missing(loaded, shelf, (inner, target), f"parts.{kind}.{name}.{field}")


def _inside(part: Value) -> Iterator[tuple[str, str, str]]:
    """Yield what a part names in turn: its field, and the kind and name of the other part."""
    match part:
        case Accelerator(generation=str(generation)):
            yield "generation", "generations", generation
        case Server():
            yield "accelerator", "accelerators", part.accelerator
            yield "psu", "psus", part.psu
            for field in ("link", "pcie", "socket_link", "host_link"):
                if (link := getattr(part, field)) is not None:
                    yield field, "links", link
        case Switch():
            yield "link", "links", part.link


def _missing(loaded: Loaded, shelf: Shelf, target: tuple[str, str], path: str) -> Iterator[Problem]:
    kind, name = target
    if name not in shelf.names(kind):
        known = shelf.names(kind)
        yield loaded.problem(
            path, quoted(name), f"{a(kind)} of the catalogue ({', '.join(known)})", nearest(name, known)
        )


def _reference_problems(loaded: Loaded, shelf: Shelf) -> Iterator[Problem]:
    for path, kind, name in _references(loaded.scenario):
        yield from _missing(loaded, shelf, (kind, name), path)


def _references(scenario: Scenario) -> Iterator[tuple[str, str, str]]:
    """Yield every part that the scenario names: where, and its kind and name."""
    site, cluster = scenario.site, scenario.cluster
    if isinstance(site.climate, str):
        yield "site.climate", "climates", site.climate
    if isinstance(site.grid, str):
        yield "site.grid", "grids", site.grid
    yield "site.power.ups", "ups", site.power.ups
    yield "site.power.pdu", "pdus", site.power.pdu
    yield "site.power.transformer", "transformers", site.power.transformer
    yield "site.cooling.chiller", "chillers", site.cooling.chiller
    for pool in cluster.servers:
        yield f"cluster.servers.{pool.name}.type", "servers", pool.type
    yield "cluster.network.switch", "switches", cluster.network.switch
    if cluster.storage:
        yield "cluster.storage.server", "storage-servers", cluster.storage.server
        yield "cluster.storage.disks.type", "disks", cluster.storage.disks.type
    for job in scenario.jobs:
        if isinstance(job.model, str):
            yield f"jobs.{job.name}.model", MODELS, job.model
        yield f"jobs.{job.name}.software", "software", job.software


def _inventory(scenario: Scenario, shelf: Shelf) -> Inventory:
    site, cluster = scenario.site, scenario.cluster
    switch = shelf.take(Switch, cluster.network.switch)
    return Inventory(
        pools=tuple(_pool(pool, shelf) for pool in cluster.servers),
        storage=None if cluster.storage is None else _storage(cluster.storage, shelf),
        switch=switch,
        fabric_link=shelf.take(Link, switch.link).model_copy(update={"rate": cluster.network.link}),
        ups=shelf.take(Ups, site.power.ups),
        pdu=shelf.take(Pdu, site.power.pdu),
        transformer=shelf.take(Transformer, site.power.transformer),
        chiller=shelf.take(Chiller, site.cooling.chiller),
        climate=shelf.take(Climate, site.climate) if isinstance(site.climate, str) else site.climate,
        grid=shelf.take(Grid, site.grid) if isinstance(site.grid, str) else _custom(site.grid),
        jobs=tuple(JobParts(job, _model(job, shelf), shelf.take(Software, job.software)) for job in scenario.jobs),
    )


def _pool(pool: ServerPool, shelf: Shelf) -> PoolParts:
    server = shelf.take(Server, pool.type)
    named = (server.link, server.pcie, server.socket_link, server.host_link)
    link, pcie, between, host = (None if name is None else shelf.take(Link, name) for name in named)
    accelerator, psu = shelf.take(Accelerator, server.accelerator), shelf.take(Psu, server.psu)
    return PoolParts(pool, server, accelerator, link, psu, pcie, between, host)


def _storage(storage: Storage, shelf: Shelf) -> StorageParts:
    return StorageParts(shelf.take(StorageServer, storage.server), shelf.take(Disk, storage.disks.type))


def _model(job: Job, shelf: Shelf) -> Model:
    return shelf.model(job.model) if isinstance(job.model, str) else job.model


def _custom(grid: CustomGrid) -> Grid:
    # Its values were validated where they were read; here they are floats already.
    return Grid.model_construct(
        title="described in the scenario",
        carbon=grid.carbon.value,
        scope=grid.carbon.scope,
        price=grid.price,
        water=grid.water,
    )
