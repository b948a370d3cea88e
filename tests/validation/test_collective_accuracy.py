"""Published collectives: errors of times on rows that no parameter was fitted on, against what is promised."""

from __future__ import annotations

from typing import Any

import pytest

from dcsim.accuracy.collectives import table


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    return table.score_cases(None)[1]


@pytest.mark.parametrize(
    ("place", "median", "ninetieth"),
    [
        ("one node, from 1 MiB", 0.06, 0.20),
        ("one node, below 1 MiB", 0.15, 0.25),
        ("across nodes", 0.15, 0.40),
    ],
)
def test_errors_on_rows_not_fitted(facts: dict[str, Any], place: str, median: float, ninetieth: float) -> None:
    found = facts["not_fitted"][place]
    assert found["rows"] > 30
    assert found["median"] <= median
    assert found["ninetieth"] <= ninetieth
    assert found["coverage"] >= 0.9


def test_systems_without_a_fitted_row(facts: dict[str, Any]) -> None:
    for place in ("one node, from 1 MiB", "one node, below 1 MiB", "across nodes"):
        assert facts["time"][f"{table.UNSEEN}: {place}"]["median"] <= 0.15


def test_plainer_models_are_worse(facts: dict[str, Any]) -> None:
    for place in ("one node, from 1 MiB", "one node, below 1 MiB", "across nodes"):
        for plain in facts["baselines"].values():
            assert plain[place]["median"] > 1.5 * facts["not_fitted"][place]["median"]
