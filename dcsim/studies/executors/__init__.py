"""Where the points of a study are simulated: in this process, in a pool of processes, or on a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable

from dcsim.studies.executors.base import Executor
from dcsim.studies.point import Context


def local(make: Callable[[], Context], processes: int) -> Executor:
    """Return what simulates on this machine: a pool, or this very process where one is enough.

    The pool's fork server starts before ``make`` traces what workers need to know, so that neither waits for the other.
    """
    if processes == 1:
        from dcsim.studies.executors.serial import Serial

        return Serial(make())
    from dcsim.studies.executors.pool import Pool, warm

    warm()
    return Pool(make(), processes)
