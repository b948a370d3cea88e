"""What a job holds while it runs: servers, ranks on their accelerators, paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dcsim.cluster.store import Access, Store
from dcsim.estimate.job_plan import JobPlan
from dcsim.estimate.step_plan import Path
from dcsim.network.fabric import Fabric
from dcsim.parallel.choice import waves_of


@dataclass(frozen=True)
class Allocation:
    """Servers of an attempt, in the order of the ranks they hold, and the paths the ranks use.

    A gradient takes the paths of ``reduce`` one after the other.
    """

    owner: str
    servers: tuple[int, ...]
    ranks_per_server: tuple[int, ...]
    reduce: tuple[Path, ...]
    read: Access | None


def allocate(plan: JobPlan, servers: Sequence[int], fabric: Fabric, store: Store | None) -> Allocation:
    """Return the allocation of ``plan`` on ``servers``: logical ranks fill server after server."""
    ranks, each = plan.program.ranks, plan.accelerators_per_server
    held = tuple(min(each, ranks - first) for first in range(0, ranks, each))
    places = [
        (server, accelerator) for server, count in zip(servers, held, strict=True) for accelerator in range(count)
    ]
    waves = waves_of(plan.parts.job.parallel, each)
    routes = [fabric.all_reduce(places)] if waves is None else [fabric.exchange(places, wave) for wave in waves]
    name = plan.parts.job.name
    read = None if store is None else store.reading(f"{name}/data", servers)
    return Allocation(
        name, tuple(servers), held, tuple(Path(route, fabric.alone_rate(route)) for route in routes), read
    )
