"""What ``dcsim trace`` prints: the operations of the steps of a scenario's jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import prod
from typing import TYPE_CHECKING

from dcsim import units
from dcsim.report import operation_table
from dcsim.report.columns import columns

if TYPE_CHECKING:
    from dcsim.catalogue.inventory import JobParts
    from dcsim.scenario.load import Loaded
    from dcsim.workload.operation import StepCosts


@dataclass(frozen=True)
class TracedStep:
    """The costs of one micro batch of one rank, and the jobs whose step they are."""

    jobs: tuple[str, ...]
    model: str
    precision: str
    micro: int
    costs: StepCosts
    step: str = ""

    @property
    def title(self) -> str:
        """The model, and its precision where that is not the code's own affair."""
        titled = f"{self.model}, {self.precision}" if self.precision else self.model
        return f"{self.step} of {titled}" if self.step else titled


def steps(loaded: Loaded, allow_code: bool = False) -> list[TracedStep]:
    """Trace the step of every job; jobs whose steps are equal share one entry.

    Raises
    ------
    dcsim.errors.ScenarioError
        If the scenario names something unknown, or code of the user's own that it may not execute.
    """
    from dcsim import catalogue
    from dcsim.estimate.job_plan import cost_request
    from dcsim.estimate.tracing import permit, traced
    from dcsim.workload.costs import CostRequest

    inventory = catalogue.resolve(loaded)
    permit(loaded, inventory, allow_code)
    shared: dict[CostRequest, list[JobParts]] = {}
    for parts in inventory.jobs:
        shared.setdefault(cost_request(parts, loaded.folder), []).append(parts)
    return [
        TracedStep(
            tuple(parts.job.name for parts in jobs),
            _title(jobs[0]),
            request.precision,
            request.micro,
            traced(jobs[0], loaded),
            request.inference.step if request.inference else "",
        )
        for request, jobs in shared.items()
    ]


def _title(parts: JobParts) -> str:
    model = parts.job.model
    return model if isinstance(model, str) else str(getattr(model, "family", None) or getattr(model, "function", ""))


def text(step: TracedStep) -> str:
    """Return the operations as a table, the costliest first, with their totals."""
    costs = step.costs
    head = [
        f"jobs {', '.join(step.jobs)}: {step.title}, micro batch {step.micro}",
        f"  parameters {costs.parameters:,}, weights {units.show(costs.parameter_bytes, 'B')}, {_kept(step)}",
        f"  one micro batch: {operation_table.totals(costs.operations)}",
        "",
        operation_table.table(costs.operations),
        *_collectives(costs),
        *(f"warning: {warning}" for warning in costs.warnings),
    ]
    return "\n".join(head)


def _kept(step: TracedStep) -> str:
    """Say what the step keeps in memory beside the weights."""
    if step.step:
        return f"cache of the tokens so far {units.show(step.costs.cache_bytes, 'B')}"
    optimizer, kept = step.costs.optimizer_bytes, step.costs.residual_bytes
    return f"optimizer {units.show(optimizer, 'B')}, kept for the backward pass {units.show(kept, 'B')}"


def _collectives(costs: StepCosts) -> list[str]:
    """Return a table of the collectives of a step written for a mesh, the most bytes first."""
    counts = Counter((exchange.group, exchange.size_bytes) for exchange in costs.exchanges)
    if not counts:
        return []
    ordered = sorted(counts.items(), key=lambda row: -row[0][1] * row[1])
    mesh = ", ".join(f"{axis}: {size:,}" for axis, size in costs.mesh)
    rows = [
        (group.kind, ", ".join(group.axes), f"{count:,}", units.show(size, "B"), units.show(count * size, "B"))
        for (group, size), count in ordered
    ]
    head = ("collective", "over", "count", "bytes each", "bytes a rank")
    return [
        "",
        f"  mesh {mesh}: one rank of {prod(size for _, size in costs.mesh):,}",
        columns(head, rows, right=(2, 3, 4)),
    ]


def to_json(traced: Sequence[TracedStep]) -> str:
    """Return the same as JSON: a list of steps with every operation."""
    import json

    rows = [
        {
            "jobs": list(step.jobs),
            "model": step.model,
            "precision": step.precision,
            "micro": step.micro,
            "step": step.step or "train",
            "parameters": step.costs.parameters,
            "parameter_bytes": step.costs.parameter_bytes,
            "optimizer_bytes": step.costs.optimizer_bytes,
            "residual_bytes": step.costs.residual_bytes,
            "cache_bytes": step.costs.cache_bytes,
            "operations": [asdict(operation) for operation in step.costs.operations],
            "mesh": dict(step.costs.mesh),
            "exchanges": [asdict(exchange) for exchange in step.costs.exchanges],
            "warnings": list(step.costs.warnings),
        }
        for step in traced
    ]
    return json.dumps(rows, indent=1)
