"""Costs are looked up once for each different step of a study, not once for each point."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcsim.catalogue import resolve
from dcsim.catalogue.inventory import Inventory
from dcsim.scenario.load import Loaded
from dcsim.scenario.study import load_study
from dcsim.studies import shipping
from dcsim.studies.point import Point


def test_points_that_compute_alike_are_looked_up_once(study_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[Loaded] = []

    def resolved(loaded: Loaded) -> Inventory:
        looked_up.append(loaded)
        return resolve(loaded)

    monkeypatch.setattr(shipping, "resolve", resolved)
    values = [(steps, micro) for steps in range(1, 8) for micro in (2, 4)]
    points = [
        Point(number, "", {"jobs.digits.steps": steps, "jobs.digits.batch.micro": micro, "site.grid": "france"})
        for number, (steps, micro) in enumerate(values)
    ]
    found = shipping.packed_costs(load_study(study_file).base, points, False)
    assert len(found) == len(looked_up) == 2
    assert [loaded.scenario.jobs[0].batch.micro for loaded in looked_up] == [2, 4]
