"""What runs in a worker."""

from __future__ import annotations

import multiprocessing
import os
import threading
from dataclasses import dataclass

from dcsim.results.rows import Row
from dcsim.studies.executors.base import Chunk
from dcsim.studies.point import Context, simulate_point
from dcsim.workload.costs import deliver


@dataclass
class _Desk:
    """What a worker process keeps between chunks."""

    context: Context | None = None


_DESK = _Desk()


def begin(context: Context) -> None:
    """Set up a worker process: it keeps ``context`` for all chunks, and ends when its parent does."""
    _DESK.context = context
    deliver(context.costs)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def work(chunk: Chunk) -> list[Row | None]:
    """Simulate the points of a chunk."""
    if _DESK.context is None:
        raise RuntimeError("a worker was given points before its context")
    return [simulate_point(_DESK.context, point) for point in chunk]


def work_with(context: Context, chunk: Chunk) -> list[Row | None]:
    """Simulate the points of a chunk where workers are not ours to set up."""
    from dcsim import __version__

    if context.version != __version__:
        raise RuntimeError(f"the worker has dcsim {__version__}, the study was started by dcsim {context.version}")
    deliver(context.costs)
    return [simulate_point(context, point) for point in chunk]


def _end_with_parent() -> None:
    """Leave no orphan when the parent is killed; a pool's workers would wait for it forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
