"""The rate at which plans are searched, what memory that takes, and the time of a single prediction."""

from __future__ import annotations

import platform
import time
import tracemalloc

import pytest

from dcsim.accuracy.training import table
from dcsim.accuracy.training.case import read
from dcsim.accuracy.training.constants import shipped
from dcsim.accuracy.training.predict import facts_of, work_of
from dcsim.accuracy.training.setting import Setting, setting_of
from dcsim.catalogue import Shelf
from dcsim.estimate.plan_search import Question, count, evaluate, search
from dcsim.estimate.work import Work
from dcsim.scenario.transformers import Decoder

pytestmark = pytest.mark.bench


@pytest.fixture(scope="module")
def work() -> Work:
    """Return the published run of GPT-3 on 64 A100 (Korthikanti et al., MLSys 2023, Table 5)."""
    (case,) = [case for case in read(table.SHIPPED) if case.id == "korthikanti-t5-001"]
    setting = setting_of(case)
    assert isinstance(setting, Setting)
    return work_of(facts_of([setting]), shipped())


def question(batch: int) -> Question:
    spec = Shelf().model("gpt3-175b")
    assert isinstance(spec, Decoder)
    return Question(spec, ranks=64, batch=batch, domain=8, memory_bytes=80e9, zero_bubble=True)


def test_all_plans_of_64_accelerators(work: Work) -> None:
    asked = question(batch=1536)
    start = time.process_time()
    found = search(work, asked)
    taken_s = time.process_time() - start
    assert found.looked_at == count(asked) > 100_000
    print(f"\n{platform.machine()}, one core: {found.looked_at:,} plans in {taken_s:.2f} s of CPU time", end="")
    print(f", {found.looked_at / taken_s:,.0f} plans/s; {found.fitting:,} fit, {len(found)} are on the front")


def test_memory_does_not_grow_with_the_space(work: Work) -> None:
    peaks = []
    for batch in (64, 1536):
        tracemalloc.start()
        search(work, question(batch))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    spaces = [count(question(batch)) for batch in (64, 1536)]
    print(f"\n{spaces[0]:,} and {spaces[1]:,} plans: at most {peaks[0] / 1e6:.0f} and {peaks[1] / 1e6:.0f} MB")
    assert spaces[1] > 3 * spaces[0]
    assert peaks[1] < 1.3 * peaks[0]


def test_one_configuration_is_predicted_at_once(work: Work) -> None:
    asked = question(batch=64)
    evaluate(work, work.plan, asked)
    start = time.process_time()
    for _ in range(20):
        evaluate(work, work.plan, asked)
    print(f"\none configuration, time and memory: {(time.process_time() - start) / 20 * 1e3:.2f} ms of CPU time")
