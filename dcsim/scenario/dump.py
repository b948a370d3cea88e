"""Write a scenario: YAML for people, which loads to an equal scenario, and plain values for digests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from dcsim.scenario.root import Scenario

_PLAIN: Final = re.compile(
    r"[a-zA-Z][a-zA-Z0-9_./-]*|[0-9.]+ [a-zA-Z%][a-zA-Z0-9%/]*|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:+-]+"
)
_WORDS: Final = frozenset(("null", "true", "false", "yes", "no", "on", "off", "y", "n"))
_WIDTH: Final = 100


def dump(scenario: Scenario) -> str:
    """Return a scenario as YAML, with every default written out and every quantity with its unit."""
    return "\n".join(_block(scenario.model_dump(mode="json", by_alias=True), "")) + "\n"


def digest_input(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario as plain JSON values, defaults and all: equal scenarios give equal values.

    What was measured elsewhere is left out, since it changes nothing that is simulated.
    """
    return scenario.model_dump(mode="json", by_alias=True, exclude={"jobs": {"__all__": {"measured"}}})


def _block(value: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, item in value.items():
        head = f"{indent}{_scalar(key)}:"
        flow = _flow(item)
        fits = len(head) + len(flow) < _WIDTH and _is_small(item, indent)
        if fits or not item:
            yield f"{head} {flow}"
        elif isinstance(item, dict):
            yield head
            yield from _block(item, indent + "  ")
        elif isinstance(item, list):
            yield head
            yield from _items(item, indent + "  ")
        else:
            yield f"{head} {flow}"


def _is_small(item: Any, indent: str) -> bool:
    """Whether a value may stand on its key's line: no block of the top level, no list of blocks."""
    if isinstance(item, dict):
        return bool(indent)
    return not (isinstance(item, list) and any(isinstance(each, dict) for each in item))


def _items(value: list[Any], indent: str) -> Iterator[str]:
    for item in value:
        flow = _flow(item)
        if isinstance(item, dict) and item and len(indent) + len(flow) >= _WIDTH:
            first, *rest = _block(item, indent + "  ")
            yield f"{indent}- {first.strip()}"
            yield from rest
        else:
            yield f"{indent}- {flow}"


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.casefold() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else json.dumps(value)
