"""Read the shipped part files: a small subset of YAML, one field a line, so that a part costs microseconds.

A line is ``key: TEXT``, ``key: {value: VALUE}``, ``key: {value: VALUE, source: TEXT}``, or ``key:`` above fields that
are indented by two spaces; values are written as JSON, which YAML contains. The full YAML reader takes about 3 ms a
part, 50 ms for the parts of a scenario; a test reads every file with it too and compares.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_OPEN, _SOURCE, _CLOSE = "{value: ", ", source: ", "}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One field of a part as written: its value in text, number, list or flag, and where it comes from."""

    value: Any
    source: str = ""


Fields = Mapping[str, "Entry | Mapping[str, Entry]"]


def read(text: str) -> dict[str, Entry | Mapping[str, Entry]]:
    """Read a shipped part; a top-level ``source`` is that of every ``{value: ...}`` which names none.

    Raises
    ------
    ValueError
        For a line that is not of the subset above.
    """
    fields: dict[str, Entry | Mapping[str, Entry]] = {}
    section: dict[str, Entry] = {}
    common = ""
    for line in text.splitlines():
        key, colon, rest = line.strip().partition(":")
        rest = rest.strip()
        if not key or key.startswith("#"):
            continue
        if not colon or line.startswith(" ") != line.startswith("  "):
            raise ValueError(f"not a field of a part: {line!r}")
        if not rest:
            section = {}
            fields[key] = section
        elif line.startswith("  "):
            section[key] = _entry(rest, common)
        elif key == "source":
            common = json.loads(rest)
        else:
            fields[key] = _entry(rest, common)
    return fields


def _entry(text: str, common: str) -> Entry:
    if not text.startswith(_OPEN):
        return Entry(json.loads(text))
    value, end = json.JSONDecoder().raw_decode(text, len(_OPEN))
    source = common
    if text.startswith(_SOURCE, end):
        source, end = json.JSONDecoder().raw_decode(text, end + len(_SOURCE))
    if text[end:] != _CLOSE:
        raise ValueError(f"not a value with its source: {text!r}")
    return Entry(value, source)


def normalize(part: Mapping[str, Any], source: str) -> dict[str, Entry | Mapping[str, Entry]]:
    """Bring a part of a scenario into the same form; ``source`` stands for every value that names none."""
    fields: dict[str, Entry | Mapping[str, Entry]] = {}
    common = part.get("source", source)
    for key, found in part.items():
        if key in ("based_on", "source"):
            continue
        if isinstance(found, Mapping) and not _is_leaf(found):
            fields[key] = {inner: _own(value, common) for inner, value in found.items()}
        else:
            fields[key] = _own(found, common)
    return fields


def _own(found: Any, source: str) -> Entry:
    if isinstance(found, Mapping) and _is_leaf(found):
        return Entry(found["value"], str(found.get("source", source)))
    return Entry(found, str(source))


def _is_leaf(found: Mapping[str, Any]) -> bool:
    return "value" in found and found.keys() <= {"value", "source"}


def merge(base: Fields, top: Fields) -> dict[str, Entry | Mapping[str, Entry]]:
    """Lay the fields of ``top`` over those of ``base``; groups such as ``peak`` are merged by key."""
    merged = dict(base)
    for key, found in top.items():
        below = merged.get(key)
        both = isinstance(found, Mapping) and isinstance(below, Mapping)
        merged[key] = {**below, **found} if both else found  # type: ignore[dict-item]
    return merged


def plain(fields: Fields) -> dict[str, Any]:
    """Return the values alone, as a record is validated from."""
    return {
        key: {inner: leaf.value for inner, leaf in found.items()} if isinstance(found, Mapping) else found.value
        for key, found in fields.items()
    }


def flat(fields: Fields) -> dict[str, Entry]:
    """Return the fields by dotted name, ``peak.bf16``."""
    entries: dict[str, Entry] = {}
    for key, found in fields.items():
        if isinstance(found, Mapping):
            entries |= {f"{key}.{inner}": leaf for inner, leaf in found.items()}
        else:
            entries[key] = found
    return entries
