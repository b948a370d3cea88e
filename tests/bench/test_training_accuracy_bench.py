"""Errors of published runs that no fit saw, and the rate at which plans are timed."""

from __future__ import annotations

import platform
import time
from dataclasses import fields

import numpy as np
import pytest

from dcsim.accuracy.training import study, table
from dcsim.accuracy.training.case import read
from dcsim.accuracy.training.constants import shipped
from dcsim.accuracy.training.predict import facts_of, work_of
from dcsim.accuracy.training.setting import Setting, setting_of
from dcsim.estimate.training import step_seconds
from dcsim.estimate.work import Work

pytestmark = pytest.mark.bench


def settings() -> list[Setting]:
    return [found for found in map(setting_of, read(table.SHIPPED)) if isinstance(found, Setting)]


def test_runs_of_the_other_half() -> None:
    found = study.study(settings(), splits=1, left_out=False)
    errors = np.abs(found.halves[0])
    assert np.median(errors) < 0.035
    assert errors.mean() < 0.07
    assert np.quantile(errors, 0.9) < 0.13


def test_plans_are_timed_by_the_hundred_thousand() -> None:
    one = work_of(facts_of([run for run in settings() if run.case.id == "korthikanti-t5-001"]), shipped())

    def repeated(record: object) -> object:
        values = {f.name: np.tile(getattr(record, f.name), 8192) for f in fields(record)}  # type: ignore[arg-type]
        return type(record)(**values)

    many = Work(*(repeated(getattr(one, f.name)) for f in fields(Work)))  # type: ignore[arg-type]
    start = time.process_time()
    assert len(step_seconds(many)) == 8192
    rate_per_s = 8192 / (time.process_time() - start)
    print(f"\n{platform.machine()}, one core: {rate_per_s:,.0f} plans/s of CPU time in a batch of 8,192")
