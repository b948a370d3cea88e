"""Build the data center of a scenario: servers, fabric, storage, facility, jobs, failures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dcsim.catalogue.inventory import Inventory
from dcsim.cluster.background import Background
from dcsim.cluster.failures import Failures
from dcsim.cluster.hall import Hall
from dcsim.cluster.job import TrainingJob
from dcsim.cluster.learning import Learner
from dcsim.cluster.outages import Outages
from dcsim.cluster.placement import Choice, rack_aware, scattered
from dcsim.cluster.records import Records
from dcsim.cluster.scheduler import Scheduler
from dcsim.cluster.search import SearchJob
from dcsim.cluster.store import Store
from dcsim.compute.fleet import Fleet
from dcsim.compute.server import ServerSpec
from dcsim.engine import Clock, Level, Recorder, Streams
from dcsim.errors import InputError
from dcsim.estimate.fabric_plan import fabric_layout
from dcsim.estimate.job_plan import JobPlan
from dcsim.facility.plan import FacilityPlan
from dcsim.facility.power import SupplyBank
from dcsim.facility.site import Facility
from dcsim.network.equipment import Equipment, equipment
from dcsim.network.fabric import Fabric
from dcsim.parallel.schedule import ring_all_reduce
from dcsim.scenario.faults import ServerFault
from dcsim.scenario.parallel import Federated
from dcsim.scenario.root import Scenario
from dcsim.scenario.search import Search
from dcsim.scenario.user import UserModel
from dcsim.simulate.link_series import follow_links
from dcsim.simulate.ready import Prepared, trial_plan
from dcsim.storage.volume import Volume


@dataclass(frozen=True)
class DataCenter:
    """Everything that moves in a run."""

    prepared: Prepared
    clock: Clock
    recorder: Recorder
    hall: Hall
    facility: Facility
    jobs: tuple[TrainingJob, ...]
    searches: tuple[SearchJob, ...]
    backgrounds: tuple[Background, ...]
    outages: Outages
    equipment: Equipment
    switch_power: Level

    @property
    def lives(self) -> tuple[TrainingJob | SearchJob, ...]:
        """The jobs and the searches."""
        return (*self.jobs, *self.searches)

    @property
    def every_job(self) -> tuple[TrainingJob, ...]:
        """The jobs, and those of all trials so far."""
        return (*self.jobs, *(job for search in self.searches for job in search.jobs))


def assemble(prepared: Prepared, seed: int) -> DataCenter:
    """Return the data center of a scenario at time zero, its jobs and failures ready to begin."""
    scenario, inventory = prepared.loaded.scenario, prepared.inventory
    clock, streams = Clock(), Streams(seed)
    recorder = Recorder(clock, scenario.record.series, scenario.record.every_change)
    names = server_names(inventory)
    fabric = Fabric(clock, fabric_layout(scenario, inventory, prepared.loaded.folder), streams)
    fleet = Fleet(clock, recorder, _specs(inventory))
    store = _store(clock, prepared, fabric, streams)
    cap = Level(clock, "clock cap", "1", 1.0)
    scheduler = Scheduler(clock, _racks(inventory), _choice(scenario, streams))
    hall = Hall(clock, fabric, fleet, store, scheduler, cap, streams, Records(recorder), scenario.detail == "step")
    bought = equipment(fabric.wiring, inventory.switch.ports)
    switch_power = Level(clock, "switches", "W", bought.switches * inventory.switch.power)
    facility = Facility(clock, recorder, _facility_plan(prepared, hall, _other_power(hall, switch_power, recorder)))
    jobs = tuple(
        TrainingJob(plan, hall, number, _learner(plan, seed))
        for number, plan in enumerate(prepared.jobs)
        if plan.parts.job.search is None
    )
    planned = [(plan, plan.parts.job.search) for plan in prepared.jobs]
    searches = tuple(_search(plan, search, hall, (prepared, seed)) for plan, search in planned if search is not None)
    outages = _start_failures(scenario, hall, names)
    backgrounds = tuple(Background(hall, spec) for spec in scenario.cluster.network.background)
    for background in backgrounds:
        clock.process(background.life())
    follow_links(clock, recorder, fabric)
    moving = (hall, facility, jobs, searches, backgrounds, outages)
    return DataCenter(prepared, clock, recorder, *moving, bought, switch_power)


def server_names(inventory: Inventory) -> list[str]:
    """Return the names of all servers, "pool/index", in the order of their indices."""
    return [f"{parts.pool.name}/{index}" for parts in inventory.pools for index in range(parts.pool.count)]


def _specs(inventory: Inventory) -> list[ServerSpec]:
    return [
        ServerSpec(f"{parts.pool.name}/{index}", parts.server, parts.accelerator)
        for parts in inventory.pools
        for index in range(parts.pool.count)
    ]


def _racks(inventory: Inventory) -> list[int]:
    """Return the rack of every server; a rack holds servers of one pool."""
    racks: list[int] = []
    for parts in inventory.pools:
        first = racks[-1] + 1 if racks else 0
        racks += [first + index // parts.pool.per_rack for index in range(parts.pool.count)]
    return racks


def _choice(scenario: Scenario, streams: Streams) -> Choice:
    if scenario.cluster.scheduler.placement == "scattered":
        return scattered(streams.generator("placement"))
    return rack_aware


def _store(clock: Clock, prepared: Prepared, fabric: Fabric, streams: Streams) -> Store | None:
    spec, parts = prepared.loaded.scenario.cluster.storage, prepared.inventory.storage
    if spec is None or parts is None:
        return None
    first = sum(pool.pool.count for pool in prepared.inventory.pools)
    return Store(clock, Volume(parts, spec, streams, first), fabric)


def _other_power(hall: Hall, switches: Level, recorder: Recorder) -> Level:
    """Return the power of switches and storage together [W], following both."""
    total = Level(
        hall.clock, "switches and storage", "W", switches.value + (hall.store.power.value if hall.store else 0.0)
    )
    recorder.follow(switches, "power")
    if hall.store is not None:
        recorder.follow(hall.store.power, "power")
        hall.store.power.watch(lambda power: total.set(switches.value + power.value))
    return total


def _facility_plan(prepared: Prepared, hall: Hall, other_power: Level) -> FacilityPlan:
    scenario, inventory = prepared.loaded.scenario, prepared.inventory
    pools = [parts for parts in inventory.pools for _ in range(parts.pool.count)]
    ratings = [parts.server.rated_power for parts in pools]
    return FacilityPlan(
        site=scenario.site,
        ups=inventory.ups,
        pdu=inventory.pdu,
        transformer=inventory.transformer,
        chiller=inventory.chiller,
        climate=inventory.climate,
        grid=inventory.grid,
        start=scenario.start,
        supplies=SupplyBank.of([parts.psu for parts in pools], ratings),
        rated_w=sum(ratings) + _rated_beside_servers(prepared, other_power),
        server_power=hall.fleet.power,
        other_power=other_power,
        cap=hall.cap,
        folder=prepared.loaded.folder,
    )


def _rated_beside_servers(prepared: Prepared, other_power: Level) -> float:
    """Return the most that switches and storage draw [W]: what they draw idle, and what work adds to storage."""
    spec, parts = prepared.loaded.scenario.cluster.storage, prepared.inventory.storage
    if spec is None or parts is None:
        return other_power.value
    swing_w = parts.server.active - parts.server.idle + spec.disks.count * (parts.disk.active - parts.disk.idle)
    return other_power.value + spec.nodes * swing_w


def _learner(plan: JobPlan, seed: int) -> Learner | None:
    job, spec, ranks = plan.parts.job, plan.parts.model, plan.program.ranks
    if job.execute is None or isinstance(spec, UserModel):
        return None
    if job.parallel.asynchronous:
        from dcsim.workload.asynchronous import AsynchronousExecution

        return AsynchronousExecution(spec, job, ranks, seed)
    if isinstance(job.parallel.reduction, Federated):
        from dcsim.workload.federated import FederatedExecution

        return FederatedExecution(spec, job, ranks, seed, ring_all_reduce(ranks // job.parallel.clients))
    from dcsim.workload.execute import Execution

    return Execution(spec, job, ranks, seed)


def _search(plan: JobPlan, search: Search, hall: Hall, origin: tuple[Prepared, int]) -> SearchJob:
    """Return a search whose trials are planned and computed as the jobs of the scenario are."""
    from dcsim.workload.search import Proposals

    prepared, seed = origin
    job = plan.parts.job
    every = job.execute.validate_.steps if job.execute and job.execute.validate_ else job.steps

    def make(name: str, arrive_s: float, settings: Mapping[str, Any]) -> tuple[JobPlan, Learner]:
        varied = job.varied(name, arrive_s, settings)
        model = plan.parts.model if isinstance(varied.model, str) else varied.model
        made = trial_plan(replace(plan.parts, job=varied, model=model), prepared)
        learner = _learner(made, seed)
        if learner is None:
            raise InputError("found a trial without math, expected a job that executes")
        return made, learner

    return SearchJob(plan, hall, search, (Proposals(search, -(-job.steps // every), seed, job.name), make))


def _start_failures(scenario: Scenario, hall: Hall, names: list[str]) -> Outages:
    failures, outages = Failures(hall, names), Outages(hall)
    for number, fault in enumerate(scenario.faults):
        if isinstance(fault, ServerFault):
            hall.clock.process(failures.scripted(names.index(fault.target), fault.at, fault.repair))
        else:
            hall.clock.process(outages.scripted(number, fault))
    reliability = scenario.cluster.reliability
    if reliability.server_mtbf is not None:
        for server in range(len(names)):
            hall.clock.process(failures.random(server, reliability.server_mtbf, reliability.repair))
    return outages
