"""One point of a study: its key, and what a worker makes of it."""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcsim import __version__
from dcsim.errors import DcsimError
from dcsim.results.known_errors import written
from dcsim.results.rows import Row
from dcsim.scenario.dump import digest_input
from dcsim.scenario.load import Loaded
from dcsim.scenario.replications import Replications

if TYPE_CHECKING:
    from dcsim.results.result import Metric
    from dcsim.simulate.running import Measured

# What a simulation may raise; one bad point must not take the others with it.
_POINT_ERRORS = (DcsimError, ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Point:
    """A place in the study: its number, its key, and the values by path that make it of the base scenario."""

    number: int
    key: str
    changes: dict[str, Any]


@dataclass(frozen=True)
class Context:
    """What all points of a study share; it is sent to a worker once.

    ``costs`` are traced costs by the name of their file in the cache; ``runs`` is where run folders go, if anywhere.
    """

    base: Loaded
    replications: Replications
    keep: tuple[str, ...]
    allow_code: bool = False
    runs: Path | None = None
    costs: dict[str, str] = field(default_factory=dict)
    version: str = __version__


def identity(base: Loaded, replications: Replications) -> str:
    """Digest what all points share: the base scenario, the files that it names, replications and version."""
    plain = digest_input(base.scenario)
    digest = blake2b(digest_size=20)
    digest.update(_json([plain, replications.model_dump(mode="json"), __version__]))
    for text in sorted(set(_texts(plain))):
        digest.update(_content(base.folder, text))
    return digest.hexdigest()


def key(shared: str, changes: dict[str, Any], folder: Path) -> str:
    """Digest a point: what all share, its changes whatever their order, and the files that they name."""
    digest = blake2b(_json([shared, changes]), digest_size=16)
    for text in sorted(set(_texts(changes))):
        digest.update(_content(folder, text))
    return digest.hexdigest()


def simulate_point(context: Context, point: Point) -> Row | None:
    """Simulate one point; None if it was interrupted, a row with the reason if it cannot be simulated."""
    began = time.perf_counter()
    try:
        digest, found = _simulate(context, point)
    except _POINT_ERRORS as error:
        reason = str(error) if isinstance(error, DcsimError) else f"{type(error).__name__}: {error}"
        return Row(point.key, point.number, point.changes, time.perf_counter() - began, reason=reason or "unknown")
    if found.partial and not found.stopped:
        return None
    metrics = {} if found.stopped else found.metrics
    kept = {name: metrics[name] for name in sorted(metrics) if _kept(name, context.keep)}
    cells, rests_on = {name: _cell(metric) for name, metric in kept.items()}, written(kept, found.held_against)
    wall_s = time.perf_counter() - began
    about = (digest, found.replications, found.stopped)
    return Row(point.key, point.number, point.changes, wall_s, *about, cells, rests_on)


def _simulate(context: Context, point: Point) -> tuple[str, Measured]:
    """Return the digest and what was measured of a point, whose run folder is written where that was asked for."""
    from dcsim.simulate import prepare, running

    changes = dict(point.changes)
    if context.replications.count is not None:
        changes.setdefault("replications", context.replications.count)
    prepared = prepare(context.base.replace(changes, "axes"), context.allow_code)
    enough = _enough(context.replications)
    if context.runs is None:
        return prepared.digest, running.measure(prepared, enough)
    result = running.run(prepared, enough=enough)
    if not result.partial:
        from dcsim.results import store

        store.save(result, context.runs / point.key)
    about = result.manifest
    kept = (about["replications"], result.partial, about["stopped"], about["held_against"])
    return result.digest, running.Measured(result.metrics, *kept)


def _enough(replications: Replications) -> Any:
    """Return what says after each replication whether there are enough; None leaves it to the scenario."""
    until = replications.until
    if until is None:
        return None

    def enough(found: list[dict[str, Metric]]) -> bool:
        from dcsim.results.statistics import interval

        samples = [each[until.metric].value for each in found if until.metric in each]
        if len(samples) < len(found):
            raise ValueError(f'no metric "{until.metric}" to replicate for, found {", ".join(sorted(found[0]))}')
        if len(found) >= until.at_most:
            return True
        estimate = interval(samples)
        return estimate.half_width is not None and estimate.half_width <= until.half_width * abs(estimate.mean)

    return enough


def _kept(name: str, keep: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in keep)


def _cell(metric: Metric) -> tuple[float | None, str, float | None, float | None]:
    value = metric.value if math.isfinite(metric.value) else None
    return value, metric.unit, metric.low, metric.high


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode()


def _texts(value: Any) -> list[str]:
    """Return every text in nested plain values."""
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [text for item in items for text in _texts(item)]


def _content(folder: Path, text: str) -> bytes:
    """Return the content of the file that a text names, beside the scenario: a climate, a topology, a user's code."""
    names = [text, text.partition(":")[0].replace(".", os.sep) + ".py"] if len(text) < 200 and "\0" not in text else []
    return b"".join((folder / name).read_bytes() for name in names if name and (folder / name).is_file())
