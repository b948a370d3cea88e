"""The plan of a job that leaves it open: the fastest of a search in closed form, played by events on the cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache

from dcsim.catalogue import resolve
from dcsim.catalogue.inventory import Inventory, JobParts
from dcsim.estimate.auto_plan import Searched, searched
from dcsim.estimate.chosen import Chosen
from dcsim.scenario.facility import Site
from dcsim.scenario.load import Loaded
from dcsim.scenario.root import Scenario
from dcsim.simulate import running
from dcsim.simulate.ready import question, ready

_PLAYED = 24  # plans at most, so that a choice takes seconds on large clusters too
_STEPS = 20  # of each: no more is needed for the time of a step
_KEPT = 64  # choices that a process remembers

Tell = Callable[[Searched, int], None]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A job alone on its cluster: one question is asked once in a process, whatever else varies in a sweep."""

    digest: str
    parts: JobParts = field(compare=False)
    loaded: Loaded = field(compare=False)
    alone: Inventory = field(compare=False)
    tell: Tell = field(compare=False)


def choose(parts: JobParts, loaded: Loaded, inventory: Inventory, tell: Tell = lambda *_: None) -> Chosen:
    """Return the plan of a job with ``parallel: auto``.

    Plans that no other one beats in time, memory and energy are played in the order of their time in closed form, each
    alone on the scenario's cluster: without other jobs, background traffic, faults, checkpoints and the site. Playing
    ends with the first that, with every link to itself, would still be slower than the best one played, or after 24 of
    them. ``tell`` hears of each before it is played.

    Raises
    ------
    ScenarioError
        If there is no plan for the job, or the cluster cannot be built.
    """
    name = parts.job.name
    alone = _alone(loaded, name)
    found_alone = resolve(alone)
    asked = _Asked(question(alone, found_alone), parts, loaded, found_alone, tell)
    found = _choice(asked)
    return replace(found, searched=replace(found.searched, usd_per_j=inventory.grid.price))


@lru_cache(maxsize=_KEPT)
def _choice(asked: _Asked) -> Chosen:
    found = searched(asked.parts, asked.loaded, asked.alone)
    times: list[float] = []
    for place in range(min(_PLAYED, len(found.found))):
        if times and found.found.seconds[place] >= min(times):
            break
        asked.tell(found, place)
        times.append(_played(asked.loaded, found, place))
    return Chosen(found, tuple(times))


def _played(loaded: Loaded, found: Searched, place: int) -> float:
    """Return the time of a step of a plan as it is simulated event by event [s]."""
    name = found.job.name
    alone = _alone(loaded.replace(found.changes(place), "parallel: auto"), name)
    measured = running.measure(ready(alone, resolve(alone)))
    if measured.partial:
        raise KeyboardInterrupt
    return measured.metrics[f"jobs.{name}.step_time"].value


def _alone(loaded: Loaded, name: str) -> Loaded:
    """Return the scenario with nothing but one job for a few steps on the cluster, at a site that never slows it."""
    scenario = loaded.scenario
    job = next(job for job in scenario.jobs if job.name == name)
    network = scenario.cluster.network.model_copy(update={"background": ()})
    usual = {"arrive": 0.0, "launch": 0.0, "steps": _STEPS, "checkpoint": None}
    single = Scenario.model_construct(
        dcsim=scenario.dcsim,
        name=name,
        seed=scenario.seed,
        parts=scenario.parts,
        cluster=scenario.cluster.model_copy(update={"network": network}),
        site=Site(),
        jobs=(job.model_copy(update=usual),),
    )
    return replace(loaded, scenario=single)
