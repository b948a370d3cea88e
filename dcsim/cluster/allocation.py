"""What a job holds while it runs: servers, ranks on their accelerators, paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dcsim.cluster.store import Access, Store
from dcsim.estimate.job_plan import JobPlan
from dcsim.estimate.step_plan import Path
from dcsim.network.fabric import Fabric
from dcsim.network.rings import Rank
from dcsim.network.route import Route
from dcsim.parallel.choice import waves_of
from dcsim.parallel.mesh import groups
from dcsim.parallel.program import Collective
from dcsim.workload.operation import Group


@dataclass(frozen=True)
class Allocation:
    """Servers of an attempt, in the order of the ranks they hold, and the paths the ranks use.

    A collective takes the paths of its group of ranks one after the other; all ranks together go by None.
    """

    owner: str
    servers: tuple[int, ...]
    ranks_per_server: tuple[int, ...]
    paths: Mapping[Group | None, tuple[Path, ...]]
    read: Access | None


def allocate(plan: JobPlan, servers: Sequence[int], fabric: Fabric, store: Store | None) -> Allocation:
    """Return the allocation of ``plan`` on ``servers``: logical ranks fill server after server."""
    ranks, each = plan.program.ranks, plan.accelerators_per_server
    held = tuple(min(each, ranks - first) for first in range(0, ranks, each))
    places = [
        (server, accelerator) for server, count in zip(servers, held, strict=True) for accelerator in range(count)
    ]
    name = plan.parts.job.name
    read = None if store is None else store.reading(f"{name}/data", servers)
    paths = {
        group: tuple(Path(route, fabric.alone_rate(route)) for route in routes)
        for group, routes in _routes(plan, places, fabric).items()
    }
    return Allocation(name, tuple(servers), held, paths, read)


def _routes(plan: JobPlan, places: Sequence[Rank], fabric: Fabric) -> dict[Group | None, list[Route]]:
    """Return the routes of every group of ranks that the program names."""
    program = plan.program
    named = dict.fromkeys(i.group for i in program.instructions if isinstance(i, Collective))
    found: dict[Group | None, list[Route]] = {
        group: [fabric.collective(places, groups(program.mesh, group), group)] for group in named if group is not None
    }
    if None in named:
        waves = waves_of(plan.parts.job.parallel, plan.accelerators_per_server)
        found[None] = [fabric.all_reduce(places)] if waves is None else [fabric.exchange(places, w) for w in waves]
    return found
