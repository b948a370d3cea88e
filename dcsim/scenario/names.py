"""Names of scenarios, jobs, pools and parts, which become file names, metric names and paths."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from dcsim.scenario.base import wrong

_SAFE = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-")
_LONGEST = 100


def _safe(name: str) -> str:
    if not name or len(name) > _LONGEST or not name[0].isalnum() or not _SAFE.issuperset(name) or ".." in name:
        raise wrong("a name of 1 to 100 characters from a-z, 0-9, '.', '_' and '-' that begins with a letter or digit")
    return name


Name = Annotated[str, AfterValidator(_safe), Field(json_schema_extra={"pattern": "^[a-z0-9][a-z0-9._-]{0,99}$"})]
