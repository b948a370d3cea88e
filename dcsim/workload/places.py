"""Which line of the user's code an equation of a trace comes from."""

from __future__ import annotations

import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Place:
    """Where an equation comes from; ``outer`` is where the program that encloses it is applied.

    The text is found only when it is asked for: few equations are ever named.
    """

    equation: Any = None
    outer: Place | None = None

    def __str__(self) -> str:
        """Return "file:line" of the innermost code that is no library's, "" where there is none.

        Code in an installed package counts where no other is on the stack, JAX itself never does.
        """
        inner, installed = _libraries()
        frames = [frame for frame in self._frames() if "<" not in frame[0] and not frame[0].startswith(inner)]
        own = next((frame for frame in frames if not frame[0].startswith(installed)), None)
        if own is None and self.outer is not None and str(self.outer):
            return str(self.outer)
        own = own or next(iter(frames), None)
        return "" if own is None else f"{own[0]}:{own[1]}"

    def _frames(self) -> list[tuple[str, int]]:
        traceback = None if self.equation is None else self.equation.source_info.traceback
        return [] if traceback is None else [(frame.file_name, frame.line_num) for frame in traceback.frames]


NOWHERE = Place()


@cache
def _libraries() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the folders of JAX, and those of all that is installed."""
    import jax

    inner = (str(Path(jax.__file__).parent),)
    return inner, tuple(sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib"))
