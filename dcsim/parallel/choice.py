"""From the reduction that a job names to its schedule and its waves."""

from __future__ import annotations

from dcsim.parallel import schedule, waves
from dcsim.parallel.schedule import Schedule
from dcsim.parallel.waves import Wave
from dcsim.scenario.parallel import Federated, Hierarchical, Library, Parallel, ParameterServer, Plain


def schedule_of(parallel: Parallel, accelerators: int) -> Schedule:
    """Return the schedule by which a job with ``accelerators`` a server sums its gradients, or its clients' weights.

    What a library does depends on the size; the math of an executed job is then that of a ring.
    """
    ranks = parallel.data
    match parallel.reduction:
        case Plain(kind="ring") | Library():
            return schedule.ring_all_reduce(ranks)
        case Plain():
            return schedule.tree_all_reduce(ranks)
        case Hierarchical(group=group):
            return schedule.hierarchical_all_reduce(ranks, group or min(ranks, accelerators))
        case ParameterServer(shards=shards):
            return schedule.parameter_server(ranks, shards)
        case Federated():
            return schedule.parameter_server(parallel.clients)


def waves_of(parallel: Parallel, accelerators: int) -> tuple[Wave, ...] | None:
    """Return the same schedule as waves, None for a ring or a library: the fabric lays rings over all network cards."""
    ranks = parallel.data
    match parallel.reduction:
        case Plain(kind="ring") | Library():
            return None
        case Plain():
            return waves.tree(ranks)
        case Hierarchical(group=group):
            return waves.hierarchical(ranks, group or min(ranks, accelerators))
        case ParameterServer(shards=shards):
            return waves.parameter_server(ranks, shards)
        case Federated():
            return waves.federated(ranks, parallel.clients)
