"""A pool of processes on this machine: the standard library's, on a fork server, with points of dead workers rerun."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field

from dcsim.results.rows import Row
from dcsim.studies.executors.base import Chunk, Chunks, Executor, died
from dcsim.studies.executors.server import warm
from dcsim.studies.executors.worker import begin, work
from dcsim.studies.point import Context, Point

_CHUNKS_AHEAD = 2
_DEATHS = 2  # of a point that was alone in the pool: once may be chance


@dataclass(frozen=True)
class _Suspects:
    """Points that were under way when a worker died, by key, and how often each died alone."""

    points: dict[str, Point] = field(default_factory=dict)
    deaths: Counter[str] = field(default_factory=Counter)

    def add(self, chunk: Chunk) -> None:
        """Let its points run one by one."""
        self.points.update((point.key, point) for point in chunk)


class Pool(Executor):
    """Simulates in ``processes`` processes.

    When one dies the standard library gives up the whole pool. A new one is then started, and the points that were
    under way run one by one, so that the one that kills its worker is found and the others are not blamed.
    """

    def __init__(self, context: Context, processes: int) -> None:
        self._context, self._processes = context, processes
        self._pool: ProcessPoolExecutor | None = None

    @property
    def workers(self) -> int:
        """The processes."""
        return self._processes

    def run(self, points: Iterable[Point]) -> Iterator[Row]:
        """Yield rows as they come."""
        chunks, suspects = Chunks(points), _Suspects()
        more = True
        while more or suspects.points:
            pool = self._pool = self._pool or self._start()
            try:
                for row in _cleared(pool, suspects):
                    chunks.note(row)
                    yield row
                for row in _spread(pool, chunks, suspects, _CHUNKS_AHEAD * self._processes):
                    chunks.note(row)
                    yield row
                more = False
            except BrokenProcessPool:
                self.close()

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
        self._pool = None

    def _start(self) -> ProcessPoolExecutor:
        warm()
        server = multiprocessing.get_context("forkserver")
        return ProcessPoolExecutor(self._processes, server, begin, (self._context,))


def _cleared(pool: ProcessPoolExecutor, suspects: _Suspects) -> Iterator[Row]:
    """Run the points of a broken pool one at a time; one that breaks it alone, twice, gets a row that says so."""
    for key, point in list(suspects.points.items()):
        try:
            rows = pool.submit(work, (point,)).result()
        except BrokenProcessPool:
            suspects.deaths[key] += 1
            if suspects.deaths[key] >= _DEATHS:
                del suspects.points[key]
                yield died(point)
            raise
        del suspects.points[key]
        yield from _uninterrupted(rows)


def _spread(pool: ProcessPoolExecutor, chunks: Chunks, suspects: _Suspects, ahead: int) -> Iterator[Row]:
    """Keep the pool busy; when it breaks, leave the points that were under way to ``suspects``."""
    waiting: dict[Future[list[Row | None]], Chunk] = {}
    try:
        while True:
            while len(waiting) < ahead and (chunk := chunks.next()):
                waiting[_submitted(pool, chunk, suspects)] = chunk
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                rows = future.result()
                del waiting[future]
                yield from _uninterrupted(rows)
    except BrokenProcessPool:
        for future, chunk in waiting.items():
            if future.done() and future.exception() is None:
                yield from _uninterrupted(future.result())
            else:
                suspects.add(chunk)
        raise


def _submitted(pool: ProcessPoolExecutor, chunk: Chunk, suspects: _Suspects) -> Future[list[Row | None]]:
    """Hand a chunk to the pool; one that a broken pool refuses is no suspect, but nobody else would run it."""
    try:
        return pool.submit(work, chunk)
    except BrokenProcessPool:
        suspects.add(chunk)
        raise


def _uninterrupted(rows: list[Row | None]) -> Iterator[Row]:
    """Yield the rows of a chunk; an interrupt that reached a worker is one of the sweep, should we have missed it."""
    for row in rows:
        if row is None:
            raise KeyboardInterrupt
        yield row
