"""How a job is split over accelerators, and how its ranks agree on a gradient."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, Tag, model_validator

from dcsim import units
from dcsim.scenario.base import Count, DataSize, Flag, Quantity, Value, wrong
from dcsim.scenario.compression import Compression, CompressionSpec, described
from dcsim.scenario.kinds import BARE, by_kind

_ROUNDING: Final = 1e-6


class Plain(Value):
    """A ring over all ranks, or a binomial tree: nothing to choose."""

    kind: Literal["ring", "tree"]


class Library(Value):
    """What a collective library chooses for the size and the links: algorithm and protocol, with their latency."""

    kind: Literal["library"]
    algorithm: Literal["ring", "tree", "in-switch"] | None = Field(
        None, description="in place of the library's choice; in the switch of a server, and a tree between servers"
    )
    protocol: Literal["ll", "ll128", "simple"] | None = Field(None, description="in place of the library's choice")


class Hierarchical(Value):
    """Reduce-scatter inside groups of ranks, a ring between the groups for each part, all-gather inside the groups."""

    kind: Literal["hierarchical"]
    group: Count | None = Field(
        None, description="consecutive ranks of a group; the accelerators of a server unless given"
    )


class ParameterServer(Value):
    """Every rank pushes its gradient to a server, which sends the sum back; the server runs beside one of the ranks."""

    kind: Literal["parameter-server"]
    shards: Count = Field(1, description="servers, each beside one of the ranks, with equal parts of the parameters")
    updates: Literal["synchronous", "asynchronous"] = Field(
        "synchronous", description="wait for all ranks, or apply each gradient when it comes, stale as it is"
    )


class Federated(Value):
    """Clients take steps of their own on data of their own; then the mean of their weights is what all go on from.

    A step of the job is such a round.
    """

    kind: Literal["federated"]
    local_steps: Count = Field(5, description="optimizer steps that a client takes in a round")
    clients: Count | None = Field(None, description="equal groups of consecutive ranks; every rank is one unless given")
    shares: tuple[Annotated[float, Quantity("ratio", positive=True, high=1.0)], ...] | None = Field(
        None, description="share of the data that each client has, and its weight in the mean; equal unless given"
    )
    split: Literal["random", "sorted"] = Field(
        "random", description="every client has samples of all kinds, or a stretch of them sorted by class"
    )


Reduce = Annotated[
    Annotated[Literal["ring", "tree", "library", "hierarchical", "parameter-server", "federated"], Tag(BARE)]
    | Annotated[Plain, Tag("Plain")]
    | Annotated[Library, Tag("Library")]
    | Annotated[Hierarchical, Tag("Hierarchical")]
    | Annotated[ParameterServer, Tag("ParameterServer")]
    | Annotated[Federated, Tag("Federated")],
    by_kind(
        {
            "ring": "Plain",
            "tree": "Plain",
            "library": "Library",
            "hierarchical": "Hierarchical",
            "parameter-server": "ParameterServer",
            "federated": "Federated",
        },
        "{kind: parameter-server, shards: 4}",
    ),
]


class Parallel(Value):
    """How the job is split over accelerators."""

    data: Count = Field(1, description="data-parallel replicas, one accelerator each")
    reduce: Reduce = Field("ring", description="the schedule by which gradients are summed over the replicas")
    compression: Compression | None = Field(None, description="how gradients are made smaller before they travel")
    bucket: DataSize = Field(
        units.parse("25 MiB", "data"), description="gradients are all-reduced in buckets of about this size"
    )
    overlap: Flag = Field(True, description="all-reduce a bucket while the backward pass goes on")

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        match self.reduction:
            case Hierarchical(group=int(group)) if self.data % group:
                raise wrong(f"a number that divides parallel.data, {self.data}", found=str(group), at="reduce.group")
            case ParameterServer(shards=shards) if shards > self.data:
                raise wrong(f"at most parallel.data, {self.data}", found=str(shards), at="reduce.shards")
            case Federated(clients=int(clients)) if self.data % clients:
                raise wrong(
                    f"a number that divides parallel.data, {self.data}", found=str(clients), at="reduce.clients"
                )
            case Federated(shares=tuple(shares), clients=clients) if len(shares) != (clients or self.data):
                rule = f"one for each of the {clients or self.data} clients"
                raise wrong(rule, found=f"{len(shares)} shares", at="reduce.shares")
            case Federated(shares=tuple(shares)) if abs(sum(shares) - 1.0) > _ROUNDING:
                raise wrong("shares that sum to 100 %", found=f"a sum of {100 * sum(shares):g} %", at="reduce.shares")
        return self

    @property
    def reduction(self) -> Plain | Library | Hierarchical | ParameterServer | Federated:
        """The schedule with its defaults: a bare name stands for a block with nothing but its kind."""
        match self.reduce:
            case "ring" | "tree":
                return Plain(kind=self.reduce)
            case "library":
                return Library(kind="library")
            case "hierarchical":
                return Hierarchical(kind="hierarchical")
            case "parameter-server":
                return ParameterServer(kind="parameter-server")
            case "federated":
                return Federated(kind="federated")
            case block:
                return block

    @property
    def local_steps(self) -> int:
        """Optimizer steps of a rank in a step of the job."""
        return self.reduction.local_steps if isinstance(self.reduction, Federated) else 1

    @property
    def clients(self) -> int:
        """Groups of ranks with weights and data of their own; without federation all ranks are one."""
        return (self.reduction.clients or self.data) if isinstance(self.reduction, Federated) else 1

    @property
    def asynchronous(self) -> bool:
        """Whether gradients are applied when they come."""
        return isinstance(self.reduction, ParameterServer) and self.reduction.updates == "asynchronous"

    @property
    def coding(self) -> CompressionSpec | None:
        """The compression with its defaults."""
        return described(self.compression)
