"""The corrections of :mod:`dcsim.network.refill`, interpreted at first and compiled once that pays.

Numba is optional (``pip install dcsim[fast]``). Compiling takes a few seconds once a machine, loading the result about
one second a process, so neither happens before a run has done enough corrections to make up for it. Both ways run the
same statements on the same numbers and give the same bits, so when the change happens cannot be seen in a result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from platform import python_version
from types import FunctionType
from typing import Any

from dcsim.network import refill
from dcsim.workload.cache import folder

# Corrections after which the compiled kernel is worth loading, and compiling: some 0.2 s and 10 s of interpretation.
_LOAD, _COMPILE = 20_000, 1_000_000
_NAMES = (
    "allowed", "water_level", "note", "pass_on", "settle", "proceed", "retire", "leave", "enter", "correct", "change"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kernel:
    """The functions of :mod:`dcsim.network.refill` that are called from outside, and whether they are compiled."""

    change: Callable[..., tuple[int, int, int]]
    correct: Callable[..., tuple[int, int, int]]
    retire: Callable[..., float]
    compiled: bool


INTERPRETED = Kernel(refill.change, refill.correct, refill.retire, False)


def choose(corrections: int) -> Kernel:
    """Return the kernel to use after so many corrections."""
    if corrections < _LOAD or find_spec("numba") is None:
        return INTERPRETED
    return compile_kernel() if corrections >= _COMPILE or _marker().exists() else INTERPRETED


@cache
def compile_kernel() -> Kernel:
    """Return the compiled kernel, from the cache folder if it is there.

    Raises
    ------
    ImportError
        If Numba is not installed.
    """
    import numba

    settings = vars(numba.config)
    settings["CACHE_DIR"] = settings["CACHE_DIR"] or str(_marker().parent)
    scope: dict[str, Any] = dict(vars(refill))
    for name in _NAMES:  # each after those that it calls, which it finds in the new scope
        plain = FunctionType(getattr(refill, name).__code__, scope, name)
        scope[name] = numba.njit(cache=True)(plain)
    _marker().parent.mkdir(parents=True, exist_ok=True)
    _marker().touch()
    return Kernel(scope["change"], scope["correct"], scope["retire"], True)


def _marker() -> Path:
    """Return the file that says that this kernel has been compiled by this Python and this Numba."""
    text = Path(refill.__file__).read_bytes() + f"{python_version()} {version('numba')}".encode()
    return folder() / "numba" / f"kernel-{sha256(text).hexdigest()[:16]}"
