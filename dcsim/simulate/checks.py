"""What must balance at the end of every run."""

from __future__ import annotations

from dcsim.cluster.job import TrainingJob
from dcsim.engine import Check
from dcsim.estimate.planned import whole_flops
from dcsim.simulate.assemble import DataCenter


def checks(center: DataCenter) -> list[Check]:
    """Return the conservation checks of a run: joules, bytes, FLOPs, seconds of jobs, jobs."""
    fabric, hall = center.hall.fabric, center.hall
    found = [*center.facility.checks(), *hall.fleet.checks()]
    found.append(Check("fabric bytes sent = received", fabric.sent_bytes, fabric.received_bytes, "B"))
    if hall.store is not None:
        found += hall.store.volume.checks()
    for job in center.every_job:
        found.append(_flops(center, job))
        found += _step_parts(job)
        if job.finished_s is not None:
            spent = sum(job.account.parts.values())
            found.append(
                Check(f"{job.name}: seconds by part = in all", spent, job.finished_s - job.plan.parts.job.arrive, "s")
            )
    return found


def _flops(center: DataCenter, job: TrainingJob) -> Check:
    """FLOPs of the steps on record, as the program splits them, against the traced step times the steps that ended."""
    segments = center.hall.records.segments.columns
    steps = sum(count for name, count in zip(segments["job"], segments["steps"], strict=True) if name == job.name)
    return Check(
        f"{job.name}: FLOPs done = traced x steps",
        steps * job.plan.flops_per_step,
        job.steps_run * _traced(job),
        "FLOP",
    )


def _step_parts(job: TrainingJob) -> list[Check]:
    """The parts of a planned step against the time that its stages take, alone on their links."""
    if job.plan.split is None or not job.step_parts:
        return []
    return [Check(f"{job.name}: parts of a step = its time", sum(job.step_parts.values()), job.step_alone_s, "s")]


def _traced(job: TrainingJob) -> float:
    """FLOPs of a step straight from the trace: every micro batch of every rank, its updates.

    Those of a parallel plan are the model's on a single rank that takes the whole batch.
    """
    if job.plan.split is not None:
        return whole_flops(job.plan.split.work)
    batch, ranks = job.plan.parts.job.batch, job.plan.program.ranks
    operations = job.plan.costs.operations
    micro_batches = ranks if job.plan.costs.mesh else batch.global_ / batch.micro
    passes = sum(o.count * o.flops for o in operations if o.phase != "optimizer")
    update = sum(o.count * o.flops for o in operations if o.phase == "optimizer")
    return micro_batches * passes + ranks * job.plan.parts.job.parallel.local_steps * update
