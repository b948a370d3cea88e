"""Values that are written as a bare name, or as a block whose ``kind`` is that name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Discriminator

BARE = "Kind"
_FILE = "file"


def by_kind(classes: Mapping[str, str], example: str) -> Discriminator:
    """Return what tells the members of a union apart: the tag of a bare name is :data:`BARE`, that of a block the
    name of its class by ``classes``; ``example`` is a block as people write it. A block that names a file needs no
    kind.
    """

    def tag(found: Any) -> str | None:
        if isinstance(found, str):
            return BARE
        kind = found.get("kind", _file(found)) if isinstance(found, dict) else getattr(found, "kind", None)
        return classes.get(str(kind))

    names = ", ".join(name for name in classes if name != _FILE)
    message = f'one of {names}, or a block such as "{example}"'
    return Discriminator(tag, custom_error_type="expected", custom_error_message=message)


def _file(found: Mapping[str, Any]) -> str | None:
    return _FILE if _FILE in found else None
