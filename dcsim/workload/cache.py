"""The folder of traced costs and compiled kernels, and files in it that are complete or absent."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def folder() -> Path:
    """Return the cache folder: ``DCSIM_CACHE``, else "dcsim" in the user's cache folder."""
    chosen = os.environ.get("DCSIM_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dcsim"


def write(path: Path, text: str) -> None:
    """Write ``text`` under a temporary name and swap it in, so that concurrent runs only ever see whole files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
