"""The scenario itself: the complete, frozen, unit-checked question."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from dcsim.scenario.base import Flag, Quantity, Value, Whole, wrong
from dcsim.scenario.facility import Site
from dcsim.scenario.faults import Fault
from dcsim.scenario.hardware import Cluster
from dcsim.scenario.names import Name
from dcsim.scenario.workload import Job

Series = Literal["power", "temperature", "link_load"]

_EXAMPLE: Final = "2026-07-01T00:00+02:00"
_YEARS: Final = (1970, 2199)


def _moment(found: Any) -> datetime:
    try:
        moment = found if isinstance(found, datetime) else datetime.fromisoformat(found)
    except (TypeError, ValueError):
        raise wrong(f'a date and time with its offset such as "{_EXAMPLE}"') from None
    if moment.tzinfo is None:
        raise wrong(f'the offset from UTC too, such as "{_EXAMPLE}"')
    if not _YEARS[0] <= moment.year <= _YEARS[1]:
        raise wrong(f"a year from {_YEARS[0]} to {_YEARS[1]}")
    return moment


def _none(found: Any) -> tuple[()]:
    if found not in ([], ()):
        raise wrong("an empty list: inference services are not simulated yet")
    return ()


Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}.*(Z|[+-][0-9]{2}:?[0-9]{2})$",
            "examples": [_EXAMPLE],
        }
    ),
]


class Record(Value):
    """What is kept of the run beside its metrics."""

    series: tuple[Series, ...] = ("power", "temperature", "link_load")
    every_change: Flag = Field(False, description="keep every change instead of what a figure can show")


class Scenario(Value):
    """One data center, its workload, its faults, and what to record."""

    dcsim: Literal[1] = Field(description="version of this format")
    name: Name
    seed: Annotated[int, Whole(0, 2**63 - 1)] = 0
    start: Moment = Field(datetime.fromisoformat(_EXAMPLE), description="calendar time: weather and carbon")
    until: Annotated[Literal["jobs-done"] | float, Quantity("time", positive=True, words=("jobs-done",))] = Field(
        "jobs-done", description="when to stop"
    )
    detail: Literal["segment", "step"] = Field(
        "segment", description="simulate a step once for equal conditions, or every step"
    )
    parts: dict[Name, dict[Name, dict[str, Any]]] = Field({}, description="the user's own catalogue entries")
    site: Site = Site()
    cluster: Cluster
    jobs: tuple[Job, ...] = Field(min_length=1)
    services: Annotated[tuple[()], BeforeValidator(_none), WithJsonSchema({"type": "array", "maxItems": 0})] = ()
    faults: tuple[Fault, ...] = ()
    replications: Annotated[int, Whole(1, 10_000)] = 1
    record: Record = Record()

    def replace(self, changes: Mapping[str, object] | None = None, /, **named: object) -> Scenario:
        """Return this scenario with some values changed, checked as a file is.

        Parameters
        ----------
        changes
            Values by dotted path; a list item goes by its name: ``{"jobs.pretrain.batch.global": 256}``.
        named
            Values by path with two underscores in place of each dot: ``jobs__pretrain__steps=200, seed=3``.

        Raises
        ------
        ScenarioError
            If a path does not exist, with the nearest that does, or the scenario is no longer valid.
        """
        from dcsim.scenario.load import located

        return located(self).replace(changes or {}, "replace", **named).scenario
