"""How tokens are dealt to the experts of a mixture."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dcsim.scenario.base import Count, PositiveNumber, Quantity, Value


class Routing(Value):
    """Which experts a token may go to, and how even that is."""

    nodes: Count | None = Field(
        None, description="servers, or domains of fast links, that a token goes to at most; any number unless given"
    )
    imbalance: Annotated[float, Quantity("ratio", low=1.0)] = Field(
        1.0, description="tokens of the busiest of the ranks that share experts over the mean; all wait for it"
    )
    capacity: PositiveNumber | None = Field(
        None,
        description="tokens that every expert takes over the mean: fewer are padded, more are dropped; none are unless "
        "given",
    )
