"""Files that include others: read each, stay inside the scenario's folder, lay the including over the included."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dcsim.errors import Problem, ScenarioError
from dcsim.scenario.document import Entry, Node, parse, read_text
from dcsim.scenario.suggest import quoted

MOST_FILES: Final = 100


class Reader:
    """Reads a scenario file and all that it includes."""

    def __init__(self) -> None:
        self.files: list[Path] = []
        self.problems: list[Problem] = []

    def read(self, path: Path) -> Node:
        """Return the merged tree of ``path`` and its includes; ``problems`` holds what was wrong but readable.

        Raises
        ------
        ScenarioError
            For a file that cannot be read or parsed at all, or an include that may not be.
        """
        return self._read(path, path.parent.resolve(), ())

    def _read(self, path: Path, folder: Path, above: tuple[Path, ...]) -> Node:
        if len(self.files) + len(above) >= MOST_FILES:
            raise ScenarioError([Problem(str(path), None, "", f"more than {MOST_FILES} included files", "fewer")])
        node = parse(read_text(path, str(path)), str(path), self.problems)
        included: Node | None = None
        for target in self._targets(node, path, folder, (*above, path.resolve())):
            below = self._read(target, folder, (*above, path.resolve()))
            included = below if included is None else merge(included, below)
        self.files.append(path)
        own = Node({key: entry for key, entry in _entries(node).items() if key != "include"}, node.file, node.line)
        return own if included is None else merge(included, own)

    def _targets(self, node: Node, path: Path, folder: Path, above: tuple[Path, ...]) -> list[Path]:
        entry = node.get("include")
        if entry is None:
            return []
        listed = entry.node.value if isinstance(entry.node.value, tuple) else (entry.node,)
        targets, problems = [], []
        for item in listed:
            expected = _refusal(item.value, path, folder, above)
            if expected:
                problems.append(Problem(node.file, item.line, "include", quoted(item.plain()), expected))
            else:
                targets.append(path.parent / str(item.value))
        if problems:
            raise ScenarioError([*self.problems, *problems])
        return targets


def _refusal(name: object, path: Path, folder: Path, above: tuple[Path, ...]) -> str:
    """Return what is expected instead of an include, or nothing if it is fine."""
    if not isinstance(name, str) or not name or "\0" in name:
        return "the name of a file, or a list of names"
    if Path(name).is_absolute() or "\\" in name:
        return "a file relative to this one"
    try:
        target = (path.parent / name).resolve()
        exists = target.is_file()
    except (OSError, RuntimeError):
        return "a file"
    if not target.is_relative_to(folder):
        return "a file inside the scenario's folder"
    if target in above:
        return "no file that includes this one"
    return "" if exists else "an existing file"


def merge(below: Node, above: Node) -> Node:
    """Lay one tree over another: mappings by key, lists of named mappings by name, anything else replaced."""
    if isinstance(below.value, Mapping) and isinstance(above.value, Mapping):
        entries = dict(below.value)
        for key, entry in above.value.items():
            old = entries.get(key)
            entries[key] = entry if old is None else Entry(entry.line, merge(old.node, entry.node))
        return Node(entries, above.file, above.line)
    if isinstance(below.value, tuple) and isinstance(above.value, tuple) and _named(below) and _named(above):
        items = {item.name: item for item in below.value}
        for item in above.value:
            items[item.name] = merge(items[item.name], item) if item.name in items else item
        return Node(tuple(items.values()), above.file, above.line)
    return above


def _named(node: Node) -> bool:
    """Whether a list holds only mappings of different names (an empty list, which clears, does not count)."""
    names = [item.name for item in node.value] if isinstance(node.value, tuple) else []
    return bool(names) and None not in names and len(set(names)) == len(names)


def _entries(node: Node) -> Mapping[str, Entry]:
    return node.value if isinstance(node.value, Mapping) else {}
