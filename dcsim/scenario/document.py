"""A YAML text as a tree of nodes that know their file and line.

The tree is built from parser events, so nothing in a file can construct an object or run code. YAML 1.2 core rules
decide what a plain scalar is: ``no`` and ``12:30`` are text, ``1e9`` is a number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from dcsim.errors import Problem, ScenarioError
from dcsim.scenario.suggest import nearest, quoted

LONGEST_FILE = 1 << 20
DEEPEST = 32
LARGEST = 100_000
_LONGEST_NUMBER = 40

Scalar = str | int | float | bool | None

_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: Mapping[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True)
class Entry:
    """A key's line and its value."""

    line: int | None
    node: Node


@dataclass(frozen=True)
class Node:
    """A value of a file with its place; ``size`` counts the nodes below it with aliases expanded."""

    value: Scalar | tuple[Node, ...] | Mapping[str, Entry]
    file: str
    line: int | None
    size: int = 1

    def plain(self) -> Any:
        """Return the value as plain dicts, lists and scalars."""
        if isinstance(self.value, Mapping):
            return {key: entry.node.plain() for key, entry in self.value.items()}
        if isinstance(self.value, tuple):
            return [item.plain() for item in self.value]
        return self.value

    def get(self, key: str) -> Entry | None:
        """Return the entry of a key, or None where this is no mapping or has no such key."""
        return self.value.get(key) if isinstance(self.value, Mapping) else None

    @property
    def name(self) -> str | None:
        """The item's ``name`` where it has one that is text."""
        entry = self.get("name")
        return entry.node.value if entry is not None and isinstance(entry.node.value, str) else None


def from_plain(value: object, file: str, line: int | None = None) -> Node:
    """Return plain Python values as nodes, all at one place."""
    if isinstance(value, Mapping):
        return Node({str(key): Entry(line, from_plain(item, file, line)) for key, item in value.items()}, file, line)
    if isinstance(value, list | tuple):
        return Node(tuple(from_plain(item, file, line) for item in value), file, line)
    if value is None or isinstance(value, str | int | float):
        return Node(value, file, line)
    return Node(str(value), file, line)


def read_text(path: Path, file: str) -> str:
    """Read a text file, or raise a ScenarioError that says what is wrong with it."""
    try:
        if not path.exists():
            known = [entry.name for entry in path.parent.glob("*.yaml")] if path.parent.is_dir() else []
            raise _fatal(file, None, "no such file", "a scenario file", nearest(path.name, sorted(known)))
        if not path.is_file():
            raise _fatal(file, None, "a folder" if path.is_dir() else "no regular file", "a scenario file")
        with path.open("rb") as stream:
            data = stream.read(LONGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _fatal(file, None, f"an unreadable file ({reason})", "a scenario file") from None
    if len(data) > LONGEST_FILE:
        raise _fatal(file, None, "a file of more than 1 MiB", "a scenario file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _fatal(
            file, line, f"the byte 0x{data[error.start]:02x}, which is not UTF-8", "a text file in UTF-8"
        ) from None
    if "\0" in text:
        raise _fatal(file, text[: text.index("\0")].count("\n") + 1, "a zero byte", "a text file in UTF-8")
    return text


def says(path: str | PathLike[str], key: str) -> bool:
    """Return whether a file has ``key``, the kind of file that it is; one that cannot be read has none."""
    try:
        text = read_text(Path(path), str(path))
        # Parsing takes a tenth of a check, and most scenarios do not even hold the word.
        return key in text and parse(text, str(path), []).get(key) is not None
    except ScenarioError:
        return False


def parse(text: str, file: str, problems: list[Problem]) -> Node:
    """Read one YAML document.

    Problems that leave the rest readable (a duplicate key, a tag, NaN) are appended to ``problems``; others raise.

    Raises
    ------
    ScenarioError
        For a syntax error, an empty file, more than one document, or values nested or aliased beyond all measure.
    """
    builder = _Builder(file, _events(text, file), problems)
    node = builder.document()
    if node is None or node.value is None:
        raise _fatal(file, 1, "an empty file", 'keys such as "dcsim: 1"')
    if not isinstance(node.value, Mapping):
        raise _fatal(file, node.line, quoted(node.plain()), 'keys such as "dcsim: 1"')
    return node


def parse_value(text: str, file: str, problems: list[Problem]) -> Node:
    """Read one YAML value, such as the one of ``--set PATH=VALUE``; nothing at all is null."""
    node = _Builder(file, _events(text, file), problems, lines=False).document()
    return Node(None, file, None) if node is None else node


def _fatal(file: str, line: int | None, found: str, expected: str, suggestion: str = "") -> ScenarioError:
    return ScenarioError([Problem(file, line, "", found, expected, suggestion)])


def _events(text: str, file: str) -> Iterator[Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _fatal(file, mark and mark.line + 1, *_syntax(str(error.problem), error.context)) from None
    except YAMLError as error:
        position = getattr(error, "position", None)
        line = text[:position].count("\n") + 1 if isinstance(position, int) else None
        raise _fatal(file, line, f"a YAML syntax error ({str(error).splitlines()[0]})", "YAML 1.2") from None
    except (ValueError, OverflowError, AttributeError, IndexError):  # what the parser raises for bad escapes
        raise _fatal(file, None, "an escape or a directive that YAML does not know", "YAML 1.2") from None


def _syntax(problem: str, context: str | None) -> tuple[str, str]:
    """Return what was found and what is expected in words for the commonest slips of the pen."""
    if "'\\t'" in problem:
        return "a tab", "spaces for indentation"
    if "found unexpected end of stream" in problem and "quoted" in str(context):
        return "text whose quote is never closed", "the closing quote"
    if "flow" in str(context):
        return f"a YAML syntax error ({problem})", "',' between items and the closing bracket"
    if "mapping values are not allowed" in problem:
        return "a second ':' on a line", '"key: value", with quotes around text that has ": " in it'
    if "expected <block end>" in problem or "could not find expected ':'" in problem:
        return (
            f"a YAML syntax error ({problem})",
            '"key: value" lines, each block indented by the same number of spaces',
        )
    return f"a YAML syntax error ({problem})", "YAML 1.2"


class _Builder:
    """Builds nodes from parser events."""

    def __init__(self, file: str, events: Iterator[Any], problems: list[Problem], lines: bool = True) -> None:
        self._file, self._events, self._problems, self._lines = file, events, problems, lines
        self._anchors: dict[str, Node] = {}
        self._count = 0

    def document(self) -> Node | None:
        from ruamel.yaml import events

        node: Node | None = None
        for event in self._events:
            if isinstance(event, events.DocumentStartEvent):
                if node is not None:
                    raise _fatal(
                        self._file, self._line(event), "a second document", 'one document ("---" at most once)'
                    )
                node = self._node(next(self._events), 0)
        return node

    def _line(self, event: Any) -> int | None:
        return event.start_mark.line + 1 if self._lines else None

    def _problem(self, event: Any, found: str, expected: str, suggestion: str = "") -> None:
        self._problems.append(Problem(self._file, self._line(event), "", found, expected, suggestion))

    def _node(self, event: Any, depth: int) -> Node:
        from ruamel.yaml import events

        if depth > DEEPEST:
            raise _fatal(self._file, self._line(event), f"more than {DEEPEST} levels of nesting", "fewer")
        if isinstance(event, events.AliasEvent):
            return self._alias(event)
        if event.tag is not None:
            tag = str(event.tag).replace("tag:yaml.org,2002:", "!!", 1)
            self._problem(event, f"the tag {quoted(tag)}", "plain values without tags")
        if isinstance(event, events.ScalarEvent):
            node = Node(self._scalar(event), self._file, self._line(event))
        elif isinstance(event, events.SequenceStartEvent):
            node = self._sequence(event, depth)
        else:
            node = self._mapping(event, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return self._counted(node, event, 1)

    def _counted(self, node: Node, event: Any, size: int) -> Node:
        self._count += size
        if self._count > LARGEST:
            raise _fatal(self._file, self._line(event), f"more than {LARGEST} values, aliases expanded", "fewer")
        return node

    def _alias(self, event: Any) -> Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            self._problem(event, f"the alias *{event.anchor}", f"an anchor &{event.anchor} before it")
            return Node(None, self._file, self._line(event))
        return self._counted(Node(node.value, self._file, self._line(event), node.size), event, node.size)

    def _sequence(self, start: Any, depth: int) -> Node:
        from ruamel.yaml import events

        items = []
        while not isinstance(event := next(self._events), events.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return Node(tuple(items), self._file, self._line(start), 1 + sum(item.size for item in items))

    def _mapping(self, start: Any, depth: int) -> Node:
        from ruamel.yaml import events

        entries: dict[str, Entry] = {}
        while not isinstance(key := next(self._events), events.MappingEndEvent):
            if not isinstance(key, events.ScalarEvent):
                raise _fatal(self._file, self._line(key), "a key that is not text", "a word as key")
            entry = Entry(self._line(key), self._node(next(self._events), depth + 1))
            if key.value in entries:
                first = entries[key.value].line
                self._problem(
                    key, f"the key {quoted(key.value)} a second time", f"it once (the first is on line {first})"
                )
            else:
                entries[key.value] = entry
        return Node(entries, self._file, self._line(start), 1 + sum(entry.node.size for entry in entries.values()))

    def _scalar(self, event: Any) -> Scalar:
        text: str = event.value
        if event.style in ("'", '"', "|", ">"):
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _NOT_FINITE.fullmatch(text):
            self._problem(event, text, "a finite number")
            return None
        number = int if _INTEGER.fullmatch(text) else float if _FLOAT.fullmatch(text) else None
        if number is None:
            return text
        if len(text) > _LONGEST_NUMBER:
            self._problem(event, f"a number of {len(text)} characters", f"a number of at most {_LONGEST_NUMBER}")
            return None
        value = int(text, 0) if text[:2] in ("0o", "0x") else number(text)
        if math.isinf(value):
            self._problem(event, text, "a finite number")
            return None
        return value
