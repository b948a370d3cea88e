"""A job under a parallel plan, as the cluster runs it."""

from __future__ import annotations

from dcsim.catalogue.inventory import JobParts, PoolParts
from dcsim.estimate.device import Device
from dcsim.estimate.host import lacking
from dcsim.estimate.job_plan import JobPlan
from dcsim.estimate.planned import planned_step
from dcsim.estimate.rank_memory import host_memory, rank_memory
from dcsim.estimate.split import SplitPlan
from dcsim.estimate.work import Work
from dcsim.parallel.adapters import adapter_parameters
from dcsim.parallel.memory import RankMemory
from dcsim.parallel.routing import dropped_share
from dcsim.parallel.shape import matrix_parameters
from dcsim.scenario.parallel import Schedule
from dcsim.scenario.transformers import Decoder
from dcsim.workload.operation import StepCosts

_STATE_BYTES = 12  # an element's master weight and two moments in 32 bits


def split_job_plan(parts: JobParts, work: Work, pool: PoolParts, servers: frozenset[int]) -> JobPlan:
    """Return the plan of a job that is split, on a pool whose servers have the indices ``servers``."""
    job, model = parts.job, parts.model
    if not isinstance(model, Decoder):
        raise TypeError("only decoders have plans")
    costs = _costs(work, model)
    sample = costs.sample_bytes if job.sample_size is None else job.sample_size
    schedule = job.parallel.scheduled
    split = SplitPlan(work, schedule, job.batch.global_ * sample / job.ranks, planned_step(work, schedule))
    return JobPlan(
        parts,
        costs,
        split.at(1.0).program,
        Device(pool.accelerator, parts.software),
        _memory(work, schedule),
        servers,
        pool.server.accelerators,
        split=split,
        host_memory=0.0 if lacking(pool.server) else pool.server.host_memory,
    )


def _costs(work: Work, model: Decoder) -> StepCosts:
    """Return what of a step's costs does not depend on the plan; its operations are in closed form, none is traced."""
    shape = work.shape
    elements = float((matrix_parameters(shape) + (1.0 - shape.tied) * shape.hidden * shape.vocabulary)[0])
    few = float(adapter_parameters(shape, work.adapters)[0])
    kept = few if work.plan.adapters[0] > 0 else elements  # what a checkpoint holds
    return StepCosts(
        operations=(),
        order=(),
        gradients=(),
        parameters=round(elements + few),
        parameter_bytes=kept * float(work.precision.weight_bytes[0]),
        optimizer_bytes=kept * _STATE_BYTES,
        residual_bytes=0.0,
        sample_bytes=model.sample_bytes,
        tokens_per_sample=model.tokens_per_sample,
        warnings=_wide(work) + _dropped(work),
    )


def _dropped(work: Work) -> tuple[str, ...]:
    """Say how many tokens find no place, which the loss of a training would show."""
    share = float(dropped_share(work.routing)[0])
    return (f"{100.0 * share:.3g} % of the tokens routed to the busiest rank are dropped",) if share > 0.0 else ()


def _wide(work: Work) -> tuple[str, ...]:
    """Say that tensor groups leave their domain, where a step does little but wait for them."""
    tensor, domain = round(float(work.plan.tensor[0])), round(float(work.links.domain[0]))
    if tensor <= domain:
        return ()
    return (f"tensor groups of {tensor} leave the {domain} accelerators that fast links join",)


def _memory(work: Work, schedule: Schedule) -> RankMemory:
    """Return what the fullest rank holds; logits, and layers gathered for the moment, count as activations."""
    keeps_all = schedule == "gpipe"
    found = rank_memory(work, keeps_all)
    return RankMemory(
        weights_bytes=float(found.weights[0]),
        gradients_bytes=float(found.gradients[0]),
        optimizer_bytes=float(found.optimizer[0]),
        activations_bytes=float((found.activations + found.logits + found.gathered)[0]),
        host_bytes=float(host_memory(work, keeps_all)[0]),
    )
