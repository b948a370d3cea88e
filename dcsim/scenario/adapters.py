"""Low-rank adapters: what of a model is trained where its own weights stay as they are."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dcsim.scenario.base import Count, Value

Target = Literal["attention", "feed-forward"]


class Adapters(Value):
    """Beside matrices that are not trained, products of two narrow ones that are (LoRA)."""

    rank: Count = Field(16, description="width between the two narrow matrices")
    targets: tuple[Target, ...] = Field(
        ("attention", "feed-forward"), min_length=1, description="the layers whose matrices have adapters"
    )
