"""What must hold between distant parts of a scenario: unique names, targets that exist.

These checks read the plain data, so they run and report even where other values are wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dcsim.errors import Problem
from dcsim.scenario.positions import Positions
from dcsim.scenario.suggest import nearest, quoted


def problems(positions: Positions, folder: Path) -> list[Problem]:
    """Return every broken relation; ``folder`` is the scenario's, where its other files lie."""
    data = positions.root.plain()
    checks = (
        _unique(positions),
        _jobs(data, positions),
        _faults(data, positions),
        _files(data, positions, folder),
        _appliances(data, positions),
        _background(data, positions),
    )
    return [problem for check in checks for problem in check]


def _at(positions: Positions, steps: tuple[str | int, ...], found: str, expected: str, hint: str = "") -> Problem:
    place = positions.walk(steps)
    return Problem(place.file, place.line, place.path, found, expected, hint)


def _items(data: Any, *keys: str) -> list[Any]:
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data if isinstance(data, list) else []


def _unique(positions: Positions) -> Iterator[Problem]:
    data = positions.root.plain()
    named = (
        ("job", ("jobs",)),
        ("server pool", ("cluster", "servers")),
        ("background traffic", ("cluster", "network", "background")),
    )
    for what, keys in named:
        seen = set()
        for index, item in enumerate(_items(data, *keys)):
            name = item.get("name") if isinstance(item, Mapping) else None
            if isinstance(name, str) and name in seen:
                steps = (*keys, index, "name")
                yield _at(positions, steps, f"{quoted(name)} a second time", f"a name that no other {what} has")
            seen.add(str(name))


def _pools(data: Any) -> dict[str, int | None]:
    """Return the number of servers by pool, None where it is not known."""
    pools: dict[str, int | None] = {}
    for item in _items(data, "cluster", "servers"):
        if isinstance(item, Mapping) and isinstance(item.get("name"), str):
            count = item.get("count")
            known = type(count) is int and count > 0 and item["name"] not in pools
            pools[item["name"]] = count if known else None
    return pools


def _jobs(data: Any, positions: Positions) -> Iterator[Problem]:
    pools = _pools(data)
    cluster = data.get("cluster")
    stored = not isinstance(cluster, Mapping) or cluster.get("storage") is not None
    for index, job in enumerate(_items(data, "jobs")):
        if not isinstance(job, Mapping):
            continue
        pool = job.get("servers")
        if isinstance(pool, str) and pools and pool not in pools:
            yield _at(positions, ("jobs", index, "servers"), quoted(pool), _one_of(pools), nearest(pool, pools))
        if job.get("checkpoint") is not None and not stored:
            found = "a checkpoint but no storage pool"
            yield _at(positions, ("jobs", index, "checkpoint"), found, "the key cluster.storage")


def _one_of(pools: Mapping[str, Any]) -> str:
    return f"a server pool of cluster.servers: {', '.join(list(pools)[:20])}"


def _faults(data: Any, positions: Positions) -> Iterator[Problem]:
    pools = _pools(data)
    for index, fault in enumerate(_items(data, "faults")):
        if isinstance(fault, Mapping) and fault.get("kind") == "server":
            yield from _server(fault.get("target"), pools, positions, ("faults", index, "target"))


def _server(
    target: Any, pools: Mapping[str, int | None], positions: Positions, steps: tuple[str | int, ...]
) -> Iterator[Problem]:
    """Yield a server such as "train/15" that no pool has."""
    pool, slash, number = target.partition("/") if isinstance(target, str) else ("", "", "")
    if not slash or not pools or not (number.isascii() and number.isdecimal() and len(number) < 8):
        return
    if pool not in pools:
        yield _at(positions, steps, quoted(target), _one_of(pools), nearest(pool, pools))
        return
    count = pools[pool]
    if count is not None and int(number) >= count:
        yield _at(positions, steps, quoted(target), f'a server from "{pool}/0" to "{pool}/{count - 1}"')


def _background(data: Any, positions: Positions) -> Iterator[Problem]:
    """Yield the servers, pools and storage that background traffic names and the cluster does not have."""
    pools, nodes = _pools(data), _storage_nodes(data)
    for index, item in enumerate(_items(data, "cluster", "network", "background")):
        if not isinstance(item, Mapping):
            continue
        steps = ("cluster", "network", "background", index)
        for key in ("source", "target"):
            yield from _server(item.get(key), {**pools, **nodes}, positions, (*steps, key))
        named = item.get("servers")
        for place, pool in enumerate(named if isinstance(named, list) else []):
            if isinstance(pool, str) and pools and pool not in pools:
                yield _at(positions, (*steps, "servers", place), quoted(pool), _one_of(pools), nearest(pool, pools))
        if item.get("kind") == "storage" and not nodes:
            yield _at(positions, (*steps, "kind"), "storage traffic but no storage pool", "the key cluster.storage")


def _storage_nodes(data: Any) -> dict[str, int | None]:
    """Return the storage nodes as a pool, nothing without any; their number where the file says it."""
    cluster = data.get("cluster")
    storage = cluster.get("storage") if isinstance(cluster, Mapping) else None
    if storage is None:
        return {}
    nodes = storage.get("nodes") if isinstance(storage, Mapping) else None
    return {"storage": nodes if type(nodes) is int and nodes > 0 else None}


def _appliances(data: Any, positions: Positions) -> Iterator[Problem]:
    """Yield the appliances between pools that the cluster does not have."""
    cluster = data.get("cluster")
    storage = isinstance(cluster, Mapping) and cluster.get("storage") is not None
    known = [*_pools(data), *(["storage"] if storage else [])]
    for index, item in enumerate(_items(data, "cluster", "network", "appliances")):
        between = item.get("between") if isinstance(item, Mapping) else None
        for place, end in enumerate(between if isinstance(between, list) else []):
            if isinstance(end, str) and end not in known:
                steps = ("cluster", "network", "appliances", index, "between", place)
                yield _at(positions, steps, quoted(end), f"one of {', '.join(known)}", nearest(end, known))


def _files(data: Any, positions: Positions, folder: Path) -> Iterator[Problem]:
    for steps in (("site", "climate", "file"), ("cluster", "network", "topology", "file")):
        name = data
        for step in steps:
            name = name.get(step) if isinstance(name, Mapping) else None
        if isinstance(name, str) and not _is_file(folder, name):
            yield _at(positions, steps, quoted(name), "an existing file in the scenario's folder")


def _is_file(folder: Path, name: str) -> bool:
    try:
        path = (folder / name).resolve()
        return path.is_file() and path.is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):
        return False
