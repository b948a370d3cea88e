"""Where a value of a scenario stands in its files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dcsim.errors import Problem
from dcsim.scenario.document import Node
from dcsim.scenario.suggest import shown


@dataclass(frozen=True)
class Place:
    """A value on a path: the names and steps that lead to it, the node, and its key's file and line."""

    names: tuple[str, ...]
    steps: tuple[str | int, ...]
    node: Node
    file: str
    line: int | None

    @property
    def path(self) -> str:
        """The dotted path, list items by their name."""
        return ".".join(self.names)


@dataclass(frozen=True)
class Positions:
    """The tree of a scenario's files after includes and settings."""

    root: Node

    def walk(self, parts: Sequence[str | int]) -> Place:
        """Follow keys and list indices as far as they lead; what is no key or index here is passed over."""
        place = Place((), (), self.root, self.root.file, None)
        for part in parts:
            place = _step(place, part) or place
        return place

    def find(self, path: str) -> tuple[Place, str]:
        """Follow a dotted path as far as it leads; return the place and the rest of the path."""
        place, words = Place((), (), self.root, self.root.file, None), path.split(".") if path else []
        while words:
            found = next(_matches(place, words), None)
            if found is None:
                break
            place, used = found
            words = words[used:]
        return place, ".".join(words)

    def problem(self, path: str, found: str, expected: str, suggestion: str = "") -> Problem:
        """Return a problem at a dotted path, with the line of the nearest ancestor that is in a file."""
        place, _ = self.find(path)
        return Problem(place.file, place.line, path, found, expected, suggestion)


def _step(place: Place, part: str | int) -> Place | None:
    node = place.node
    if isinstance(part, int) and isinstance(node.value, tuple):
        if not -1 < part < len(node.value):
            return None
        item = node.value[part]
        shared = sum(other.name == item.name for other in node.value) > 1
        name = shown(item.name) if item.name and not shared else str(part)
        return Place((*place.names, name), (*place.steps, part), item, item.file, item.line)
    entry = node.get(part) if isinstance(part, str) else None
    if entry is None:
        return None
    block = isinstance(entry.node.value, Mapping | tuple)
    line = entry.line if block or entry.node.line is None else entry.node.line
    return Place((*place.names, shown(str(part))), (*place.steps, part), entry.node, entry.node.file, line)


def _matches(place: Place, words: Sequence[str]) -> Iterator[tuple[Place, int]]:
    """Yield the children that the first words name, the longest name first: names may hold dots."""
    node = place.node
    for used in range(len(words), 0, -1):
        word = ".".join(words[:used])
        part: str | int = word
        if isinstance(node.value, tuple):
            names = [item.name for item in node.value]
            part = names.index(word) if word in names else int(word) if word.isdecimal() and len(word) < 7 else word
        step = _step(place, part)
        if step is not None:
            yield step, used
