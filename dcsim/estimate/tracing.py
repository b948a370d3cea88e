"""The traced costs of a job's step, with what is wrong told at the line of the scenario or of the user's code."""

from __future__ import annotations

from typing import cast

from dcsim.catalogue.inventory import Inventory, JobParts
from dcsim.errors import CodeRefusedError, ScenarioError
from dcsim.estimate.job_plan import cost_request
from dcsim.scenario.load import Loaded
from dcsim.scenario.suggest import quoted
from dcsim.scenario.user import UserModel
from dcsim.workload.costs import costs
from dcsim.workload.operation import StepCosts
from dcsim.workload.user import NotFoundError, key_of


def permit(loaded: Loaded, inventory: Inventory, allowed: bool) -> None:
    """Refuse a scenario that names functions of the user's own unless it is ``allowed`` to execute them.

    Raises
    ------
    CodeRefusedError
        With every such function.
    """
    named = [(parts.job.name, parts.model) for parts in inventory.jobs if isinstance(parts.model, UserModel)]
    if named and not allowed:
        raise CodeRefusedError(
            [
                loaded.problem(
                    f"jobs.{job}.model.function",
                    f"{quoted(model.function)}, code that tracing would execute",
                    "the option --allow-code (from Python: allow_code=True) if you trust it",
                )
                for job, model in named
            ]
        )


def traced(parts: JobParts, loaded: Loaded) -> StepCosts:
    """Return what one micro batch of one rank of a job costs.

    Raises
    ------
    ScenarioError
        If the user's own code cannot be found, imported or traced.
    """
    try:
        return costs(cost_request(parts, loaded.folder))
    except NotFoundError as error:
        key = key_of(cast("UserModel", parts.model), error.name)
        problem = loaded.problem(f"jobs.{parts.job.name}.model.{key}", error.found, error.expected)
        raise ScenarioError([problem]) from None
