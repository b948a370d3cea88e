"""A Dask cluster: any machines whose workers have the same dcsim installed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Any

from dcsim.errors import InputError, RunError
from dcsim.results.rows import Row
from dcsim.studies.executors.base import Chunk, Chunks, Executor, died
from dcsim.studies.executors.worker import work_with
from dcsim.studies.point import Context, Point

_TIMEOUT = "10s"
_CHUNKS_AHEAD = 2
_CHUNK_S = 1.0  # a task costs Dask some milliseconds, whatever is in it
_LOSSES = 5
_ASK_EVERY_S = 1.0  # how many threads there are: workers come and go


@dataclass(frozen=True)
class Cluster(Executor):
    """Simulates on the workers of the scheduler at ``address``; Dask reruns what a lost worker had under way."""

    context: Context
    client: Any  # distributed.Client, which has no types

    @property
    def workers(self) -> int:
        """Threads of all workers, as far as they are there."""
        return int(sum(self.client.nthreads().values()))

    def run(self, points: Iterable[Point]) -> Iterator[Row]:
        """Yield rows as they come.

        Raises
        ------
        RunError
            If the scheduler is lost.
        """
        from distributed.comm.core import CommClosedError

        address = self.client.scheduler.address
        try:
            yield from _Crew(self.client, self.context).rows(Chunks(points, _CHUNK_S))
        except (CommClosedError, OSError, TimeoutError, RuntimeError) as error:
            # A client that has given up says so by errors of many kinds.
            if isinstance(error, RuntimeError) and self.client.status == "running":
                raise
            raise RunError(f"the scheduler at {address} was lost ({error})") from error

    def close(self) -> None:
        """Drop what is under way; the client is its owner's to close."""


class _Crew:
    """Chunks under way on a cluster, by their futures, and how often each was lost."""

    def __init__(self, client: Any, context: Context) -> None:
        from distributed import as_completed

        self._client = client
        # A task, not scattered data: should all workers that hold it die, the scheduler makes it again.
        self._context = client.submit(_itself, context, pure=False)
        self._stream = as_completed()  # type: ignore[no-untyped-call]
        self._waiting: dict[Any, Chunk] = {}
        self._lost: Counter[str] = Counter()

    def rows(self, chunks: Chunks) -> Iterator[Row]:
        """Yield the rows of all chunks, two of them under way for each thread."""
        room, asked = 0, -inf
        while True:
            if monotonic() - asked > _ASK_EVERY_S:  # asking is a message to the scheduler and back
                room, asked = _CHUNKS_AHEAD * max(1, sum(self._client.nthreads().values())), monotonic()
            while len(self._waiting) < room and (chunk := chunks.next()):
                self._submit(chunk)
            if not self._waiting:
                return
            future = next(self._stream)
            for row in self._collect(future, self._waiting.pop(future)):
                chunks.note(row)
                yield row

    def _submit(self, chunk: Chunk) -> None:
        future = self._client.submit(work_with, self._context, chunk, pure=False)
        self._waiting[future] = chunk
        self._stream.add(future)  # type: ignore[no-untyped-call]

    def _collect(self, future: Any, chunk: Chunk) -> list[Row]:
        """Return the rows of a chunk; one whose workers died, or that the cluster lost, goes out point by point."""
        from distributed import CancelledError, KilledWorker

        try:
            return [row for row in future.result() if row is not None]
        except KilledWorker:
            if len(chunk) == 1:
                return [died(chunk[0])]
        except CancelledError as error:
            if self._client.status != "running":  # all work is canceled when the scheduler is gone
                raise OSError(str(error)) from error
            self._lost[chunk[0].key] += 1
            if self._lost[chunk[0].key] > _LOSSES:
                raise RunError(f"the cluster lost the same work {_LOSSES} times ({error})") from error
        for point in chunk:
            self._submit((point,))
        return []


def _itself(context: Context) -> Context:
    return context


def connect(address: str | None) -> Any:
    """Return a client of the scheduler at ``address``.

    Raises
    ------
    InputError
        If Dask is not installed, no address is given, or nothing answers there within ten seconds.
    """
    if not address:
        raise InputError(
            "--executor dask: found no scheduler, expected --scheduler ADDRESS such as tcp://10.0.0.1:8786"
        )
    try:
        from distributed import Client
    except ImportError:
        raise InputError('--executor dask: Dask is not installed; write: pip install "dcsim[cluster]"') from None
    try:
        return Client(address, timeout=_TIMEOUT)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(
            f"--scheduler {address}: no scheduler answered within 10 s ({error or type(error).__name__}); "
            "start one by: dask scheduler"
        ) from error
