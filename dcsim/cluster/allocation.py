"""What a job holds while it runs: servers, ranks on their accelerators, paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dcsim.cluster.store import Access, Store
from dcsim.estimate.job_plan import JobPlan
from dcsim.estimate.library import LibraryPath, Path
from dcsim.estimate.step_plan import Paths
from dcsim.network.collectives import Interconnect, RankGroup
from dcsim.network.fabric import Fabric
from dcsim.network.rings import Rank
from dcsim.network.route import Route, RouteBuilder
from dcsim.parallel.choice import waves_of
from dcsim.parallel.mesh import groups
from dcsim.parallel.program import Collective, Message
from dcsim.scenario.parallel import Library
from dcsim.workload.operation import Group


@dataclass(frozen=True)
class Allocation:
    """Servers of an attempt, in the order of the ranks they hold, and the paths the ranks use.

    A collective takes the paths of its group of ranks one after the other; all ranks together go by None.
    """

    owner: str
    servers: tuple[int, ...]
    ranks_per_server: tuple[int, ...]
    paths: Paths
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
    paths: dict[Group | None, Sequence[Path] | LibraryPath] = {
        group: tuple(_path(route, fabric) for route in routes)
        for group, routes in _routes(plan, places, fabric).items()
    }
    if plan.library is not None:
        paths |= _library_paths(plan, plan.library, places, fabric)
    return Allocation(name, tuple(servers), held, paths, read)


def _routes(plan: JobPlan, places: Sequence[Rank], fabric: Fabric) -> dict[Group | None, list[Route]]:
    """Return the routes of every group of ranks that the program names."""
    program = plan.program
    named = dict.fromkeys(i.group for i in program.instructions if isinstance(i, Collective))
    found: dict[Group | None, list[Route]] = {
        group: [fabric.collective(places, groups(program.mesh, group), group)] for group in named if group is not None
    }
    messages = {i.group: i.mesh for i in program.instructions if isinstance(i, Message)}
    for group, mesh in messages.items():
        found[group] = [fabric.collective(places, groups(mesh, group), group)]
    if None in named:
        waves = waves_of(plan.parts.job.parallel, plan.accelerators_per_server)
        found[None] = [fabric.all_reduce(places)] if waves is None else [fabric.exchange(places, w) for w in waves]
    return found


def _library_paths(
    plan: JobPlan, net: Interconnect, places: Sequence[Rank], fabric: Fabric
) -> dict[Group | None, LibraryPath]:
    """Return what the library chooses from for every group of ranks that the program names."""
    program, named = plan.program, plan.parts.job.parallel.reduction
    found: dict[Group | None, LibraryPath] = {}
    if not isinstance(named, Library):
        return found
    for group in dict.fromkeys(i.group for i in program.instructions if isinstance(i, Collective)):
        if group is None:
            ranks = RankGroup(len(places), plan.accelerators_per_server)
            if ranks.ranks > 1:
                found[None] = _all_ranks(LibraryPath("all-reduce", ranks, net, named, _NOWHERE), places, fabric)
            continue
        members = groups(program.mesh, group)
        servers = [len({places[rank][0] for rank in own}) for own in members.tolist()]
        ranks = RankGroup(members.shape[1], -(-members.shape[1] // max(servers)))
        if ranks.ranks > 1:
            ring = _path(fabric.collective(places, members, group), fabric)
            found[group] = LibraryPath(group.kind, ranks, net, named, ring)
    return found


def _all_ranks(way: LibraryPath, places: Sequence[Rank], fabric: Fabric) -> LibraryPath:
    """Add the routes of rings, trees and switches over all ranks."""
    inside = way.group.inside
    return replace(
        way,
        ring=_path(fabric.all_reduce(places), fabric),
        tree=_path(fabric.trees(places, 2.0 * (inside - 1) / inside), fabric),
        in_switch=_path(fabric.trees(places, 1.0 + 1.0 / inside), fabric),
    )


def _path(route: Route, fabric: Fabric) -> Path:
    return Path(route, fabric.planned_rate(route), fabric.whole_rate(route))


_NOWHERE = Path(RouteBuilder().build(1.0, 0.0), float("inf"))
