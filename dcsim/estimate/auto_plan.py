"""The parallel plan of a job that leaves it to dcsim: what is asked, what is found, and the keys of a plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import Any

from dcsim import units
from dcsim.catalogue.inventory import Inventory, JobParts, PoolParts
from dcsim.catalogue.shelf import Shelf
from dcsim.compute.precision import flop_energy
from dcsim.errors import Problem, ScenarioError
from dcsim.estimate.plan_search import Found, Question, count, enough, search
from dcsim.estimate.plan_work import Missing, plan_of, setting_of, work_of
from dcsim.estimate.planned import whole_flops
from dcsim.estimate.work import Work
from dcsim.parallel.parallelism import Parallelism
from dcsim.scenario.load import Loaded
from dcsim.scenario.parallel import OF_CONTEXT, Parallel
from dcsim.scenario.transformers import Decoder
from dcsim.scenario.workload import Job

SHARDINGS = ("none", "optimizer", "gradients", "full")
_SIZES = ("data", "tensor", "pipeline", "virtual", "context", "expert")
_KEPT = (
    "reduce",
    "overlap",
    "bucket",
    "prefetch",
    "routing",
    "activations",
    "adapters",
    "offload",
    "shard_groups",
    *OF_CONTEXT,
)  # keys that no search chooses
_FAR = 64  # accelerators more or fewer among which a number that has plans is looked for


@dataclass(frozen=True, slots=True)
class Searched:
    """The plans of a job among which none beats another, and what they were searched for with.

    Cost is the purchase price of the servers over their life [USD/s] and the price of electricity [USD/J]: a sum of
    time and energy with weights, so that a plan which none beats in these has none that is cheaper and better too.
    """

    job: Job
    pool: PoolParts
    question: Question
    found: Found
    usd_per_s: float
    usd_per_j: float

    def changes(self, place: int) -> dict[str, Any]:
        """Return what writes the plan at ``place`` into the scenario: values by dotted path."""
        name = f"jobs.{self.job.name}"
        micro = round(float(self.found.plans.micro[place]))
        plan = keys(self.found.plans, place, self.job.parallel)
        return {f"{name}.parallel": plan, f"{name}.batch.micro": micro}


def searched(parts: JobParts, loaded: Loaded, inventory: Inventory) -> Searched:
    """Return the plans of a job with ``parallel: auto``.

    Raises
    ------
    ScenarioError
        If the job's model, accelerators or software have no plans, or none is legal or fits.
    """
    job, model = parts.job, parts.model
    pool = _pool(job, loaded, inventory)
    setting = setting_of(parts, pool, Shelf(loaded.scenario.parts))
    if isinstance(setting, Missing) or not isinstance(model, Decoder):
        missing = setting if isinstance(setting, Missing) else Missing("model", "no decoder", "a decoder")
        raise _refused(loaded, job, missing.key, missing.found, missing.expected)
    ranks = job.parallel.accelerators or pool.pool.count * pool.server.accelerators
    written = replace(parts, job=_written(job, ranks))
    work = work_of(written, pool, setting, loaded.scenario.cluster.network.link)
    question = Question(
        model,
        ranks,
        job.batch.global_,
        domain=round(float(work.links.domain[0])),
        memory_bytes=pool.accelerator.memory,
        active_w=pool.accelerator.active,
        work_j=whole_flops(work) * flop_energy(pool.accelerator, float(work.chip.rate[0])),
        zero_bubble=job.parallel.schedule == "zero-bubble",
        replicas=round(float(work.plan.replicas[0])),
        adapters=float(work.plan.adapters[0]),
        host_bytes=pool.server.host_memory,
        of_server=pool.server.accelerators,
        fixed=_fixed(job, model),
    )
    found = search(work, question)
    if not len(found):
        raise _refused(loaded, job, "parallel", *_nothing(work, question, pool))
    server = pool.server
    usd_per_s = ranks / server.accelerators * server.price / server.lifetime
    return Searched(job, pool, question, found, usd_per_s, inventory.grid.price)


def keys(plans: Parallelism, place: int, given: Parallel) -> dict[str, Any]:
    """Return a plan as the keys of a scenario, with those ``given`` that no search chooses; what says nothing is left
    out.
    """
    sizes = {name: round(float(getattr(plans, name)[place])) for name in _SIZES}
    found: dict[str, Any] = {name: size for name, size in sizes.items() if size > 1 or name == "data"}
    if plans.sequence[place]:
        found["sequence"] = True
    if plans.zero_bubble[place]:
        found["schedule"] = "zero-bubble"
    if plans.sharding[place]:
        found["sharding"] = SHARDINGS[round(float(plans.sharding[place]))]
    if plans.recomputed[place] or plans.recomputed_core[place]:
        found["recompute"] = "full" if plans.recomputed[place] else "selective"
    return found | _kept(given, found)


def _kept(given: Parallel, chosen: dict[str, Any]) -> dict[str, Any]:
    """Return the keys given that no search chooses, but those that say nothing beside what was chosen."""
    kept = given.model_dump(include=set(_KEPT), exclude_defaults=True)
    if isinstance(given.recompute, tuple) and chosen.get("recompute") != "full":
        others = [part for part in given.recompute if part != "attention"]
        kept["recompute"] = ["attention", *others] if "recompute" in chosen else others
    if given.bucket is not None:
        kept["bucket"] = f"{given.bucket:.17g} B"
    alone = () if "context" in chosen else OF_CONTEXT
    return {key: value for key, value in kept.items() if key not in alone}


def _written(job: Job, ranks: int) -> Job:
    """Return the job as replicas on all accelerators, from which its work but for the plan is made."""
    given = {key: getattr(job.parallel, key) for key in ("schedule", "expert", "sharding", *_KEPT)}
    if isinstance(job.parallel.recompute, tuple):
        given["recompute"] = job.parallel.recompute
    return job.model_copy(update={"parallel": Parallel.model_construct(data=ranks, **given)})


def _fixed(job: Job, model: Decoder) -> tuple[tuple[str, float], ...]:
    """Return the fields of plans that the job's keys fix."""
    given = job.parallel.model_fields_set
    whole = job.model_copy(update={"parallel": job.parallel.model_copy(update={"schedule": None})})
    plan = plan_of(whole, model)
    names = [name for name in (*_SIZES, "sequence", "sharding") if name in given]
    names += ["recomputed", "recomputed_core"] * ("recompute" in given)
    fixed = [(name, float(getattr(plan, name)[0])) for name in names]
    match job.parallel.schedule:
        case "zero-bubble":
            fixed.append(("zero_bubble", 1.0))
        case "1f1b" | "gpipe":
            fixed += [("zero_bubble", 0.0), ("virtual", 1.0)]
    return tuple(fixed)


def _pool(job: Job, loaded: Loaded, inventory: Inventory) -> PoolParts:
    """Return the pool in which the job will run: the first that holds all its accelerators, or the largest."""
    wanted = job.parallel.accelerators
    pools = [inventory.pools[number] for number in inventory.pools_for(_written(job, wanted or 1))]
    sizes = [pool.pool.count * pool.server.accelerators for pool in pools]
    if pools and wanted:
        return pools[0]
    if pools:
        return pools[sizes.index(max(sizes))]
    every = [pool.pool.count * pool.server.accelerators for pool in inventory.pools]
    rule = f"at most {max(every)}, the accelerators of the largest pool"
    raise _refused(loaded, job, "parallel.accelerators", str(wanted), rule)


def _nothing(work: Work, question: Question, pool: PoolParts) -> tuple[str, str]:
    """Return what was found and what is expected where no plan is left."""
    if len(search(work, replace(question, host_bytes=inf))):
        found = "no plan that leaves so little to the host"
        own = units.show(question.host_bytes / min(question.ranks, question.of_server), "B")
        return found, f"one within {own} a rank, its share of {pool.server.title}: take words out of parallel.offload"
    smallest = search(work, replace(question, memory_bytes=inf, host_bytes=inf))
    title, own = pool.accelerator.title, units.show(question.memory_bytes, "B")
    on = f"{question.ranks:,} accelerator{'s' * (question.ranks > 1)}"
    if len(smallest):
        least = units.show(float(smallest.memory_bytes.min()), "B")
        found = f"{smallest.looked_at:,} plans on {on}, of which the smallest needs {least}"
        times = enough(work, question)
        instead = f"{times * question.ranks:,} accelerators have one" if times else "take a smaller model"
        return found, f"a plan within {own}, the memory of {title}: {instead}"
    near = [n for d in range(1, _FAR) for n in (question.ranks - d, question.ranks + d) if n > 0]
    legal = [n for n in near if count(replace(question, ranks=n))][:2]
    rule = f"a number that some plan with a batch of {question.batch:,} divides"
    choices = f": the nearest are {' and '.join(map(str, sorted(legal)))}" if legal else "; free keys of parallel"
    return f"{on}, for which there is no plan", rule + choices


def _refused(loaded: Loaded, job: Job, key: str, found: str, expected: str) -> ScenarioError:
    problem: Problem = loaded.problem(f"jobs.{job.name}.{key}", found, expected)
    return ScenarioError([problem])
