"""What the backward pass computes again instead of keeping it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from dcsim.scenario.base import Value, Whole

Word = Literal["none", "selective", "full"]
Part = Literal["attention", "norms", "activations", "up-projections"]


class SomeLayers(Value):
    """Layers by their number, as Megatron-LM's recompute-method and recompute-num-layers have it."""

    method: Literal["block", "uniform"] = Field(
        description="the first layers of every chunk of a stage run again (block), or all do, in groups of which the "
        "input alone is kept (uniform)"
    )
    layers: Annotated[int, Whole(low=0)] = Field(description="of a chunk that run again, or of a group")


def _form(found: Any) -> str:
    if isinstance(found, list | tuple):
        return "Parts"
    return "SomeLayers" if isinstance(found, dict | SomeLayers) else "Word"


Recompute = Annotated[
    Annotated[Word, Tag("Word")] | Annotated[tuple[Part, ...], Tag("Parts")] | Annotated[SomeLayers, Tag("SomeLayers")],
    Discriminator(_form),
]
"""Layers (full), attention cores (selective), a list of parts of layers, or a number of layers."""


def computes_again(recompute: Word | tuple[Part, ...] | SomeLayers, part: Part) -> bool:
    """Return whether a part of a layer runs again by itself, which it does not where whole layers do."""
    if isinstance(recompute, SomeLayers):
        return False
    return part in recompute if isinstance(recompute, tuple) else part == "attention" and recompute == "selective"


def share_again(recompute: Word | tuple[Part, ...] | SomeLayers, layers: int, chunks: int) -> float:
    """Return the share of a model's layers, dealt to so many ``chunks``, that run again whole [1]."""
    if isinstance(recompute, SomeLayers) and recompute.method == "block":
        return min(recompute.layers * chunks / layers, 1.0)
    return float(recompute == "full" or isinstance(recompute, SomeLayers))


def group_of(recompute: Word | tuple[Part, ...] | SomeLayers) -> int:
    """Return how many layers that run again have one input that is kept."""
    return recompute.layers if isinstance(recompute, SomeLayers) and recompute.method == "uniform" else 1
