"""What is told of a metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["lower", "higher", ""]


@dataclass(frozen=True, slots=True)
class Definition:
    """One metric.

    ``pattern`` is its name with ``*`` for the name of a job or tier, ``better`` the direction that people prefer.
    """

    pattern: str
    unit: str
    title: str
    definition: str
    equation: str
    better: Better = ""
