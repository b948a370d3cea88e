"""Pieces of a line of HLO: what brackets and quotes enclose stays together."""

from __future__ import annotations

import re

_COMMENT = re.compile(r"/\*.*?\*/")
_CLOSING = {"(": ")", "[": "]", "{": "}"}


class SyntaxProblem(Exception):  # noqa: N818  # it never leaves the importer, which adds file and line
    """Text that is not understood; ``found`` and ``expected`` are for a message at its line."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(found)
        self.found, self.expected = found, expected


def uncommented(line: str) -> str:
    """Return ``line`` without its comments, such as the numbers of long lists of operands."""
    if "/*" not in line:
        return line
    parts = line.split('"')
    return '"'.join(_COMMENT.sub("", part) if index % 2 == 0 else part for index, part in enumerate(parts))


def end_of(text: str, start: int) -> int:
    """Return the position after the bracket that closes the one at ``start``.

    Raises
    ------
    SyntaxProblem
        If there is none.
    """
    open_ones: list[str] = []
    position = start
    while position < len(text):
        letter = text[position]
        if letter == '"':
            position = _end_of_quote(text, position)
            continue
        if letter in _CLOSING:
            open_ones.append(_CLOSING[letter])
        elif open_ones and letter == open_ones[-1]:
            open_ones.pop()
            if not open_ones:
                return position + 1
        position += 1
    raise SyntaxProblem(f'"{text[start : start + 40]}" without its closing bracket', "a whole instruction on one line")


def split(text: str) -> list[str]:
    """Split at the commas outside of brackets and quotes; empty pieces are left out."""
    pieces, start, position = [], 0, 0
    while position < len(text):
        letter = text[position]
        if letter == '"':
            position = _end_of_quote(text, position)
        elif letter in _CLOSING:
            position = end_of(text, position)
        else:
            if letter == ",":
                pieces.append(text[start:position].strip())
                start = position + 1
            position += 1
    pieces.append(text[start:].strip())
    return [piece for piece in pieces if piece]


def _end_of_quote(text: str, start: int) -> int:
    position = start + 1
    while position < len(text) and text[position] != '"':
        position += 2 if text[position] == "\\" else 1
    return position + 1
