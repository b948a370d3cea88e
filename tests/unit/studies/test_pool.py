"""The pool's book-keeping, with a pool that breaks on command in place of processes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import count
from typing import Any, cast

import pytest

from dcsim.results.rows import Row
from dcsim.studies.executors.base import Chunk
from dcsim.studies.executors.pool import Pool
from dcsim.studies.point import Context, Point

POINTS = [Point(number, f"{number:032x}", {}) for number in range(40)]


@dataclass
class Fragile:
    """Does what it is given at once; refuses the submission of that number as a pool with a dead worker does."""

    breaks_at: int
    given: Iterator[int]

    def submit(self, _work: object, chunk: Chunk) -> Future[list[Row | None]]:
        """Return the rows of ``chunk`` as a finished future."""
        if next(self.given) == self.breaks_at:
            raise BrokenProcessPool
        future: Future[list[Row | None]] = Future()
        future.set_result([Row(point.key, point.number, {}, 0.03) for point in chunk])
        return future

    def shutdown(self, **_kinds: bool) -> None:
        """Nothing was started."""


@pytest.mark.parametrize("breaks_at", range(0, 24, 3))
def test_a_pool_that_breaks_while_it_is_handed_points_loses_none(
    breaks_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = count()
    monkeypatch.setattr(Pool, "_start", lambda _pool: cast(Any, Fragile(breaks_at, given)))
    rows = [row.key for row in Pool(cast(Context, None), 2).run(POINTS)]
    assert next(given) > breaks_at  # it broke
    assert sorted(rows) == [point.key for point in POINTS]
