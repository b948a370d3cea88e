"""What is joined to the fabric, and how fast its parts are."""

from __future__ import annotations

from dataclasses import dataclass

from dcsim.network.appliances import Appliance
from dcsim.network.routing import Policy
from dcsim.network.topologies.base import Cards, Topology
from dcsim.network.topology import TreeShape

INCLUDED = 5  # switches on the longest path of a fat-tree: as many as the published time of a hop includes


@dataclass(frozen=True, slots=True)
class InnerLink:
    """The links inside a server: every accelerator has one port, out and in, to a switch that never blocks.

    ``rate_bytes_per_s`` is what payload reaches, line rate times efficiency [B/s, each direction]; ``latency_s`` is the
    time of one hop between two ranks [s].
    """

    rate_bytes_per_s: float
    latency_s: float


@dataclass(frozen=True, slots=True)
class Inside:
    """What lies between the accelerators, cards and memory of a server.

    PCIe switches have equal shares of accelerators and of the cards that ranks use, in order, and sockets have equal
    shares of the switches; see :mod:`dcsim.network.topologies.server`.

    Attributes
    ----------
    sockets, pcie_switches
        Processor sockets, fully joined, and PCIe switches.
    pcie_bytes_per_s, socket_bytes_per_s
        What payload reaches, each direction, over the link of an accelerator, a card or a switch, and between two
        sockets [B/s].
    peers
        Whether accelerators meet over PCIe, not over links of their own.
    """

    sockets: int
    pcie_switches: int
    pcie_bytes_per_s: float
    socket_bytes_per_s: float = 0.0
    peers: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server or storage node.

    Attributes
    ----------
    name
        "train/3".
    nics, nic_rate_bytes_per_s
        Network cards and the line rate of one [B/s].
    accelerators, inner
        How many, and the links between them.
    storage_nics
        Of the network cards, the last that carry storage traffic, and no other; without them all cards carry both.
    inside
        What else can hold traffic back, where it is known.
    """

    name: str
    nics: int
    nic_rate_bytes_per_s: float
    accelerators: int = 0
    inner: InnerLink | None = None
    storage_nics: int = 0
    inside: Inside | None = None

    @property
    def rank_nics(self) -> int:
        """Network cards that ranks use."""
        return self.nics - self.storage_nics

    @property
    def stores(self) -> range:
        """Network cards that carry storage traffic."""
        return range(self.rank_nics if self.storage_nics else 0, self.nics)


@dataclass(frozen=True, slots=True)
class FabricLayout:
    """The endpoints and the network that joins them.

    Attributes
    ----------
    endpoints
        Servers and storage nodes in the order in which their network cards fill the network.
    link_bytes_per_s
        Line rate of a cable [B/s, each direction]; a host cable runs at the slower of that and the card's rate.
    efficiency
        Payload over line rate on every link of the network [1].
    hop_latency_s
        Software and hardware time of one hop between two ranks through the network by the longest path of a fat-tree,
        which has five switches [s].
    oversubscription
        Bandwidth of the hosts over that of the uplinks of edge switches [1].
    core_oversubscription
        Bandwidth of the hosts over that of the uplinks into the cores; as ``oversubscription`` unless given [1].
    radix
        Ports of a switch; the smallest even number that holds all cards unless given.
    shape
        Any other tree, in place of the k-ary one of ``radix``.
    topology
        Any other network, in place of a tree.
    appliances
        Boxes that connections between two pools of endpoints have to pass.
    switch_latency_s
        Time through a switch: what a hop takes less for every switch below five, and more for every one above [s].
    cable_latency_s
        Time along a cable beyond what ``hop_latency_s`` includes; a path of n switches has n + 1 of them [s].
    policy
        How connections choose their uplinks.
    connections
        Connections (queue pairs) that a pair of cards opens for a transfer. Each carries an equal part by a path of its
        own, so that hash collisions cost less the more there are; NCCL opens one unless told otherwise.
    detection_s
        Time from the failure of a link until routing avoids it [s].
    stall_limit_s
        How long a flow may stand still at a dead link before its owner gives up [s].
    """

    endpoints: tuple[Endpoint, ...]
    link_bytes_per_s: float
    efficiency: float = 1.0
    hop_latency_s: float = 0.0
    oversubscription: float = 1.0
    core_oversubscription: float | None = None
    radix: int | None = None
    shape: TreeShape | None = None
    topology: Topology | None = None
    switch_latency_s: float = 0.0
    cable_latency_s: float = 0.0
    appliances: tuple[Appliance, ...] = ()
    policy: Policy = "ecmp"
    connections: int = 1
    detection_s: float = 0.15
    stall_limit_s: float = 30.0

    @property
    def base_latency_s(self) -> float:
        """Time of a hop before its first switch: software, network cards, a cable [s]; never below zero."""
        return max(0.0, self.hop_latency_s - INCLUDED * self.switch_latency_s) + self.cable_latency_s

    @property
    def passing_latency_s(self) -> float:
        """Time that every switch of a path adds, with the cable behind it [s]."""
        return self.switch_latency_s + self.cable_latency_s

    @property
    def hosts(self) -> int:
        """Network cards of all endpoints."""
        return sum(endpoint.nics for endpoint in self.endpoints)

    @property
    def pools(self) -> list[str]:
        """The pool of every network card: its endpoint's name before "/"."""
        return [endpoint.name.partition("/")[0] for endpoint in self.endpoints for _ in range(endpoint.nics)]

    @property
    def cards(self) -> Cards:
        """The network cards as a topology joins them."""
        each = self.endpoints
        return Cards(
            tuple(endpoint.nics for endpoint in each),
            tuple(endpoint.nic_rate_bytes_per_s for endpoint in each),
            self.link_bytes_per_s,
            tuple(endpoint.name for endpoint in each),
        )
