"""What the backward pass computes again instead of keeping it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Tag

Word = Literal["none", "selective", "full"]
Part = Literal["attention", "norms", "activations", "up-projections"]


def _form(found: Any) -> str:
    return "Parts" if isinstance(found, list | tuple) else "Word"


Recompute = Annotated[Annotated[Word, Tag("Word")] | Annotated[tuple[Part, ...], Tag("Parts")], Discriminator(_form)]
"""Layers (full), attention cores (selective), or a list of parts of layers."""


def computes_again(recompute: Word | tuple[Part, ...], part: Part) -> bool:
    """Return whether a part of a layer runs again by itself, which it does not where whole layers do."""
    return part in recompute if isinstance(recompute, tuple) else part == "attention" and recompute == "selective"
