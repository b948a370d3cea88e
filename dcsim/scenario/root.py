"""The scenario itself: the complete, frozen, unit-checked question."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, Field, PositiveInt

from dcsim.scenario.base import PositiveDuration, Value
from dcsim.scenario.facility import Site
from dcsim.scenario.hardware import Cluster
from dcsim.scenario.names import Name
from dcsim.scenario.workload import Job, ServerFault

Series = Literal["power", "temperature", "link_load"]


class Record(Value):
    """What is kept of the run beside its metrics."""

    series: tuple[Series, ...] = ("power", "temperature", "link_load")
    every_change: bool = Field(False, description="keep every change instead of what a figure can show")


class Scenario(Value):
    """One data center, its workload, its faults, and what to record."""

    dcsim: Literal[1]
    name: Name
    seed: int = Field(0, ge=0, lt=2**63)
    start: AwareDatetime = datetime.fromisoformat("2026-07-01T00:00+02:00")
    until: Literal["jobs-done"] | PositiveDuration = "jobs-done"
    detail: Literal["segment", "step"] = "segment"
    parts: dict[Name, dict[Name, dict[str, Any]]] = Field({}, description="the user's own catalogue entries")
    site: Site = Site()
    cluster: Cluster
    jobs: tuple[Job, ...] = Field(min_length=1)
    services: tuple[()] = ()
    faults: tuple[ServerFault, ...] = ()
    replications: PositiveInt = 1
    record: Record = Record()
