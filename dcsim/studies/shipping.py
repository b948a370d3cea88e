"""The traced costs that the points of a study need, traced once where the study is started."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from dcsim.catalogue import resolve
from dcsim.errors import DcsimError
from dcsim.estimate.job_plan import cost_request
from dcsim.estimate.tracing import permit
from dcsim.scenario.load import Loaded
from dcsim.studies.point import Point
from dcsim.workload.costs import packed

_DESCRIBING = ("jobs", "parts")  # blocks of a scenario that say what a step computes
_TRACED = ("model", "precision", "inference", "optimizer", "batch")  # keys of a job that say so
_MOST_KINDS = 256  # more kinds of steps than this are left to the workers, which trace what they miss


def packed_costs(base: Loaded, points: Iterable[Point], allow_code: bool) -> dict[str, str]:
    """Return the costs of all steps of ``points`` by the name of their cache file.

    A point that cannot be prepared is passed over: it fails where it is simulated, with its reason.
    """
    found: dict[str, str] = {}
    for changes in _kinds(points):
        try:
            loaded = base.replace(changes, "axes")
            inventory = resolve(loaded)
            permit(loaded, inventory, allow_code)
            found.update(packed(cost_request(parts, loaded.folder)) for parts in inventory.jobs)
        except (DcsimError, ArithmeticError, LookupError, TypeError, ValueError):
            continue
    return found


def _kinds(points: Iterable[Point]) -> Iterator[dict[str, Any]]:
    """Yield the changes to what describes steps, of one point for each different step."""
    seen = set[str]()
    for point in points:
        changes = {path: value for path, value in point.changes.items() if path.partition(".")[0] in _DESCRIBING}
        traced = {path: value for path, value in changes.items() if _is_traced(path)}
        name = json.dumps(traced, sort_keys=True, default=str)
        if name not in seen:
            seen.add(name)
            yield changes
            if len(seen) >= _MOST_KINDS:
                return


def _is_traced(path: str) -> bool:
    """Return whether a value may change what a step computes; of jobs it is said by few keys, or by a whole block."""
    block, *names = path.split(".")
    return block != "jobs" or len(names) < 2 or names[1] in _TRACED
