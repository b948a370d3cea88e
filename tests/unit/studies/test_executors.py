"""How points are bundled, and what the fork server holds when it forks."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dcsim.results.rows import Row
from dcsim.studies.executors.base import Chunks
from dcsim.studies.point import Point


def sizes(chunks: Chunks, wall_s: float) -> list[int]:
    """Return the points in each chunk when each is done, at ``wall_s`` a point, before the next is asked for."""
    found = []
    while chunk := chunks.next():
        found.append(len(chunk))
        for point in chunk:
            chunks.note(Row(point.key, point.number, {}, wall_s))
    return found


@pytest.mark.parametrize(
    ("count", "wall_s", "expected"),
    [
        (15, 0.01, [1] * 15),  # an eighth of fewer than 16 is one point
        (24, 0.01, [1] * 16 + [2] * 4),  # 16 done: two at a time until 24 are
        (34, 0.09, [1] * 16 + [2] * 9),  # two points of 0.09 s fit in 0.2 s, three do not
        (20, 1.0, [1] * 20),  # a point longer than a chunk goes alone
    ],
)
def test_chunks_grow_with_what_is_done_up_to_their_time(count: int, wall_s: float, expected: list[int]) -> None:
    points = (Point(number, f"{number:032x}", {}) for number in range(count))
    assert sizes(Chunks(points, 0.2), wall_s) == expected


def test_the_fork_server_forks_with_all_that_points_need_one_thread_and_no_jax() -> None:
    code = """
import dcsim.studies.executors.preload
import gc, signal, sys, threading
print(*(name in sys.modules for name in ("dcsim.studies.executors.worker", "networkx", "jax", "pandas")))
print(threading.active_count(), gc.isenabled(), gc.get_freeze_count() > 10_000)
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["True", "True", "False", "False", "1", "True", "True", "True"]
