"""A file that is written as a whole or not at all."""

from __future__ import annotations

from pathlib import Path


def write(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` by way of another name, so that a full disk leaves what was there before.

    Raises
    ------
    OSError
        If it cannot be written; unlike the system's own it says which file that is.
    """
    if path.exists() and not path.is_file():  # such as /dev/stdout
        path.write_text(text, "utf-8")
        return
    target = path.resolve()
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        temporary.write_text(text, "utf-8")
        temporary.replace(target)
    except OSError as error:
        raise OSError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        temporary.unlink(missing_ok=True)
