"""Which line of the user's code an equation of a trace comes from."""

from __future__ import annotations

import sysconfig
from functools import cache
from pathlib import Path
from typing import Any

import jax


def place_of(equation: Any) -> str:
    """Return "file:line" of the innermost code that is no library's, "" where there is none.

    Code in an installed package counts where no other is on the stack, JAX itself never does.
    """
    traceback = equation.source_info.traceback
    frames = [] if traceback is None else [(frame.file_name, frame.line_num) for frame in traceback.frames]
    inner, installed = _libraries()
    named = [(file, line) for file, line in frames if "<" not in file and not file.startswith(inner)]
    own = next(((file, line) for file, line in named if not file.startswith(installed)), next(iter(named), None))
    return "" if own is None else f"{own[0]}:{own[1]}"


@cache
def _libraries() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the folders of JAX, and those of all that is installed."""
    inner = (str(Path(jax.__file__).parent),)
    return inner, tuple(sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib"))
