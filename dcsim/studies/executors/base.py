"""What every executor does, and how points are bundled so that handing them over costs little."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from itertools import islice

from dcsim.results.rows import Row
from dcsim.studies.point import Point

_CHUNK_S = 0.2
_LARGEST_CHUNK = 64
_SHARE = 8

Chunk = tuple[Point, ...]


class Executor(ABC):
    """Simulates points; ``workers`` of them at a time, 0 where it is not known yet."""

    @property
    @abstractmethod
    def workers(self) -> int:
        """Points simulated at the same time."""

    @abstractmethod
    def run(self, points: Iterable[Point]) -> Iterator[Row]:
        """Yield a row for every point as soon as it is there, in any order; points are taken when there is room.

        A point that kills its worker again and again gets a row with that reason.
        """

    @abstractmethod
    def close(self) -> None:
        """End what was started, without waiting for what is under way; running again starts it anew."""


class Chunks:
    """Bundles points into chunks of ``chunk_s`` [s] by the time that points took so far.

    The first ones go alone, and no chunk holds more than an eighth of the points done: few points, as a search asks for
    at a time, must not end with one worker at many of them and the others at none.
    """

    def __init__(self, points: Iterable[Point], chunk_s: float = _CHUNK_S) -> None:
        self._points, self._chunk_s = iter(points), chunk_s
        self._count, self._wall_s = 0, 0.0

    def note(self, row: Row) -> None:
        """Learn how long a point takes."""
        self._count += 1
        self._wall_s += row.wall_s

    def next(self) -> Chunk:
        """Return the next chunk, empty when all points are handed out."""
        mean_s = self._wall_s / max(1, self._count)
        size = max(1, min(_LARGEST_CHUNK, self._count // _SHARE, int(self._chunk_s / max(mean_s, 1e-6))))
        return tuple(islice(self._points, size))


def died(point: Point) -> Row:
    """Return the row of a point whose workers die."""
    reason = "the process that simulated it died each time, as when memory runs out"
    return Row(point.key, point.number, point.changes, 0.0, reason=reason)
