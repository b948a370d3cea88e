"""Small scenarios that differ from a base, simulated in this process."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dcsim
from dcsim.results.result import Result
from dcsim.scenario.load import Loaded

TINY = {"family": "transformer", "layers": 2, "hidden": 128, "heads": 4, "context": 64, "vocabulary": 256}


def _job(name: str, **other: Any) -> dict[str, Any]:
    # A ring uses every card of every server in each round, so whatever happens to one of them shows.
    parallel = {"data": 16, "bucket": "200 kB", "reduce": "ring"} | other.pop("parallel", {})
    batch = {"global": 2 * parallel["data"], "micro": 2}
    plain = {"name": name, "model": TINY, "batch": batch, "parallel": parallel, "steps": 30}
    return plain | {"launch": "1 s", "checkpoint": {"every": "10 steps"}} | other


def _scenario(*jobs: dict[str, Any], **other: Any) -> dict[str, Any]:
    cluster = {
        "servers": [{"name": "train", "type": "dgx-h100", "count": 4, "per_rack": 2}],
        "storage": {"nodes": 3, "disks": {"count": 4}},
    } | other.pop("cluster", {})
    return {"dcsim": 1, "name": "small", "seed": 5, "cluster": cluster, "jobs": copy.deepcopy(list(jobs))} | other


@pytest.fixture
def job() -> Callable[..., dict[str, Any]]:
    """Return a maker of a job of 16 ranks on two servers: ``job("one", steps=100)``."""
    return _job


@pytest.fixture
def scenario() -> Callable[..., dict[str, Any]]:
    """Return a maker of a scenario of four servers and three storage nodes: ``scenario(job("one"), seed=3)``."""
    return _scenario


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Loaded]:
    """Return a function that loads a scenario given as plain data, with settings."""

    def loaded(data: dict[str, Any], *settings: str) -> Loaded:
        file = tmp_path / "scenario.yaml"
        file.write_text(json.dumps(data, indent=1), "utf-8")  # JSON is YAML
        return dcsim.load(file, settings)

    return loaded


@pytest.fixture
def simulate(load: Callable[..., Loaded]) -> Callable[..., Result]:
    """Return a function that simulates a scenario given as plain data, with settings, and holds its checks."""

    def simulated(data: dict[str, Any], *settings: str) -> Result:
        result = dcsim.run(load(data, *settings))
        assert len(result.manifest["checks"]) > 4
        assert all(check["passed"] for check in result.manifest["checks"])
        return result

    return simulated


@pytest.fixture
def both(simulate: Callable[..., Result]) -> Callable[..., Result]:
    """Return a function that simulates in both time modes, holds them equal to 1e-9 and returns the segment mode's."""

    def compared(data: dict[str, Any], *settings: str) -> Result:
        fast, slow = simulate(data, *settings, "detail=segment"), simulate(data, *settings, "detail=step")
        # Jobs that break each other's stretches off gain nothing by them; the tries cost some events.
        assert fast.manifest["events"] <= 1.05 * slow.manifest["events"]
        assert fast.metrics.keys() == slow.metrics.keys()
        values = {name: metric.value for name, metric in slow.metrics.items()}
        found = {name: metric.value for name, metric in fast.metrics.items()}
        assert found == pytest.approx(values, rel=1e-9, abs=1e-15)
        _equal_ends(fast, slow)
        return fast

    return compared


def _equal_ends(fast: Result, slow: Result) -> None:
    """Compare when everything happened, and what every part of every job's time is."""
    for table, column in (("events", "time_s"), ("spans", "end_s"), ("breakdown", "seconds"), ("links", "bytes")):
        if table in slow.tables and len(slow.tables[table]):
            left, right = fast.tables[table], slow.tables[table]
            texts = [name for name in right.columns if right[name].dtype == object]
            assert left[texts].to_numpy().tolist() == right[texts].to_numpy().tolist(), table
            scale = max(1.0, float(right[column].abs().max()))
            assert left[column].to_numpy() == pytest.approx(right[column].to_numpy(), rel=1e-9, abs=1e-9 * scale), table
