"""From a loaded scenario to everything that a run needs and no event changes."""

from __future__ import annotations

from dataclasses import replace

from dcsim.catalogue import resolve
from dcsim.scenario.load import Loaded
from dcsim.simulate.ready import Prepared, ready

__all__ = ["Prepared", "prepare"]


def prepare(loaded: Loaded, allow_code: bool = False) -> Prepared:
    """Look up all parts, choose the plans that are left open, trace all models, and refuse what cannot be simulated.

    Parameters
    ----------
    loaded
        The scenario.
    allow_code
        Whether functions of the user's own, which a scenario may name as models, may be executed to trace them.

    Raises
    ------
    ScenarioError
        With every problem of the first phase that has any: names, plans, structure, leave to execute code, memory.
    """
    inventory = resolve(loaded)
    waiting = [parts for parts in inventory.jobs if parts.job.parallel.auto]
    if not waiting:
        return ready(loaded, inventory, allow_code)
    from dcsim.simulate.choose import choose  # brings the engine, and loading other scenarios is to stay fast

    choices = tuple(choose(parts, loaded, inventory) for parts in waiting)
    changes = {path: value for each in choices for path, value in each.changes.items()}
    settled = loaded.replace(changes, "parallel: auto")
    return replace(ready(settled, resolve(settled), allow_code), choices=choices)
