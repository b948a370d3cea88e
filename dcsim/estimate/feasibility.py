"""Whether a scenario can be simulated at all: what does not fit is refused before anything runs."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from math import ceil, floor, log10
from pathlib import Path
from typing import TYPE_CHECKING

from dcsim import units
from dcsim.catalogue.inventory import Inventory
from dcsim.errors import InputError, Problem
from dcsim.estimate import background, insides
from dcsim.parallel.legal import faults
from dcsim.scenario.datasets import OF_SCIKIT_LEARN
from dcsim.scenario.faults import ServerFault
from dcsim.scenario.inference import refused
from dcsim.scenario.parallel import Hierarchical, Library
from dcsim.scenario.root import Scenario
from dcsim.scenario.suggest import nearest, quoted
from dcsim.scenario.transformers import Decoder
from dcsim.scenario.user import UserModel
from dcsim.scenario.workload import Job

if TYPE_CHECKING:
    from dcsim.estimate.job_plan import JobPlan
    from dcsim.network.collectives import Interconnect
    from dcsim.network.topologies.base import MisfitError

_PORTS = range(2, 4097, 2)  # that a switch may have

Report = Callable[..., Problem]


def structure(scenario: Scenario, inventory: Inventory, report: Report, folder: Path = Path()) -> Iterator[Problem]:
    """Yield what cannot be built or placed, before any model is traced; ``folder`` is the scenario's."""
    for job in scenario.jobs:
        yield from _placeable(job, inventory, report)
        yield from _data(job, report)
        yield from _search(job, report)
    yield from _serves(inventory, report)
    yield from _splits(inventory, report)
    storage = scenario.cluster.storage
    if storage is not None and storage.protection.replicas > storage.nodes:
        yield report(
            "cluster.storage.protection.replicas",
            str(storage.protection.replicas),
            f"at most {storage.nodes}, the number of storage nodes",
        )
    broken = [*insides.problems(scenario, inventory, report), *_network(scenario, inventory, report, folder)]
    yield from broken
    if not broken:
        yield from _faults(scenario, inventory, report, folder)
        yield from background.problems(scenario, inventory, report)
    yield from _feed_and_plant(scenario, inventory, report)


def reductions(plans: tuple[JobPlan, ...], report: Report) -> Iterator[Problem]:
    """Yield the jobs that name an algorithm which no library has on their servers."""
    for plan in plans:
        named, net = plan.parts.job.parallel.reduction, plan.library
        if not isinstance(named, Library) or net is None or plan.program.ranks < 2:
            continue
        if not _reduces(plan, named, net):
            yield report(
                f"jobs.{plan.parts.job.name}.parallel.reduce.algorithm",
                " with ".join(filter(None, (named.algorithm, named.protocol))),
                f"what {net.gpu.title} can do; in the switch only with Simple, where the switch can add",
            )


def _reduces(plan: JobPlan, named: Library, net: Interconnect) -> bool:
    """Return whether the named algorithm can reduce the gradients of a job."""
    from dcsim.estimate.library import choice_of  # brings NumPy
    from dcsim.network.collectives import RankGroup, collective_time

    try:
        group = RankGroup(plan.program.ranks, plan.accelerators_per_server)
        collective_time("all-reduce", 1.0, group, net, choice_of(named))
    except InputError:
        return False
    return True


def _faults(scenario: Scenario, inventory: Inventory, report: Report, folder: Path) -> Iterator[Problem]:
    """Yield the faults of links and switches that the network does not have."""
    faults = [(i, fault) for i, fault in enumerate(scenario.faults) if not isinstance(fault, ServerFault)]
    if not faults:
        return
    from dcsim.estimate.fabric_plan import fabric_layout  # brings NumPy
    from dcsim.network.links import Links

    links = Links(fabric_layout(scenario, inventory, folder))
    names = {"link": links.names, "switch": links.switch_names()}
    for number, fault in faults:
        known = names[fault.kind]
        if fault.target not in known:
            example = f'a {fault.kind} as the table of links prints it, such as "{known[-1]}"'
            yield report(f"faults.{number}.target", quoted(fault.target), example, nearest(fault.target, known))


def memory(plans: tuple[JobPlan, ...], report: Report) -> Iterator[Problem]:
    """Yield the jobs whose replica does not fit an accelerator."""
    for plan in plans:
        capacity = plan.device.accelerator.memory
        if plan.memory.total_bytes > capacity:
            yield _too_large(plan, capacity, report)
        elif plan.memory.host_bytes * plan.ranks_of_server > plan.host_memory:
            yield _too_large_for_host(plan, capacity, report)


def hosts(scenario: Scenario, inventory: Inventory) -> int:
    """Return the number of network cards that the fabric joins."""
    servers = sum(parts.pool.count * parts.server.nics for parts in inventory.pools)
    storage = scenario.cluster.storage
    return servers + (storage.nodes * inventory.storage.server.nics if storage and inventory.storage else 0)


def _placeable(job: Job, inventory: Inventory, report: Report) -> Iterator[Problem]:
    pools = inventory.pools_for(job)
    yield from _groups(job, [inventory.pools[number].server.accelerators for number in pools[:1]], report)
    if not pools:
        sizes = [p.pool.count * p.server.accelerators for p in inventory.pools if job.servers in (None, p.pool.name)]
        where = f"pool {job.servers}" if job.servers else "the largest pool"
        found = f"{job.ranks} ranks"
        key = "model.mesh" if job.ranks != job.parallel.ranks else "parallel.data"
        key = "parallel" if job.parallel.split else key
        rule = f"at most {max(sizes)}, the accelerators of {where}{_fewer(job, max(sizes))}"
        yield report(f"jobs.{job.name}.{key}", found, rule)
    if job.checkpoint is not None and inventory.storage is None:
        yield report(f"jobs.{job.name}.checkpoint", "no storage to write to", "a section cluster.storage")


def _fewer(job: Job, most: int) -> str:
    """Return the most replicas that ``most`` accelerators hold and the batch allows, in words; none: nothing."""
    others, batch = job.ranks // job.parallel.data, job.batch
    choices = (data for data in range(most // others, 0, -1) if batch.global_ % (batch.micro * data) == 0)
    data = next(choices, None) if job.ranks == job.parallel.ranks else None
    return "" if data is None else f": the nearest is parallel.data: {data}"


def _splits(inventory: Inventory, report: Report) -> Iterator[Problem]:
    """Yield what keeps models from being split as their jobs' plans say."""
    for parts in inventory.jobs:
        if parts.job.parallel.split and isinstance(parts.model, Decoder):
            for fault in faults(parts.job.parallel, parts.model, parts.job.batch):
                yield report(f"jobs.{parts.job.name}.parallel.{fault.key}", fault.found, fault.expected)


def _serves(inventory: Inventory, report: Report) -> Iterator[Problem]:
    """Yield what a job asks of a model that the model cannot do."""
    for parts in inventory.jobs:
        inference = parts.job.inference
        if inference is not None and not isinstance(parts.model, UserModel):
            problem = refused(parts.model, inference)
            if problem is not None:
                yield report(f"jobs.{parts.job.name}.inference.{problem.at}", problem.found, problem.expected)


def _data(job: Job, report: Report) -> Iterator[Problem]:
    """Yield a data set whose package is not installed."""
    if job.execute is not None and job.execute.data in OF_SCIKIT_LEARN and find_spec("sklearn") is None:
        yield report(
            f"jobs.{job.name}.execute.data",
            f'"{job.execute.data}" without scikit-learn',
            'python-docs, or the extra that brings scikit-learn: python -m pip install "dcsim[data]"',
        )


def _search(job: Job, report: Report) -> Iterator[Problem]:
    """Yield a search without the package that proposes trials."""
    if job.search is not None and find_spec("optuna") is None:
        yield report(
            f"jobs.{job.name}.search",
            "a search without Optuna",
            'the extra that brings it: python -m pip install "dcsim[search]"',
        )


def _groups(job: Job, accelerators: list[int], report: Report) -> Iterator[Problem]:
    """Yield a hierarchical reduction whose groups, the servers, are not all full."""
    reduction, ranks = job.parallel.reduction, job.parallel.data
    for each in accelerators:
        if isinstance(reduction, Hierarchical) and reduction.group is None and ranks > each and ranks % each:
            yield report(
                f"jobs.{job.name}.parallel.data",
                f"{ranks} ranks, the last server not full",
                f"a multiple of {each}, the accelerators of a server, or a group for the hierarchical reduction",
            )


def _network(scenario: Scenario, inventory: Inventory, report: Report, folder: Path) -> Iterator[Problem]:
    if scenario.cluster.network.kind != "fat-tree":
        yield from _wired(scenario, inventory, report, folder)
        return
    radix, count = scenario.cluster.network.radix, hosts(scenario, inventory)
    if radix is not None and (radix % 2 or radix**3 // 4 < count):
        # Imported where it is needed: it brings NumPy and NetworkX, and checking a scenario is to stay fast.
        from dcsim.network.topology import smallest_radix

        least = smallest_radix(count)
        yield report(
            "cluster.network.radix",
            str(radix),
            f"an even number of ports, at least {least}: the fat-tree joins {count} network cards",
        )


def _wired(scenario: Scenario, inventory: Inventory, report: Report, folder: Path) -> Iterator[Problem]:
    """Yield a topology that cannot join all network cards."""
    error = _misfit(scenario, inventory, folder)
    if error is None:
        return
    expected = error.expected
    if error.key == "radix":
        expected += _enough_ports(scenario, inventory, folder)
    yield report(f"cluster.network.{error.key}", error.found, expected)


def _enough_ports(scenario: Scenario, inventory: Inventory, folder: Path) -> str:
    """Return with how many ports a switch the topology joins all network cards, in words; more ports join no fewer."""

    def joins(ports: int) -> bool:
        network = scenario.cluster.network.model_copy(update={"radix": ports})
        cluster = scenario.cluster.model_copy(update={"network": network})
        return _misfit(scenario.model_copy(update={"cluster": cluster}), inventory, folder) is None

    place = bisect_left(_PORTS, True, key=joins)
    return f": radix: {_PORTS[place]} at least" if place < len(_PORTS) else ", which no switch has"


def _misfit(scenario: Scenario, inventory: Inventory, folder: Path) -> MisfitError | None:
    """Return why the topology cannot join all network cards, None where it can."""
    from dcsim.estimate.fabric_plan import fabric_layout  # brings NumPy
    from dcsim.network.topologies.base import MisfitError

    try:
        layout = fabric_layout(scenario, inventory, folder)
        if layout.topology is not None:
            layout.topology.facts(layout.cards)
    except MisfitError as error:
        return error
    return None


def _feed_and_plant(scenario: Scenario, inventory: Inventory, report: Report) -> Iterator[Problem]:
    """Yield a power feed or cooling plant that cannot carry servers and storage even while they do nothing."""
    site = scenario.site
    given = {
        "site.power.capacity": (site.power.capacity, "1.25 x the equipment's ratings"),
        "site.cooling.capacity": (site.cooling.capacity, "1.2 x the electrical capacity"),
    }
    if all(capacity is None for capacity, _ in given.values()):
        return
    idle_w = _idle_power(inventory) + _storage_power(scenario, inventory)
    drawing = "the servers" if inventory.storage is None else "servers and storage nodes"
    for path, (capacity, default) in given.items():
        if capacity is not None and capacity < idle_w:
            least = units.show(_up_to_three_digits(idle_w), "W")
            expected = f"at least {least}, what {drawing} draw while idle; leave it out for {default}"
            yield report(path, units.write(capacity, "power"), expected)


def _idle_power(inventory: Inventory) -> float:
    """Return what all servers draw behind their power supplies without any job [W]."""
    from dcsim.compute.server import ServerSpec, component_powers  # brings NumPy

    specs = ((ServerSpec(pool.pool.name, pool.server, pool.accelerator), pool.pool.count) for pool in inventory.pools)
    return sum(count * sum(component_powers(spec, "idle").values()) for spec, count in specs)


def _storage_power(scenario: Scenario, inventory: Inventory) -> float:
    """Return what all storage nodes draw while nobody reads or writes [W]."""
    spec, parts = scenario.cluster.storage, inventory.storage
    if spec is None or parts is None:
        return 0.0
    return spec.nodes * (parts.server.idle + spec.disks.count * parts.disk.idle)


def _up_to_three_digits(value: float) -> float:
    """Round up, so that the value that is asked for is one that will do."""
    step = 10.0 ** (floor(log10(value)) - 2)
    return ceil(value / step) * step


def _too_large(plan: JobPlan, capacity: float, report: Report) -> Problem:
    needed = plan.memory.total_bytes
    missing = units.show(needed - capacity, "B")
    title = plan.device.accelerator.title
    return report(
        f"jobs.{plan.parts.job.name}.model",
        f"{units.show(needed, 'B')} a rank ({plan.memory})",
        f"at most {units.show(capacity, 'B')}, the memory of {title}: {missing} are missing; {_remedy(plan, capacity)}",
    )


def _too_large_for_host(plan: JobPlan, capacity: float, report: Report) -> Problem:
    each, ranks = plan.memory.host_bytes, plan.ranks_of_server
    found = f"{units.show(each, 'B')} a rank, {units.show(each * ranks, 'B')} for the {ranks} of a server"
    own = f"at most {units.show(plan.host_memory, 'B')}, the memory of its host"
    return report(f"jobs.{plan.parts.job.name}.parallel.offload", found, f"{own}: {_remedy(plan, capacity)}")


def _remedy(plan: JobPlan, capacity: float) -> str:
    """Return the largest micro batch that fits and divides a rank's samples, or the nearest plan, if there is one."""
    if plan.split is not None:
        from dcsim.estimate.smaller_plan import remedy  # brings NumPy

        return remedy(plan, plan.split.work, capacity)
    batch, memory = plan.parts.job.batch, plan.memory
    growing = memory.activations_bytes + memory.cache_bytes
    room = capacity - (memory.total_bytes - growing)
    share = batch.global_ // plan.program.ranks
    fitting = [micro for micro in range(1, batch.micro) if share % micro == 0]
    fitting = [micro for micro in fitting if growing * micro / batch.micro <= room]
    if fitting:
        return f"write batch.micro: {max(fitting)}"
    split = "split it with parallel: auto, or " if isinstance(plan.parts.model, Decoder) else ""
    return f"even one sample at a time does not fit: {split}take a smaller model"
