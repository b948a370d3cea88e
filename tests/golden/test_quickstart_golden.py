"""Headline metrics of the quickstart, pinned: a change of any model shows here and has to be meant.

After a change that is meant, write the file anew: ``python tests/golden/test_quickstart_golden.py``.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dcsim import simulate
from dcsim.scenario.load import load

ROOT = Path(__file__).parents[2]
PINNED = Path(__file__).with_name("quickstart.json")
SHORT = ("jobs.learn.steps=10", "jobs.learn.checkpoint.every=5 steps")  # its real math is pinned by its own tests
TEXT = "storage.read"  # holds the text that "learn" trains on, which differs between Python versions
TOLERANCE = 1e-6  # lets the microseconds that loading that text takes differ


def metrics() -> dict[str, tuple[float, str]]:
    result = simulate.run(simulate.prepare(load(ROOT / "scenarios" / "quickstart.yaml", SHORT)))
    return {
        name: (metric.value, metric.unit)
        for name, metric in result.metrics.items()
        if "learn" not in name and name != TEXT
    }


def test_the_metrics_are_those_pinned() -> None:
    pinned, found = json.loads(PINNED.read_text("utf-8")), metrics()
    assert list(found) == list(pinned)
    for name, (value, unit) in found.items():
        assert unit == pinned[name][1]
        assert value == pytest.approx(pinned[name][0], rel=TOLERANCE), name


if __name__ == "__main__":
    PINNED.write_text(json.dumps(metrics(), indent=1) + "\n", "utf-8")
