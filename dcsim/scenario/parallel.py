"""How a job is split over accelerators, and how its ranks agree on a gradient."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, Tag, model_validator

from dcsim import units
from dcsim.scenario.base import Count, DataSize, Flag, Value, wrong
from dcsim.scenario.compression import Compression, CompressionSpec, described
from dcsim.scenario.kinds import BARE, by_kind


class Plain(Value):
    """A ring over all ranks, or a binomial tree: nothing to choose."""

    kind: Literal["ring", "tree"]


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


Reduce = Annotated[
    Annotated[Literal["ring", "tree", "hierarchical", "parameter-server"], Tag(BARE)]
    | Annotated[Plain, Tag("Plain")]
    | Annotated[Hierarchical, Tag("Hierarchical")]
    | Annotated[ParameterServer, Tag("ParameterServer")],
    by_kind(
        {"ring": "Plain", "tree": "Plain", "hierarchical": "Hierarchical", "parameter-server": "ParameterServer"},
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
        return self

    @property
    def reduction(self) -> Plain | Hierarchical | ParameterServer:
        """The schedule with its defaults: a bare name stands for a block with nothing but its kind."""
        match self.reduce:
            case "ring" | "tree":
                return Plain(kind=self.reduce)
            case "hierarchical":
                return Hierarchical(kind="hierarchical")
            case "parameter-server":
                return ParameterServer(kind="parameter-server")
            case described:
                return described

    @property
    def coding(self) -> CompressionSpec | None:
        """The compression with its defaults."""
        return described(self.compression)
