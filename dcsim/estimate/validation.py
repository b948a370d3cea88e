"""What it takes to look at held-out samples."""

from __future__ import annotations

from dataclasses import replace

from dcsim.estimate.job_plan import JobPlan
from dcsim.estimate.step_plan import compute_seconds
from dcsim.parallel.program import Compute


def validation_seconds(plan: JobPlan, samples: int, clock: float) -> float:
    """Return the time in which all ranks take ``samples`` through the model forward, a micro batch at a time [s].

    The ranks share the samples evenly; the last micro batch counts whole, and gathering the losses as nothing.
    """
    forward = next(i for i in plan.program.instructions if isinstance(i, Compute) and i.label == "forward")
    batches = -(-samples // (plan.parts.job.batch.micro * plan.program.ranks))
    return batches * compute_seconds(forward, replace(plan.device, clock=clock))
