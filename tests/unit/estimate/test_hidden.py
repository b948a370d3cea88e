"""What computation covers of a step's messages: with what is exposed, it is all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dcsim.catalogue import Shelf
from dcsim.catalogue.inventory import JobParts, PoolParts
from dcsim.catalogue.parts import Accelerator, Link, Psu, Server, Software
from dcsim.estimate import plan_work
from dcsim.estimate.hidden import hidden_seconds
from dcsim.estimate.training import message_seconds, step_parts
from dcsim.estimate.work import Work
from dcsim.scenario.hardware import ServerPool
from dcsim.scenario.workload import Job

SHELF = Shelf()


def work(plan: dict[str, object], model: str = "llama2-7b") -> Work:
    server = SHELF.take(Server, "dgx-h100")
    spec = ServerPool.model_validate({"name": "train", "type": "dgx-h100", "count": 8, "per_rack": 2})
    link = SHELF.take(Link, server.link or "")
    pool = PoolParts(spec, server, SHELF.take(Accelerator, server.accelerator), link, SHELF.take(Psu, server.psu))
    keys = {"name": "job", "model": model, "steps": 1, "parallel": plan, "software": "bridge-2026"}
    job = Job.model_validate({**keys, "batch": {"global": 64, "micro": 1}})
    parts = JobParts(job, SHELF.model(model), SHELF.take(Software, job.software))
    setting = plan_work.setting_of(parts, pool, SHELF)
    assert not isinstance(setting, plan_work.Missing)
    return plan_work.work_of(parts, pool, setting, 50e9)


@pytest.mark.parametrize("again", ["none", "full"])
def test_tensor_messages_are_exposed_or_hidden(again: str) -> None:
    given = work({"tensor": 4, "sequence": True, "data": 2, "recompute": again})
    habits = given.habits
    given = replace(given, habits=replace(habits, hidden_tensor=np.array([0.25])))
    once = work({"tensor": 4, "sequence": True, "data": 2})
    hidden, exposed = float(hidden_seconds(given)["tensor"][0]), float(step_parts(given)["tensor"][0])
    assert hidden + exposed == pytest.approx(float(message_seconds(once)["tensor"][0]), rel=1e-9)
    assert hidden == pytest.approx(exposed / 3.0, rel=1e-9)  # a quarter of all


def test_keys_pass_beside_attention_in_a_ring_and_before_it_otherwise() -> None:
    plan: dict[str, object] = {"context": 4, "data": 2, "tensor": 2}
    ring, gather = work(plan), work(plan | {"context_exchange": "all-gather"})
    total = float(message_seconds(gather)["context"][0])
    assert float(hidden_seconds(gather)["context"][0]) == 0.0
    covered, exposed = float(hidden_seconds(ring)["context"][0]), float(step_parts(ring)["context"][0])
    assert covered > 0.0
    assert covered + exposed == pytest.approx(total, rel=1e-9)


def test_what_is_not_sent_is_not_hidden() -> None:
    assert all(float(times[0]) == 0.0 for times in hidden_seconds(work({"data": 1, "sharding": "optimizer"})).values())


def test_dispatch_that_leaves_the_domain_hides_where_stages_have_several_chunks() -> None:
    plan: dict[str, object] = {"data": 16, "pipeline": 2, "virtual": 2, "expert": 16}
    given = work(plan, "deepseek-v3")
    hidden, exposed = float(hidden_seconds(given)["expert"][0]), float(step_parts(given)["expert"][0])
    assert hidden == pytest.approx(exposed * 0.52 / 0.48, rel=0.05)  # hidden_expert of the catalogue
    assert hidden + exposed == pytest.approx(float(message_seconds(given)["expert"][0]), rel=1e-9)
