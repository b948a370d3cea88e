"""What breaks at stated times: servers, cables, switches."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, Tag, model_validator

from dcsim.scenario.base import Duration, Fraction, PositiveDuration, Value, wrong
from dcsim.scenario.kinds import by_kind

_TARGET: Final = "^[a-z0-9][a-z0-9._-]{0,99}/[0-9]{1,7}$"


def _target(text: Any) -> str:
    if not isinstance(text, str) or not re.fullmatch(_TARGET, text):
        raise wrong('a server pool and an index such as "train/15"')
    return text


ServerName = Annotated[
    str,
    BeforeValidator(_target),
    Field(json_schema_extra={"pattern": _TARGET}, examples=["train/15"]),
]


class ServerFault(Value):
    """A server that stops at a stated time and is repaired after a stated time."""

    at: Duration
    kind: Literal["server"]
    target: ServerName = Field(description='pool and index, "train/15"')
    repair: PositiveDuration


class Flap(Value):
    """A link that comes and goes."""

    down: PositiveDuration = Field(description="how long it is down each time")
    up: PositiveDuration = Field(description="how long it is up in between")


class _NetworkFault(Value):
    at: Duration
    repair: PositiveDuration | None = Field(None, description="time until all is well again; never unless given")
    degrade: Fraction | None = Field(
        None,
        description="share of the rate that is lost while the link stays up; unless given the link is down",
    )
    flap: Flap | None = Field(
        None, description="down and up again and again until repaired; down throughout unless given"
    )

    @model_validator(mode="after")
    def _suits(self) -> Self:
        if self.degrade is not None and not 0.0 < self.degrade < 1.0:
            raise wrong(
                "above 0 % and below 100 %: a dead link needs no degrade", f"{100 * self.degrade:g} %", "degrade"
            )
        if self.flap is not None and self.repair is None:
            raise wrong("a time beside the key flap, or the link would flap forever", "nothing", "repair")
        return self


class LinkFault(_NetworkFault):
    """A cable, both directions of it, that is dead, slow or flapping from a stated time on."""

    kind: Literal["link"]
    target: str = Field(
        description="a link as the table of links prints it; either direction stands for the cable",
        examples=["edge 0.0 > agg 0.1", "train/3 nic 0 out"],
    )


class SwitchFault(_NetworkFault):
    """A switch that is dead, slow or flapping, with all its cables, from a stated time on."""

    kind: Literal["switch"]
    target: str = Field(description="a switch as the table of links prints it", examples=["edge 0.0", "core 3"])


NetworkFault = LinkFault | SwitchFault

Fault = Annotated[
    Annotated[ServerFault, Tag("ServerFault")]
    | Annotated[LinkFault, Tag("LinkFault")]
    | Annotated[SwitchFault, Tag("SwitchFault")],
    by_kind(
        {"server": "ServerFault", "link": "LinkFault", "switch": "SwitchFault"},
        '{at: 10 min, kind: link, target: "edge 0.0 > agg 0.1", repair: 30 min}',
    ),
]
