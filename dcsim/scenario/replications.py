"""How often each point of a study is simulated."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from dcsim.scenario.base import Fraction, Value, Whole


class Until(Value):
    """Replicate until the 95 % interval of a metric is narrow."""

    metric: str = Field(description="whose interval is looked at")
    half_width: Fraction = Field(description="half the interval over the mean")
    at_most: Annotated[int, Whole(2, 10_000)] = Field(
        20, description="replications, however wide the interval still is"
    )


class Replications(Value):
    """How often each point is simulated, with random numbers of its own each time and common to all points."""

    count: Annotated[int, Whole(1, 10_000)] | None = Field(
        None, description="runs of each point; as many as the base scenario says unless given"
    )
    until: Until | None = Field(None, description="run each point until an interval is narrow enough")

    @model_validator(mode="before")
    @classmethod
    def _number(cls, found: Any) -> Any:
        return {"count": found} if isinstance(found, int | float) else found
