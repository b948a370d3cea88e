"""Named parts (accelerators, servers, switches, climates, models) with the unit and the source of every value.

One file a part, ``<kind>/<name>.yaml``. A source names publisher, document and year; one that begins with
``assumption:`` is a reasoned estimate; one that holds ``(recalled)`` names the document by which the value is known,
but the document was not opened when the entry was written. The user's own parts, in the scenario, have the same form
and may be ``based_on`` a shipped one.
"""

from __future__ import annotations

from dcsim.catalogue import reader
from dcsim.catalogue.inventory import Inventory, JobParts, PoolParts, StorageParts, resolve
from dcsim.catalogue.shelf import KINDS, NO_PARTS, Fault, Own, Part, PartError, Shelf

__all__ = [
    "KINDS",
    "Fault",
    "Inventory",
    "JobParts",
    "Part",
    "PartError",
    "PoolParts",
    "Shelf",
    "StorageParts",
    "describe",
    "names",
    "part",
    "resolve",
    "sources",
]


def part(kind: str, name: str, own: Own = NO_PARTS) -> Part:
    """Return a part as a validated record; ``own`` is the ``parts`` of a scenario."""
    return Shelf(own).part(kind, name)


def names(kind: str, own: Own = NO_PARTS) -> list[str]:
    """Return the names of all parts of a kind, sorted."""
    return Shelf(own).names(kind)


def sources(kind: str, name: str, own: Own = NO_PARTS) -> dict[str, str]:
    """Return the source of each value by dotted field; titles and names of other parts have none."""
    entries = reader.flat(Shelf(own).fields(kind, name))
    return {field: entry.source for field, entry in entries.items() if entry.source}


def describe(kind: str, name: str, own: Own = NO_PARTS) -> list[tuple[str, str, str]]:
    """Return the rows of a part for a page or a terminal: dotted field, value as written, source."""
    entries = reader.flat(Shelf(own).fields(kind, name))
    return [(field, _text(entry.value), entry.source) for field, entry in entries.items()]


def _text(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(map(_text, value))
    return str(value)
