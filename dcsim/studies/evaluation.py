"""Points that a search asks for, simulated unless they are finished already."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dcsim.errors import InputError
from dcsim.results import dataset
from dcsim.results.rows import Row
from dcsim.scenario.study import Constraint
from dcsim.scenario.suggest import nearest
from dcsim.studies.axes import Changes
from dcsim.studies.executors.base import Executor
from dcsim.studies.point import Point, key
from dcsim.studies.sweep import Sweep


class Evaluation:
    """Rows of points by their changes; each point is simulated once, in this search or an earlier one."""

    def __init__(self, ready: Sweep, executor: Executor, tell: Callable[[int], None]) -> None:
        self._ready, self._executor, self._tell = ready, executor, tell
        self._known = {row.key: row for row in dataset.stored(ready.dataset.folder)}
        self._asked = 0
        self.simulated = 0

    def rows(self, asked: Sequence[Changes]) -> list[Row]:
        """Return a row for each point asked for, in that order.

        Raises
        ------
        RunError
            If rows can no longer be kept or the executor is lost.
        """
        folder, shared = self._ready.loaded.base.folder, self._ready.shared
        points = [Point(self._asked + i, key(shared, changes, folder), changes) for i, changes in enumerate(asked)]
        self._asked += len(points)
        missing = {point.key: point for point in points if point.key not in self._known}
        for row in self._executor.run(missing.values()):
            self._ready.dataset.append(row)
            self._known[row.key] = row
            self.simulated += 1
            self._tell(self.simulated)
        if any(point.key not in self._known for point in points):
            raise KeyboardInterrupt  # a worker was interrupted before we were
        return [self._known[point.key] for point in points]

    def close(self) -> None:
        """End the executor and turn what is left of the journal into Parquet."""
        self._executor.close()
        self._ready.dataset.seal()


def value(row: Row, metric: str) -> float:
    """Return a metric of a finished point [its unit].

    Raises
    ------
    InputError
        If the point has no such metric, with the nearest that it has.
    """
    cell = row.metrics.get(metric)
    if cell is None:
        hint = nearest(metric, row.metrics)
        known = ", ".join(sorted(row.metrics)) or "none"
        raise InputError(
            f'found no metric "{metric}" in a point, expected one that is kept: {known}{hint and "; " + hint}'
        )
    return float("nan") if cell[0] is None else cell[0]


def violation(row: Row, bound: Constraint) -> float:
    """Return by how much a point misses a constraint on a metric, relative to its bound; 0 or less keeps it."""
    found = value(row, bound.name)
    over = found - bound.bound if "<" in bound.relation else bound.bound - found
    return over / (abs(bound.bound) or 1.0)
