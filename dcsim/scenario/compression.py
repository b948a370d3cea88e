"""How gradients are made smaller before they travel."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Tag

from dcsim.scenario.base import Count, Flag, Quantity, Value
from dcsim.scenario.kinds import BARE, by_kind

_FEEDBACK = "what a message leaves out is added to the sender's next message of that part"
_BLOCK = "elements that share a scale"


class TopK(Value):
    """Send the largest elements by magnitude, each with its index of four bytes."""

    kind: Literal["top-k"]
    keep: Annotated[float, Quantity("ratio", positive=True, high=1.0)] = Field(
        0.01, description="share of the elements of a message that is sent"
    )
    error_feedback: Flag = Field(True, description=_FEEDBACK)


class Int8(Value):
    """Round to one byte an element, with one scale of four bytes a block."""

    kind: Literal["int8"]
    block: Count = Field(256, description=_BLOCK)
    error_feedback: Flag = Field(False, description=_FEEDBACK)


class Sign(Value):
    """Send the sign of each element, one bit, and the mean magnitude of a block in four bytes."""

    kind: Literal["sign"]
    block: Count = Field(256, description=_BLOCK)
    error_feedback: Flag = Field(True, description=_FEEDBACK)


CompressionSpec = TopK | Int8 | Sign
Compression = Annotated[
    Annotated[Literal["top-k", "int8", "sign"], Tag(BARE)]
    | Annotated[TopK, Tag("TopK")]
    | Annotated[Int8, Tag("Int8")]
    | Annotated[Sign, Tag("Sign")],
    by_kind({"top-k": "TopK", "int8": "Int8", "sign": "Sign"}, "{kind: top-k, keep: 1 %}"),
]


def described(compression: Compression | None) -> CompressionSpec | None:
    """Return the compression with its defaults: a bare name stands for a block with nothing but its kind."""
    match compression:
        case "top-k":
            return TopK(kind="top-k")
        case "int8":
            return Int8(kind="int8")
        case "sign":
            return Sign(kind="sign")
        case other:
            return other
