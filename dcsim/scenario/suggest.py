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


def quoted(value: object, longest: int = 60) -> str:
    """Return a value of a file as an error message shows it: text in double quotes, long ones cut."""
    import json

    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            text = value if len(value) <= longest else value[:longest] + "..."
            return json.dumps(text, ensure_ascii=False)
        case dict():
            return "a block of keys" if value else "an empty block"
        case list() | tuple():
            return "a list" if value else "an empty list"
    return repr(value)
