"""How the network is wired and routed: the topology with the keys each kind needs, and the routing."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, Tag, model_validator

from dcsim import units
from dcsim.scenario.base import Count, DataRate, Flag, Quantity, Value, Whole, wrong
from dcsim.scenario.kinds import BARE, by_kind
from dcsim.scenario.names import Name


class Clos(Value):
    """Tiers of switches that the common keys describe: a fat-tree, or leaves under spines."""

    kind: Literal["fat-tree", "leaf-spine"]


class RailOptimized(Value):
    """The i-th network cards of the servers of a unit meet in one leaf switch."""

    kind: Literal["rail-optimized"]
    spine: Flag = Field(True, description="whether spine switches join the leaves; without, ranks stay on their rails")
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


_CLASSES = {
    "fat-tree": "Clos",
    "leaf-spine": "Clos",
    "rail-optimized": "RailOptimized",
    "torus": "Torus",
    "dragonfly": "Dragonfly",
}

TopologyKeys = Clos | RailOptimized | Torus | Dragonfly
Topology = Annotated[
    Annotated[Literal["fat-tree", "leaf-spine", "rail-optimized", "torus", "dragonfly"], Tag(BARE)]
    | Annotated[Clos, Tag("Clos")]
    | Annotated[RailOptimized, Tag("RailOptimized")]
    | Annotated[Torus, Tag("Torus")]
    | Annotated[Dragonfly, Tag("Dragonfly")],
    by_kind(_CLASSES, "{kind: torus, sizes: [4, 4, 8]}"),
]
Routing = Literal["ecmp", "d-mod-k", "static", "adaptive", "rail-local", "valiant", "dimension-order"]

# Where a policy that not every topology has can be used.
_ONLY: dict[str, tuple[str, ...]] = {
    "rail-local": ("rail-optimized",),
    "dimension-order": ("torus",),
    "valiant": ("torus", "dragonfly"),
}


class Network(Value):
    """The fabric that joins the network cards of all servers and storage nodes."""

    topology: Topology = Field("fat-tree", description="how switches are joined: a name, or a block with its keys")
    routing: Routing | None = Field(
        None,
        description="how connections choose among paths; unless given rail-local in a rail-optimized network, "
        "dimension-order in a torus without a twist, ecmp elsewhere",
    )
    queue_pairs: Annotated[int, Whole(1, 1024)] = Field(
        1, description="connections that two network cards open for a transfer, each by a path of its own"
    )
    link: DataRate = Field(units.parse("400 Gbit/s", "data rate"), description="rate of a link in each direction")
    oversubscription: Annotated[float, Quantity("ratio", low=1.0)] = Field(
        1.0,
        description="host bandwidth over uplink bandwidth of a switch, at every tier: a fat-tree has slower uplinks, "
        "other topologies have fewer of them",
    )
    radix: Annotated[int, Whole(2, 4096, even=True)] | None = Field(
        None,
        description="ports of a switch; unless given those of the switch of the catalogue, in a fat-tree the fewest "
        "that hold all hosts",
    )
    switch: Name = Field("quantum-2-qm9700", description="the switch of the catalogue, for latency and power")

    @model_validator(mode="after")
    def _routing_suits(self) -> Self:
        allowed = _ONLY.get(self.routing or "", (self.kind,))
        if self.kind not in allowed:
            raise wrong(f"ecmp, d-mod-k, static or adaptive, in a {self.kind}", f'"{self.routing}"', "routing")
        wires = self.wires
        if isinstance(wires, RailOptimized) and not wires.spine and self.policy != "rail-local":
            raise wrong("rail-local where no spine joins the rails", f'"{self.routing}"', "routing")
        return self

    @property
    def wires(self) -> TopologyKeys:
        """The topology with its defaults: a bare name stands for a block with nothing but its kind."""
        match self.topology:
            case "fat-tree" | "leaf-spine":
                return Clos(kind=self.topology)
            case "rail-optimized":
                return RailOptimized(kind="rail-optimized")
            case "torus":
                return Torus(kind="torus")
            case "dragonfly":
                return Dragonfly(kind="dragonfly")
            case block:
                return block

    @property
    def kind(self) -> str:
        """The name of the topology."""
        return self.wires.kind

    @property
    def policy(self) -> Routing:
        """The routing, the default of the topology unless given."""
        match self.wires:
            case _ if self.routing is not None:
                return self.routing
            case RailOptimized():
                return "rail-local"
            case Torus(twist=0):
                return "dimension-order"
        return "ecmp"
