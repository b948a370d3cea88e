"""From a scenario whose plans are known to everything that a run needs and no event changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dcsim import __version__
from dcsim.catalogue import Shelf
from dcsim.catalogue.inventory import Inventory, JobParts, PoolParts
from dcsim.errors import InputError, Problem, ScenarioError
from dcsim.estimate import feasibility
from dcsim.estimate.job_plan import JobPlan, job_plan
from dcsim.estimate.tracing import permit, traced
from dcsim.scenario.dump import digest_input
from dcsim.scenario.load import Loaded
from dcsim.scenario.parallel import Library
from dcsim.scenario.user import UserModel
from dcsim.workload.user import code_of

if TYPE_CHECKING:
    from dcsim.estimate.chosen import Chosen  # brings NumPy

_SHORT = 12


@dataclass(frozen=True)
class Prepared:
    """A scenario whose names are known and whose jobs are traced, planned and found to fit."""

    loaded: Loaded
    inventory: Inventory
    jobs: tuple[JobPlan, ...]
    digest: str
    choices: tuple[Chosen, ...] = ()
    """The plans that the scenario leaves to be chosen, and why they were."""

    @property
    def folder_name(self) -> str:
        """Name of the run's folder: the scenario's name and the beginning of its digest."""
        return f"{self.loaded.scenario.name}-{self.digest[:_SHORT]}"


def ready(loaded: Loaded, inventory: Inventory, allow_code: bool = False) -> Prepared:
    """Trace and plan all jobs, none of which leaves its plan open, and refuse what cannot be simulated.

    Raises
    ------
    ScenarioError
        With every problem of the first phase that has any: structure, leave to execute code, memory.
    """
    _refuse(feasibility.structure(loaded.scenario, inventory, loaded.problem, loaded.folder))
    permit(loaded, inventory, allow_code)
    jobs = tuple(plan_of(parts, loaded, inventory) for parts in inventory.jobs)
    _refuse([*feasibility.memory(jobs, loaded.problem), *feasibility.reductions(jobs, loaded.problem)])
    return Prepared(loaded, inventory, jobs, question(loaded, inventory, jobs))


def _refuse(problems: Iterable[Problem]) -> None:
    found = list(problems)
    if found:
        raise ScenarioError(found)


def trial_plan(parts: JobParts, prepared: Prepared) -> JobPlan:
    """Return the plan of a trial.

    Raises
    ------
    InputError
        If it cannot be placed or does not fit an accelerator.
    """
    loaded, inventory = prepared.loaded, prepared.inventory
    if not inventory.pools_for(parts.job):
        raise InputError(f"found {parts.job.ranks} ranks, expected no more than a server pool has accelerators")
    plan = plan_of(parts, loaded, inventory)
    capacity = plan.device.accelerator.memory
    if plan.memory.total_bytes > capacity:
        raise InputError(f"found {plan.memory.total_bytes:.4g} B a rank, expected at most {capacity:.4g} B")
    return plan


def plan_of(parts: JobParts, loaded: Loaded, inventory: Inventory) -> JobPlan:
    """Return the plan of a job that can be placed."""
    chosen = inventory.pools_for(parts.job)[0]
    first = sum(pool.pool.count for pool in inventory.pools[:chosen])
    pool = inventory.pools[chosen]
    servers = frozenset(range(first, first + pool.pool.count))
    if parts.job.parallel.split:
        return split_plan(parts, loaded, pool, servers)
    plan = job_plan(parts, traced(parts, loaded), pool, servers)
    if not isinstance(parts.job.reduction, Library):
        return plan
    from dcsim.estimate import library  # brings NumPy

    ranks = min(plan.program.ranks, plan.accelerators_per_server)
    return replace(plan, library=library.interconnect(loaded.scenario, inventory, pool, ranks))


def split_plan(parts: JobParts, loaded: Loaded, pool: PoolParts, servers: frozenset[int]) -> JobPlan:
    """Return the plan of a job that is split over accelerators by more than its data.

    Raises
    ------
    ScenarioError
        If no measured times are known for its model, its accelerators or its software.
    """
    # Imported where it is needed: it brings NumPy, and loading other scenarios is to stay fast.
    from dcsim.estimate.plan_work import Missing, setting_of, work_of
    from dcsim.estimate.split_plan import split_job_plan

    setting = setting_of(parts, pool, Shelf(loaded.scenario.parts))
    if isinstance(setting, Missing):
        key = f"jobs.{parts.job.name}.{setting.key}"
        raise ScenarioError([loaded.problem(key, setting.found, setting.expected)])
    work = work_of(parts, pool, setting, loaded.scenario.cluster.network.link)
    plan = split_job_plan(parts, work, pool, servers)
    return plan if plan.split is None else replace(plan, split=replace(plan.split, fitted=setting.fitted))


def question(loaded: Loaded, inventory: Inventory, jobs: Iterable[JobPlan] = ()) -> str:
    """Return the digest of what is asked: scenario, parts inlined, files it names, version."""
    text = json.dumps(
        {"scenario": digest_input(loaded.scenario), "parts": inventory.canonical(), "dcsim": __version__},
        sort_keys=True,
        default=str,
    )
    digest = hashlib.blake2b(text.encode(), digest_size=20)
    for parts in inventory.jobs:
        if isinstance(parts.model, UserModel):
            digest.update(code_of(parts.model, loaded.folder).digest().encode())
    for part in (loaded.scenario.site.climate, loaded.scenario.cluster.network.topology):
        file = getattr(part, "file", None)
        if file is not None:
            digest.update((loaded.path.parent / file).read_bytes())
    for plan in jobs:
        if plan.library is not None:  # parts that no other part names
            digest.update(repr(plan.library).encode())
        if plan.split is not None:
            digest.update(repr(plan.split.work).encode())
    return digest.hexdigest()
