"""The nearest known name to a misspelt one, for error messages."""

from __future__ import annotations

from collections.abc import Iterable

_LONGEST = 100


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``did you mean "radix"?`` for the known name nearest to ``word``, or nothing if none is near."""
    import difflib

    names = list(known)
    if not word or len(word) > _LONGEST:
        return ""
    plain = {name.casefold().replace("_", "-"): name for name in names}
    match = difflib.get_close_matches(word.casefold().replace("_", "-"), list(plain), n=1, cutoff=0.6)
    return f'did you mean "{plain[match[0]]}"?' if match else ""


def shown(text: str, longest: int = 60) -> str:
    """Return text as a message may print it: long ones cut, nothing that moves a terminal's cursor."""
    text = text if len(text) <= longest else text[:longest] + "..."
    return text if text.isprintable() else ascii(text)[1:-1]


def quoted(value: object) -> str:
    """Return a value of a file as an error message shows it: text in double quotes."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{shown(value)}"'
        case dict():
            return "a block of keys" if value else "an empty block"
        case list() | tuple():
            return "a list" if value else "an empty list"
    return repr(value)
