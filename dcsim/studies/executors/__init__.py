"""Where the points of a study are simulated: in this process, in a pool of processes, or on a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the fork server turns the collection of garbage off before it imports what these need
    from dcsim.studies.executors.base import Executor
    from dcsim.studies.point import Context


def expect(processes: int) -> None:
    """Start what a pool of ``processes`` needs, so that it imports while the caller goes on to read the study."""
    if processes > 1:
        from dcsim.studies.executors.server import warm

        warm()


def local(make: Callable[[], Context], processes: int) -> Executor:
    """Return what simulates on this machine: a pool, or this very process where one is enough.

    The pool's fork server starts before ``make`` traces what workers need to know, so that neither waits for the other.
    """
    expect(processes)
    if processes == 1:
        from dcsim.studies.executors.serial import Serial

        return Serial(make())
    from dcsim.studies.executors.pool import Pool

    return Pool(make(), processes)
