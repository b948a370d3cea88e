"""One point after the other, in this process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dcsim.results.rows import Row
from dcsim.studies.executors.base import Executor
from dcsim.studies.point import Context, Point, simulate_point


@dataclass(frozen=True)
class Serial(Executor):
    """Simulates in this process; nothing to start, and a debugger reaches everything."""

    context: Context

    @property
    def workers(self) -> int:
        """One."""
        return 1

    def run(self, points: Iterable[Point]) -> Iterator[Row]:
        """Yield a row a point, in order; an interrupt in a point is an interrupt of the sweep."""
        for point in points:
            row = simulate_point(self.context, point)
            if row is None:
                raise KeyboardInterrupt
            yield row

    def close(self) -> None:
        """Nothing was started."""
