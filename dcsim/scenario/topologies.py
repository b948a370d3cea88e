"""The keys that each kind of topology has."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import Field, Tag, model_validator

from dcsim import units
from dcsim.scenario.base import Count, DataRate, Duration, Flag, Value, Whole, wrong
from dcsim.scenario.kinds import BARE, by_kind
from dcsim.scenario.names import Name


class Clos(Value):
    """Tiers of switches that the common keys describe: a fat-tree, or leaves under spines."""

    kind: Literal["fat-tree", "leaf-spine"]


class ThreeLayer(Value):
    """Blocks of access switches under a few aggregation switches, all of those under all cores."""

    kind: Literal["three-layer"]
    aggregations: Count = Field(2, description="aggregation switches of a block")


class RailOptimized(Value):
    """The i-th network cards of the servers of a unit meet in one leaf switch."""

    kind: Literal["rail-optimized"]
    spine: Flag = Field(True, description="whether spine switches join the leaves; without, ranks stay on their rails")
    rails: Count | None = Field(None, description="as many as the server with most cards has cards unless given")


class DualPlane(Value):
    """Every network card has two ports of half its rate, to top-of-rack switches of two planes; rails as above."""

    kind: Literal["dual-plane"]
    rails: Count | None = Field(None, description="as many as the server with most cards has cards unless given")


class Torus(Value):
    """A router beside every network card, joined to its neighbors; it closes on itself in each dimension."""

    kind: Literal["torus"]
    sizes: tuple[Count, ...] | None = Field(
        None, min_length=2, max_length=3, description="routers along each dimension; nearly equal ones unless given"
    )
    dimensions: Annotated[int, Whole(2, 3)] = Field(3, description="how many, where no sizes are given")
    twist: Annotated[int, Whole(0, 10**6)] = Field(
        0, description="routers by which the second dimension is shifted where the first closes"
    )

    @model_validator(mode="after")
    def _twist_has_sizes(self) -> Self:
        if self.twist and self.sizes is None:
            raise wrong("sizes too, so that it is plain what a twist shifts", f"twist: {self.twist} alone", "twist")
        return self


class Dragonfly(Value):
    """Groups of fully joined routers, and cables between every two groups."""

    kind: Literal["dragonfly"]
    hosts: Count | None = Field(None, description="of a router; a quarter of its ports unless given")
    routers: Count | None = Field(None, description="of a group; twice as many as hosts of a router unless given")
    globals: Count | None = Field(
        None, description="cables of a router to other groups; as many as hosts of a router unless given"
    )
    groups: Count | None = Field(None, description="as many as the hosts fill unless given")


class NvlinkDomain(Value):
    """Every network card has a cable to each NVLink switch."""

    kind: Literal["nvlink-domain"]
    size: Annotated[int, Whole(4, 72)] = Field(72, description="places for network cards")
    switches: Count = Field(18, description="NVLink switches")


class PcieTree(Value):
    """Devices under PCIe switches under processor sockets."""

    kind: Literal["pcie-tree"]
    devices: Count = Field(2, description="devices under a switch")
    switches: Count = Field(2, description="switches under a socket")
    sockets: Count = Field(2, description="processor sockets, each joined to each")
    between_sockets: DataRate | None = Field(None, description="link of two sockets; as fast as a device unless given")


class WanSite(Value):
    """What stands at a site."""

    name: Name
    servers: tuple[Name, ...] = Field(
        min_length=1, description="pools of servers; storage stands for the storage nodes"
    )


class WanLink(Value):
    """A link between two sites."""

    between: tuple[Name, ...] = Field(min_length=2, max_length=2)
    rate: DataRate | None = Field(None, description="that of the WAN unless given")
    latency: Duration | None = Field(None, description="one way; that of the WAN unless given")


class Wan(Value):
    """Sites with a leaf-spine each, behind gateways that are joined by long links."""

    kind: Literal["wan"]
    sites: tuple[WanSite, ...] = Field(min_length=2)
    rate: DataRate = Field(units.parse("100 Gbit/s", "data rate"), description="of a link between two sites")
    latency: Duration = Field(units.parse("5 ms", "time"), description="one way between two sites: 1,000 km of fiber")
    links: tuple[WanLink, ...] = Field((), description="the links there are; every site to every other unless given")

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        names = [site.name for site in self.sites]
        for name in names:
            if names.count(name) > 1:
                raise wrong("a name that no other site has", f'"{name}" a second time', "sites")
        for number, link in enumerate(self.links):
            for end in link.between:
                if end not in names:
                    raise wrong(f"a site: {', '.join(names)}", f'"{end}"', f"links.{number}.between")
            if link.between[0] == link.between[1]:
                raise wrong("two different sites", f'"{link.between[0]}" twice', f"links.{number}.between")
        reached = _reached(names[0], [link.between for link in self.links])
        lost = [name for name in names if name not in reached]
        if self.links and lost:
            raise wrong(f"links by which every site can be reached from {names[0]}", f'"{lost[0]}" apart', "links")
        return self


class GraphFile(Value):
    """Any network as a GraphML file, relative to the scenario's folder.

    Nodes have ``kind``, host or switch, and hosts may name their ``card`` ("train/3 nic 0"); edges have ``rate`` and
    may have ``latency``, ``tier`` and ``weight``.
    """

    kind: Literal["file"] = "file"
    file: str


def _reached(first: str, links: list[tuple[str, ...]]) -> set[str]:
    reached = {first}
    for _ in links:
        reached |= {end for link in links if reached & set(link) for end in link}
    return reached


Plain = Literal[
    "fat-tree",
    "three-layer",
    "leaf-spine",
    "rail-optimized",
    "dual-plane",
    "torus",
    "dragonfly",
    "nvlink-domain",
    "pcie-tree",
]
TopologyKeys = (
    Clos | ThreeLayer | RailOptimized | DualPlane | Torus | Dragonfly | NvlinkDomain | PcieTree | Wan | GraphFile
)
NO_UPLINKS = frozenset(("torus", "dragonfly", "nvlink-domain", "pcie-tree", "file"))
"""The kinds whose switches have no tier above them, or whose cables have rates of their own."""

CLASSES: Mapping[str, type[TopologyKeys]] = MappingProxyType(
    {
        "fat-tree": Clos,
        "three-layer": ThreeLayer,
        "leaf-spine": Clos,
        "rail-optimized": RailOptimized,
        "dual-plane": DualPlane,
        "torus": Torus,
        "dragonfly": Dragonfly,
        "nvlink-domain": NvlinkDomain,
        "pcie-tree": PcieTree,
        "wan": Wan,
        "file": GraphFile,
    }
)
Topology = Annotated[
    Annotated[Plain, Tag(BARE)]
    | Annotated[Clos, Tag("Clos")]
    | Annotated[ThreeLayer, Tag("ThreeLayer")]
    | Annotated[RailOptimized, Tag("RailOptimized")]
    | Annotated[DualPlane, Tag("DualPlane")]
    | Annotated[Torus, Tag("Torus")]
    | Annotated[Dragonfly, Tag("Dragonfly")]
    | Annotated[NvlinkDomain, Tag("NvlinkDomain")]
    | Annotated[PcieTree, Tag("PcieTree")]
    | Annotated[Wan, Tag("Wan")]
    | Annotated[GraphFile, Tag("GraphFile")],
    by_kind(
        {kind: each.__name__ for kind, each in CLASSES.items()},
        '{kind: torus, sizes: [4, 4, 8]}" or "{file: x.graphml}',
    ),
]
