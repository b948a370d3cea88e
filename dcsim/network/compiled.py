"""The loops over the tables of flows, interpreted at first and compiled once that pays.

Numba is optional (``pip install dcsim[fast]``). Compiling takes some 20 s once a machine, loading the result
about one second a process, so neither happens before a run has done enough work to make up for it. Uncompiled, a loop
serves few flows and NumPy many. All three do the same sums in the same order and give the same bits, so what was chosen
when cannot be seen in a result.
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

from dcsim.network import filling, flows, ledger, refill, step, vectors
from dcsim.network.table import Table
from dcsim.network.tree import Floats, Indices
from dcsim.workload.cache import folder

# Corrections after which the compiled kernel is worth loading, and compiling: some 0.2 s and 10 s of interpretation.
_LOAD, _COMPILE = 20_000, 1_000_000
_SHORT = 64  # flows and their links; NumPy is quicker than the interpreter with more
_SOURCES = (refill, ledger, step, filling)
_NAMES = (
    "allowed", "water_level", "note", "pass_on", "publish", "settle", "proceed", "leave", "enter", "correct", "change",
    "put", "place", "load_links", "share_out", "retire", "soonest", "begin", "end",
    "offer", "find_lowest", "freeze", "fill_loops",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Loops:
    """The functions of :mod:`dcsim.network.ledger`, in one of their forms."""

    place: Callable[..., None]
    load_links: Callable[..., None]
    share_out: Callable[..., None]
    retire: Callable[..., float]


@dataclass(frozen=True, slots=True)
class Kernel:
    """What works on the tables of flows: corrections, full solves, and the ledger for few flows and for many."""

    change: Callable[..., tuple[int, int, int]]
    correct: Callable[..., tuple[int, int, int]]
    begin: Callable[..., tuple[int, float]]
    end: Callable[..., tuple[int, int, float, float]]
    fill: Callable[[tuple[Indices, Indices, Floats, Floats], Floats], tuple[Floats, Floats]]
    few: Loops
    many: Loops
    compiled: bool

    def rows(self, table: Table) -> tuple[Any, Any]:
        """Return the tables as the corrections take them."""
        return (table.floats, table.ints) if self.compiled else table.views

    def ledger(self, table: Table, size: int) -> tuple[Loops, Any, Any]:
        """Return the ledger for ``size`` flows and links together, and the tables as it takes them."""
        if self.compiled or size > _SHORT:
            return self.many, table.floats, table.ints
        return self.few, *table.views

    def ledger_of(self, table: Table, slots: Indices) -> tuple[Loops, Any, Any]:
        """Return the ledger for the flows in ``slots`` and all their links; see :meth:`ledger`."""
        return self.ledger(table, 0 if self.compiled else int(table.ints[1][refill.SIZE, slots].sum()))


INTERPRETED = Kernel(
    refill.change,
    refill.correct,
    step.begin,
    step.end,
    lambda demands, capacities: flows.fill(flows.Demands(*demands), capacities),
    Loops(ledger.place, ledger.load_links, ledger.share_out, ledger.retire),
    Loops(vectors.place, vectors.load_links, vectors.share_out, vectors.retire),
    False,
)


def choose(corrections: int) -> Kernel:
    """Return the kernel to use after so many corrections, the compiled one at once where it has been loaded."""
    if compile_kernel.cache_info().currsize:
        return compile_kernel()
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
    scope: dict[str, Any] = {name: value for module in _SOURCES for name, value in vars(module).items()}
    for name in _NAMES:  # each after those that it calls, which it finds in the new scope
        scope[name] = numba.njit(cache=True)(FunctionType(scope[name].__code__, scope, name))
    _marker().parent.mkdir(parents=True, exist_ok=True)
    _marker().touch()
    loops = Loops(scope["place"], scope["load_links"], scope["share_out"], scope["retire"])
    change, correct, begin, end = (scope[name] for name in ("change", "correct", "begin", "end"))
    return Kernel(change, correct, begin, end, scope["fill_loops"], loops, loops, True)


def _marker() -> Path:
    """Return the file that says that this kernel has been compiled by this Python and this Numba.

    The compiled code lies beside it: Numba asks whether the file of a function has changed, not those of what it calls.
    """
    text = b"".join(Path(str(module.__file__)).read_bytes() for module in _SOURCES)
    name = sha256(text + f"{python_version()} {version('numba')}".encode()).hexdigest()[:16]
    return folder() / "numba" / name / "compiled"
