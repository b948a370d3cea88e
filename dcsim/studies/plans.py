"""The plans of a job that leaves them to dcsim, the best few of them simulated by events."""

from __future__ import annotations

from collections.abc import Callable

from dcsim import simulate
from dcsim.catalogue import resolve
from dcsim.errors import InputError
from dcsim.estimate.auto_plan import Searched, searched
from dcsim.scenario.load import Loaded
from dcsim.scenario.suggest import nearest

_STEPS = 20  # of each simulation: no more is needed for the time of a step


def search(loaded: Loaded, job: str | None = None) -> Searched:
    """Return the plans of the job that is named, or of the only one, with ``parallel: auto``.

    Raises
    ------
    InputError
        If there is none, several of which none is named, or no plan for it.
    """
    inventory = resolve(loaded)
    waiting = {parts.job.name: parts for parts in inventory.jobs if parts.job.parallel.auto}
    if not waiting:
        raise InputError(f"{loaded.path}: found none with parallel: auto, expected one job, or a study file")
    if job is None and len(waiting) > 1:
        rule = f"whose plan is looked for: --job {' or --job '.join(waiting)}"
        raise InputError(f"{loaded.path}: found {len(waiting)} jobs with parallel: auto, expected {rule}")
    name = job or next(iter(waiting))
    if name not in waiting:
        rule = "; ".join(filter(None, (f"{' or '.join(waiting)}, with parallel: auto", nearest(name, waiting))))
        raise InputError(f'--job: found "{name}", expected {rule}')
    return searched(waiting[name], loaded, inventory)


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
