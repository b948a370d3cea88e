"""What to write in place of a parallel plan that does not fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dcsim.estimate.auto_plan import keys
from dcsim.estimate.job_plan import JobPlan
from dcsim.estimate.plan_search import Found, Question, enough, nearest_fitting
from dcsim.estimate.work import Work
from dcsim.parallel.offload import Offload
from dcsim.scenario.transformers import Decoder


def remedy(plan: JobPlan, work: Work, capacity: float) -> str:
    """Return the plan of as many accelerators that fits ``capacity`` [B] with the fewest keys changed, in words."""
    model, ranks = plan.parts.model, plan.program.ranks
    if not isinstance(model, Decoder):
        raise TypeError("only decoders have plans")
    question = Question(
        model,
        ranks,
        plan.parts.job.batch.global_,
        domain=round(float(work.links.domain[0])),
        memory_bytes=capacity,
        replicas=round(float(work.plan.replicas[0])),
        adapters=float(work.plan.adapters[0]),
        host_bytes=plan.host_memory,
        of_server=plan.accelerators_per_server,
    )
    work = replace(work, kept=replace(work.kept, group=np.ones(1)))  # no search has layers by number
    found = nearest_fitting(work, work.plan, question)
    if not len(found):
        return more(work, question) + _with_host(plan, work, question)
    return f"the nearest plan that fits is {_block(found, plan)}"


def _with_host(plan: JobPlan, work: Work, question: Question) -> str:
    """Return the nearest plan that fits once the host takes what is used once a step, in words; none: nothing."""
    if work.offload.there:
        return ""
    one = np.ones(1)
    found = nearest_fitting(replace(work, offload=Offload(optimizer=one, gradients=one)), work.plan, question)
    if not len(found):
        return ""
    return f", or leave states to the host: {_block(found, plan, offload=('optimizer', 'gradients'))}"


def _block(found: Found, plan: JobPlan, **more: object) -> str:
    """Return the first of some plans as a scenario has it, with ``more`` keys."""
    chosen = keys(found.plans, 0, plan.parts.job.parallel) | more
    return f"parallel: {_written(chosen)} with batch.micro: {round(float(found.plans.micro[0]))}"


def _written(value: object) -> str:
    """Return a value as a scenario has it: words of any case, blocks without quotes, lists in brackets."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_written(item)}' for key, item in value.items())}}}"
    return str(value).lower()


def more(work: Work, question: Question) -> str:
    """Return how many accelerators would do, in words, where no plan on those that there are fits."""
    times = enough(work, question)
    instead = f"{times * question.ranks:,} have one that does" if times else "take a smaller model"
    return f"no plan on {question.ranks:,} accelerator{'s' * (question.ranks > 1)} fits: {instead}"
