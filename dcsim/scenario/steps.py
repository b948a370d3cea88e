"""A number of steps, written "200 steps"."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from dcsim.scenario.base import wrong

_PATTERN: Final = "^[1-9][0-9]{0,11} steps?$"


def _written(text: Any) -> str:
    if not isinstance(text, str) or not re.fullmatch(_PATTERN, text):
        raise wrong('a number of steps such as "200 steps"')
    return text


Steps = Annotated[
    str,
    BeforeValidator(_written),
    Field(description='"200 steps"', json_schema_extra={"pattern": _PATTERN}, examples=["200 steps"]),
]


def count(steps: str) -> int:
    """Return the number in ``"200 steps"``."""
    return int(steps.split()[0])
