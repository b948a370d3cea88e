"""What ``dcsim catalogue`` prints: kinds, the parts of a kind, one part with the source of every value."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

from dcsim.errors import InputError
from dcsim.report.columns import columns

_WIDTH = 96


def text(kind: str | None, name: str | None) -> str:
    """Return what is known of a part, of a kind, or of the whole catalogue.

    Raises
    ------
    InputError
        For an unknown kind or name.
    """
    if kind is None:
        return _kinds()
    _known(kind)
    return _kind(kind) if name is None else _part(kind, name)


def _known(kind: str) -> None:
    from dcsim import catalogue
    from dcsim.scenario.suggest import nearest, quoted

    if kind not in catalogue.KINDS:
        hint = nearest(kind, catalogue.KINDS) or f"the kinds are {', '.join(catalogue.KINDS)}"
        raise InputError(f"catalogue: found no kind {quoted(kind)}; {hint}")


def _kinds() -> str:
    from dcsim import catalogue

    width = max(map(len, catalogue.KINDS)) + 2
    lines = [
        fill(", ".join(catalogue.names(kind)), _WIDTH, initial_indent=kind.ljust(width), subsequent_indent=" " * width)
        for kind in catalogue.KINDS
    ]
    return "\n".join(lines)


def _kind(kind: str) -> str:
    from dcsim import catalogue

    return columns((kind, "title"), [(name, _title(catalogue.describe(kind, name))) for name in catalogue.names(kind)])


def _part(kind: str, name: str) -> str:
    from dcsim import catalogue

    rows = catalogue.describe(kind, name)
    facts = [row for row in rows if row[0] != "title"]
    return f"{name}  {_title(rows)}\n\n{columns(('field', 'value', 'source'), facts)}"


def _title(rows: Sequence[tuple[str, str, str]]) -> str:
    return next((value for field, value, _ in rows if field == "title"), "")
