"""How a job is split over accelerators, and how its ranks agree on a gradient."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, Tag, model_validator

from dcsim import units
from dcsim.scenario.adapters import Adapters
from dcsim.scenario.base import Count, DataSize, Flag, Quantity, Value, wrong
from dcsim.scenario.compression import Compression, CompressionSpec, described
from dcsim.scenario.kinds import BARE, by_kind
from dcsim.scenario.offload import Offloaded, fault
from dcsim.scenario.recompute import Recompute, SomeLayers
from dcsim.scenario.routing import Routing

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


Reduction = Plain | Library | Hierarchical | ParameterServer | Federated
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


Schedule = Literal["gpipe", "1f1b", "interleaved", "zero-bubble"]
Sharding = Literal["none", "optimizer", "gradients", "full"]
Exchange = Literal["ring", "all-gather"]
Order = Literal["balanced", "in-order"]
Activations = Literal["computed", "fp8"]
SPLITS: Final = (
    "tensor",
    "pipeline",
    "context",
    "expert",
    "routing",
    "sharding",
    "recompute",
    "activations",
    "adapters",
    "offload",
)
"""The keys that ask for a parallel plan: with none of them a job is replicas of one accelerator."""

OF_CONTEXT: Final = ("context_exchange", "context_order")
"""The keys that say nothing without context ranks."""


def spelled_out(found: Any) -> Any:
    """Return the block that the word ``auto`` stands for."""
    return {"auto": True} if found == "auto" else found


class Parallel(Value):
    """How the job is split over accelerators: data x tensor x pipeline x context of them."""

    auto: Flag = Field(
        False, description="choose the fastest plan that fits, with the values of the other keys that are written down"
    )
    accelerators: Count | None = Field(
        None, description="how many a plan is chosen for, with auto; all of the largest pool unless given"
    )
    data: Count = Field(1, description="data-parallel replicas, one accelerator each unless other keys split them")
    tensor: Count = Field(1, description="ranks that share every matrix of a layer; neighbours, best in one server")
    pipeline: Count = Field(1, description="stages, each with a part of the layers")
    virtual: Count = Field(1, description="chunks of layers of a stage, for the interleaved schedule")
    context: Count = Field(1, description="ranks that share every sequence")
    context_exchange: Exchange = Field(
        "ring",
        description="how context ranks get one another's keys and values: beside attention (ring), or before it",
    )
    context_order: Order = Field(
        "balanced",
        description="a context rank has an early and a late part of a sequence, or neighboring tokens (in-order): then "
        "the last one, which attends to all before it, is the slowest",
    )
    expert: Count = Field(1, description="ranks that share the experts of a layer, among data x context x tensor")
    routing: Routing | None = Field(
        None, description="how tokens are dealt to experts: to any of them, evenly, none dropped, unless given"
    )
    sequence: Flag = Field(False, description="tensor ranks also share what lies between their matrix products")
    schedule: Schedule | None = Field(
        None, description="the order of micro batches in a stage; 1f1b unless given, interleaved with virtual above 1"
    )
    sharding: Sharding = Field(
        "none", description="what data-parallel ranks share out: optimizer states, gradients too, weights too (full)"
    )
    shard_groups: Count = Field(
        1,
        description="groups of data-parallel ranks that each hold all that is sharded (hybrid sharding): weights are "
        "gathered inside a group, gradients summed between groups too",
    )
    recompute: Recompute = Field(
        "none",
        description="what the backward pass computes again: attention cores (selective), layers (full), a list of "
        "attention, norms, activations and up-projections, or a number of layers: {method: block, layers: 4}",
    )
    activations: Activations = Field(
        "computed",
        description="the format in which what products and activation functions read waits for the backward pass",
    )
    adapters: Adapters | None = Field(
        None, description="low-rank adapters that are trained in place of the model's own weights"
    )
    offload: tuple[Offloaded, ...] = Field(
        (),
        description="what waits in the host's memory: a list of optimizer (its states, and the host takes its step), "
        "gradients, weights and activations",
    )
    reduce: Reduce | None = Field(
        None,
        description="the schedule by which gradients are summed over the replicas; what a library takes for each size "
        "(library) unless given, and a ring in a job with execute, whose gradients are really summed in the schedule "
        "that is simulated: what a library takes differs from size to size",
    )
    compression: Compression | None = Field(None, description="how gradients are made smaller before they travel")
    bucket: DataSize | None = Field(
        None,
        description="gradients travel in buckets of about this size: 25 MiB unless given, or what the software era of "
        "a parallel plan takes",
    )
    overlap: Flag = Field(True, description="all-reduce a bucket while the backward pass goes on")
    prefetch: Flag = Field(
        True, description="gather the weights of a layer while the one before it computes, with sharding: full"
    )

    @model_validator(mode="after")
    def _split_fits(self) -> Self:
        if self.auto:
            if self.shard_groups > 1 and self.sharding == "none":
                self._check_groups()
            self._check_prefetch()
            self._check_plan()
            self._check_offload(1)
            return self
        if self.accelerators is not None:
            rule = "nothing without auto: a plan has as many as its keys say"
            raise wrong(rule, found=str(self.accelerators), at="accelerators")
        if self.virtual > 1 and self.pipeline == 1:
            raise wrong("1 without a pipeline: stages have chunks", found=str(self.virtual), at="virtual")
        if self.schedule == "interleaved" and self.virtual == 1:
            raise wrong("at least 2 in the interleaved schedule", found="1", at="virtual")
        if self.virtual > 1 and self.scheduled != "interleaved":
            raise wrong('"interleaved" with virtual above 1', found=f'"{self.scheduled}"', at="schedule")
        if self.schedule is not None and self.pipeline == 1:
            raise wrong("nothing without a pipeline of 2 stages or more", f'"{self.schedule}"', "schedule")
        if self.sequence and self.tensor == 1:
            raise wrong("false without tensor ranks to share the sequence", found="true", at="sequence")
        for key in OF_CONTEXT:
            if getattr(self, key) not in ("ring", "balanced") and self.context == 1:
                rule = "nothing without context ranks: write context: 2 or more beside it"
                raise wrong(rule, found=f'"{getattr(self, key)}"', at=key)
        if self.shard_groups > 1:
            self._check_groups()
        self._check_prefetch()
        if self.split:
            self._check_plan()
            self._check_offload(self.data * self.context)
        return self

    def _check_groups(self) -> None:
        """Refuse groups where nothing is sharded, and those that are not alike."""
        if self.sharding == "none":
            rule = "1 without sharding: every rank holds everything then"
            raise wrong(rule, found=str(self.shard_groups), at="shard_groups")
        ranks = self.data * self.context
        if ranks % self.shard_groups:
            near = [n for n in range(1, ranks + 1) if ranks % n == 0]
            choices = [max(n for n in near if n < self.shard_groups), *(n for n in near if n > self.shard_groups)][:2]
            rule = f"a number that divides the {ranks} ranks that share out: the nearest is"
            raise wrong(f"{rule} {' or '.join(map(str, choices))}", found=str(self.shard_groups), at="shard_groups")

    def _check_prefetch(self) -> None:
        """Refuse waiting for weights that nobody gathers."""
        if not self.prefetch and self.sharding != "full":
            rule = "true unless sharding: full is written beside it: else every rank has its weights"
            raise wrong(rule, found="false", at="prefetch")

    def _check_layers(self) -> None:
        """Refuse layers by number where no number of a stage's is settled, and groups without any."""
        if not isinstance(self.recompute, SomeLayers):
            return
        if self.auto:
            rule = "none, selective, full or a list of parts with auto, which settles how many layers a stage has"
            raise wrong(rule, found=f"method: {self.recompute.method}", at="recompute")
        if self.recompute.method == "uniform" and not self.recompute.layers:
            raise wrong("at least 1 layer in a group: with 1 all run again, as full has it", "0", "recompute.layers")

    def _check_offload(self, replicas: int) -> None:
        """Refuse what cannot wait with the host."""
        if found := fault(self.offload, self.adapters is not None, self.sharding, replicas):
            raise wrong(found[1], found=found[0], at="offload")

    def _check_plan(self) -> None:
        """Refuse what a parallel plan cannot have beside it: its software era says how gradients travel."""
        self._check_layers()
        usual = Parallel()
        for key in ("reduce", "compression"):
            if getattr(self, key) != getattr(usual, key):
                rule = "nothing in a parallel plan: its software era says how gradients travel"
                raise wrong(rule, found="a value", at=key)
        if self.bucket is None:
            return
        if self.sharding in ("gradients", "full"):
            rule = f"nothing with sharding: {self.sharding}, where the gradients of a layer are a message"
            raise wrong(rule, found=units.show(self.bucket, "B"), at="bucket")
        if self.auto and self.sharding == "none":
            rule = "sharding: optimizer beside it, since auto may choose to share out gradients, a message a layer"
            raise wrong(rule, found=units.show(self.bucket, "B"), at="bucket")

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.data == 1 and not self.auto and self._names_schedule:
            rule = (
                "nothing with data: 1, since gradients of one rank have no others to be summed with: leave reduce out, "
                "or write data: 2 or more; reduce: library suits sweeps that begin at 1"
            )
            raise wrong(rule, found=f'"{self.reduction.kind}"', at="reduce")
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
    def _names_schedule(self) -> bool:
        """Whether one schedule of a sum is asked for, which takes several ranks."""
        return self.reduce is not None and self.reduction != Library(kind="library")

    @property
    def split(self) -> bool:
        """Whether the job is more than replicas of one accelerator: a parallel plan, with calibrated times."""
        return self.auto or any(getattr(self, key) not in (1, "none", None, (), "computed") for key in SPLITS)

    @property
    def ranks(self) -> int:
        """Accelerators: experts are spread over those that are there."""
        return self.data * self.tensor * self.pipeline * self.context

    @property
    def scheduled(self) -> Schedule:
        """The schedule of the pipeline with its default."""
        return self.schedule or ("interleaved" if self.virtual > 1 else "1f1b")

    @property
    def reduction(self) -> Reduction:
        """The schedule with its defaults: a bare name stands for a block with nothing but its kind."""
        match self.reduce:
            case None:
                return Library(kind="library")
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
