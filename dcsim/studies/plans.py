"""The plans of a job that leaves them to dcsim, the best few of them simulated by events."""

from __future__ import annotations

from collections.abc import Callable

from dcsim import simulate
from dcsim.catalogue import resolve
from dcsim.errors import InputError
from dcsim.estimate.auto_plan import Searched, searched
from dcsim.scenario.load import Loaded

_STEPS = 20  # of each simulation: no more is needed for the time of a step


def search(loaded: Loaded) -> Searched:
    """Return the plans of the one job with ``parallel: auto``.

    Raises
    ------
    InputError
        If there is none, more than one, or no plan for it.
    """
    inventory = resolve(loaded)
    waiting = [parts for parts in inventory.jobs if parts.job.parallel.auto]
    if len(waiting) != 1:
        names = ", ".join(parts.job.name for parts in waiting) or "none"
        raise InputError(f"{loaded.path}: found {names} with parallel: auto, expected one job, or a study file")
    return searched(waiting[0], loaded, inventory)


def simulated(loaded: Loaded, found: Searched, most: int, tell: Callable[[int], None]) -> dict[int, float]:
    """Return the time of a step of the fastest plans as it is simulated event by event [s], by their place."""
    name = found.job.name
    times: dict[int, float] = {}
    for place in range(min(most, len(found.found))):
        tell(place)
        changes = found.changes(place) | {f"jobs.{name}.steps": min(found.job.steps, _STEPS)}
        result = simulate.run(simulate.prepare(loaded.replace(changes, "parallel: auto")))
        seconds = result.metrics[f"jobs.{name}.step_time"].value
        if result.partial or seconds is None:
            raise KeyboardInterrupt
        times[place] = float(seconds)
    return times
