"""Collectives as a library does them on a placement: algorithm and protocol by size, over routes of the fabric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from dcsim.catalogue import Inventory, PoolParts, Shelf
from dcsim.catalogue.fabrics import NetworkFabric
from dcsim.network.collectives import Choice, Interconnect, Kind, RankGroup, collective_time
from dcsim.network.collectives.setting import Protocol
from dcsim.network.collectives.standard import gpu_fabric
from dcsim.network.route import Route
from dcsim.scenario.parallel import Library
from dcsim.scenario.root import Scenario
from dcsim.workload.operation import CollectiveKind

_ALGORITHMS: Final[Mapping[str | None, tuple[str, ...]]] = MappingProxyType(
    {None: (), "ring": ("Ring",), "tree": ("Tree",), "in-switch": ("NVLS", "NVLSTree", "CollNet")}
)
_PROTOCOLS: Final[Mapping[str | None, tuple[Protocol, ...]]] = MappingProxyType(
    {None: (), "ll": ("LL",), "ll128": ("LL128",), "simple": ("Simple",)}
)
_IN_SWITCH: Final = frozenset(_ALGORITHMS["in-switch"])
_KINDS: Final[Mapping[CollectiveKind, Kind]] = MappingProxyType(
    {
        "all-reduce": "all-reduce",
        "all-gather": "all-gather",
        "reduce-scatter": "reduce-scatter",
        "all-to-all": "all-to-all",
        "permute": "send-receive",
    }
)


@dataclass(frozen=True, slots=True)
class Path:
    """A route and the payload rate [B/s] it carries when nobody else is there.

    ``whole_bytes_per_s`` is that of the route that was planned with all its links whole, the same unless given.
    """

    route: Route
    rate_bytes_per_s: float
    whole_bytes_per_s: float | None = None

    def latency_s(self, seconds: float, size_bytes: float) -> float:
        """Return what of a time [s] bytes at the full rate of whole links do not explain, 0 or less if they do.

        It does not shrink where a link is slower than it should be: a transfer then takes longer by what its bytes do.
        """
        return seconds - size_bytes / (self.whole_bytes_per_s or self.rate_bytes_per_s)


@dataclass(frozen=True, slots=True, eq=False)
class LibraryPath:
    """The ways between some ranks that a library chooses from.

    ``ring`` serves rings and direct exchanges; ``tree`` and ``in_switch`` are None where they make no sense.
    """

    kind: CollectiveKind
    group: RankGroup
    net: Interconnect
    named: Library
    ring: Path
    tree: Path | None = None
    in_switch: Path | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What the library takes for one size: the path, its latency [s], and the algorithm with its protocol."""

    path: Path
    latency_s: float
    algorithm: str


def take(way: LibraryPath, size_bytes: float) -> Taken:
    """Return what is taken for ``size_bytes`` [B].

    Alone on whole links it takes as long as :func:`dcsim.network.collectives.collective_time` says: what the bytes at
    the full rate of the route do not explain (steps, protocol, pipeline) counts as latency. The rate is the route's, so
    that slow links and other traffic show; where the route is slower than the closed form takes it to be, so is the
    collective.
    """
    choice = choice_of(way.named) if way.kind == "all-reduce" else Choice()
    found = collective_time(_KINDS[way.kind], size_bytes, way.group, way.net, choice)
    path = way.ring
    if found.algorithm in _IN_SWITCH and way.in_switch is not None:
        path = way.in_switch
    if found.algorithm == "Tree" and way.tree is not None:
        path = way.tree
    rest = path.latency_s(float(found.seconds), size_bytes)
    return Taken(path, max(float(found.latency_s), rest), f"{found.algorithm} {found.protocol}")


def choice_of(named: Library) -> Choice:
    """Return the algorithms and protocols that a scenario leaves to choose from."""
    return Choice(_ALGORITHMS[named.algorithm], _PROTOCOLS[named.protocol])


def interconnect(scenario: Scenario, inventory: Inventory, pool: PoolParts, ranks: int) -> Interconnect:
    """Return what joins the ranks of a job on servers of ``pool``, ``ranks`` of them on each."""
    shelf, link = Shelf(scenario.parts), pool.server.link
    rate = min(pool.server.nic_rate, scenario.cluster.network.link)
    return Interconnect(
        gpu=gpu_fabric(shelf, link),
        network=shelf.take(NetworkFabric, _network(inventory.switch.link)),
        network_rate=pool.server.rank_nics * rate / ranks,
        gpu_rate=pool.link.rate if pool.link else 0.0,
    )


def _network(link: str) -> str:
    """Return the part of ``network-fabrics`` for a kind of cable: InfiniBand, else Ethernet with RoCE."""
    return "infiniband" if link.startswith("infiniband") else "roce"
