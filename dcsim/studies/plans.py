"""The plan of a scenario's job that leaves it to dcsim, with all that none beats."""

from __future__ import annotations

from dcsim.catalogue import resolve
from dcsim.errors import InputError
from dcsim.estimate.chosen import Chosen
from dcsim.scenario.load import Loaded
from dcsim.scenario.suggest import nearest
from dcsim.simulate.choose import Tell, choose


def search(loaded: Loaded, job: str | None = None, tell: Tell = lambda *_: None) -> Chosen:
    """Return the plan of the job that is named, or of the only one, with ``parallel: auto``.

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
    return choose(waiting[name], loaded, inventory, tell)
