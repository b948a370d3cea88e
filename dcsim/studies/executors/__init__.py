"""Where the points of a study are simulated: in this process, in a pool of processes, or on a Dask cluster."""

from __future__ import annotations

from dcsim.studies.executors.base import Executor
from dcsim.studies.point import Context


def local(context: Context, processes: int) -> Executor:
    """Return what simulates on this machine: a pool, or this very process where one is enough."""
    if processes == 1:
        from dcsim.studies.executors.serial import Serial

        return Serial(context)
    from dcsim.studies.executors.pool import Pool

    return Pool(context, processes)
