"""What was published of jobs beside what the run says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dcsim.results.result import Metric
from dcsim.scenario.root import Scenario


def rows(scenario: Scenario, metrics: Mapping[str, Metric]) -> Iterable[Sequence[Any]]:
    """Yield a row for every published figure of a job whose metric the run has; errors are predicted / measured - 1."""
    for job in scenario.jobs:
        for measured in job.measured:
            for name, value in measured.figures.items():
                found = metrics.get(f"jobs.{job.name}.{name}")
                if found is not None and value > 0.0:
                    error = found.value / value - 1.0
                    yield job.name, name, found.unit, value, found.value, error, measured.source
