"""Assemble the components of a scenario, run the clock, return a result."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dcsim.simulate.prepare import Prepared, prepare
from dcsim.simulate.progress import Progress

if TYPE_CHECKING:
    from dcsim.results.result import Result

__all__ = ["Prepared", "Progress", "prepare", "run"]


def run(prepared: Prepared, progress: Callable[[Progress], None] | None = None) -> Result:
    """Simulate a prepared scenario; see :func:`dcsim.simulate.running.run`, which is imported here because
    checking needs no engine.
    """
    from dcsim.simulate import running

    return running.run(prepared, progress)
