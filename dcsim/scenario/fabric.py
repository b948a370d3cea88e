"""How the network is wired and routed."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dcsim import units
from dcsim.scenario.background import Background
from dcsim.scenario.base import DataRate, DataSize, Duration, PositiveDuration, Quantity, Value, Whole, wrong
from dcsim.scenario.names import Name
from dcsim.scenario.topologies import CLASSES, RailOptimized, Topology, TopologyKeys, Torus

Routing = Literal["ecmp", "d-mod-k", "static", "adaptive", "rail-local", "valiant", "ugal", "dimension-order"]
Ratio = Annotated[float, Quantity("ratio", low=1.0)]

# Where a policy that not every topology has can be used.
_ONLY: dict[str, tuple[str, ...]] = {
    "rail-local": ("rail-optimized", "dual-plane"),
    "dimension-order": ("torus",),
    "valiant": ("torus", "dragonfly"),
    "ugal": ("dragonfly",),
}
_DEFAULT: dict[str, Routing] = {
    "rail-optimized": "rail-local",
    "dual-plane": "rail-local",
    "torus": "dimension-order",
    "nvlink-domain": "adaptive",
}


class Appliance(Value):
    """A box that everything between two pools of servers has to pass; storage stands for the storage nodes."""

    name: Name
    kind: Literal["firewall", "intrusion-detection", "load-balancer"]
    between: tuple[Name, ...] = Field(min_length=2, max_length=2, description="two pools, or one and storage")
    rate: DataRate = Field(description="what it passes at most, both directions together")
    packets: Annotated[float, Quantity("packet rate", positive=True)] | None = Field(
        None, description="packets it passes at most; only the rate counts unless given"
    )
    packet: DataSize = Field(units.parse("4096 B", "data"), description="size of a packet: the usual MTU of RDMA")
    latency: Duration = Field(units.parse("20 us", "time"), description="to pass it, one way")

    @property
    def bound(self) -> float:
        """What it passes [B/s]: the lower of its rate and its packets a second times their size."""
        return self.rate if self.packets is None else min(self.rate, self.packets * self.packet)


class Latency(Value):
    """What a hop between two ranks takes before its first byte arrives, by the switches on its way."""

    hop: Duration | None = Field(
        None,
        description="software, network cards and the five switches of the longest path of a fat-tree; that of the kind "
        "of link in the catalogue unless given",
    )
    switch: Duration | None = Field(
        None,
        description="time through a switch, less for every one below five on the way and more for every one above; "
        "that of the switch in the catalogue unless given",
    )
    cable: Duration = Field(
        0.0, description="time along a cable beyond what a hop includes: 5 ns a meter of fiber; n switches have n + 1"
    )


class Failover(Value):
    """What happens when a link dies."""

    detection: Duration = Field(
        units.parse("150 ms", "time"),
        description="until routing avoids a dead link: three missed probes 50 ms apart, an assumption (RFC 5880 is the "
        "protocol)",
    )
    give_up: PositiveDuration = Field(
        units.parse("30 s", "time"),
        description="how long a transfer may stand still before its job is killed: seven retries after 4.096 us x 2^20 "
        "each, the defaults of NCCL_IB_RETRY_CNT and NCCL_IB_TIMEOUT (NCCL documentation)",
    )


class Network(Value):
    """The fabric that joins the network cards of all servers and storage nodes."""

    topology: Topology = Field("fat-tree", description="how switches are joined: a name, or a block with its keys")
    routing: Routing | None = Field(
        None,
        description="how connections choose among paths; unless given rail-local in rail-optimized and dual-plane "
        "networks, dimension-order in a torus without a twist, adaptive in an nvlink-domain, ecmp elsewhere",
    )
    queue_pairs: Annotated[int, Whole(1, 1024)] = Field(
        1, description="connections that two network cards open for a transfer, each by a path of its own"
    )
    link: DataRate = Field(units.parse("400 Gbit/s", "data rate"), description="rate of a link in each direction")
    oversubscription: Ratio = Field(
        1.0,
        description="host bandwidth over uplink bandwidth of a switch: a fat-tree has slower uplinks, other topologies "
        "have fewer of them",
    )
    core_oversubscription: Ratio | None = Field(
        None,
        description="host bandwidth over bandwidth into the cores of a fat-tree or three-layer network; as "
        "oversubscription unless given",
    )
    radix: Annotated[int, Whole(2, 4096, even=True)] | None = Field(
        None,
        description="ports of a switch; unless given those of the switch of the catalogue, in a fat-tree the fewest "
        "that hold all hosts",
    )
    switch: Name = Field("quantum-2-qm9700", description="the switch of the catalogue, for latency and power")
    appliances: tuple[Appliance, ...] = Field(
        (), description="firewalls, intrusion detection and load balancers on the way between pools"
    )
    latency: Latency = Latency()
    failover: Failover = Failover()
    background: tuple[Background, ...] = Field(
        (), description="traffic of others on the same links: it and the jobs slow each other down"
    )

    @model_validator(mode="after")
    def _routing_suits(self) -> Self:
        allowed = _ONLY.get(self.routing or "", (self.kind,))
        if self.kind not in allowed:
            own = [policy for policy, kinds in _ONLY.items() if self.kind in kinds]
            names = ["ecmp", "d-mod-k", "static", "adaptive", *own]
            where = f"in {'an' if self.kind.startswith('nv') else 'a'} {self.kind}"
            raise wrong(f"{', '.join(names[:-1])} or {names[-1]}, {where}", f'"{self.routing}"', "routing")
        wires = self.wires
        if isinstance(wires, RailOptimized) and not wires.spine and self.policy != "rail-local":
            raise wrong("rail-local where no spine joins the rails", f'"{self.routing}"', "routing")
        return self

    @model_validator(mode="after")
    def _tiers_suit(self) -> Self:
        core = self.core_oversubscription
        if core is not None and self.kind not in ("fat-tree", "three-layer"):
            raise wrong("a fat-tree or three-layer network, which have cores", f"a {self.kind}", "topology")
        if core is not None and core < self.oversubscription:
            raise wrong(
                f"at least the oversubscription, {self.oversubscription:g}", f"{core:g}", "core_oversubscription"
            )
        return self

    @property
    def wires(self) -> TopologyKeys:
        """The topology with its defaults: a bare name stands for a block with nothing but its kind."""
        if not isinstance(self.topology, str):
            return self.topology
        return CLASSES[self.topology].model_validate({"kind": self.topology})

    @property
    def kind(self) -> str:
        """The name of the topology."""
        return self.topology if isinstance(self.topology, str) else self.topology.kind

    @property
    def policy(self) -> Routing:
        """The routing, the default of the topology unless given."""
        if self.routing is not None:
            return self.routing
        if isinstance(self.topology, Torus) and self.topology.twist:
            return "ecmp"
        return _DEFAULT.get(self.kind, "ecmp")
