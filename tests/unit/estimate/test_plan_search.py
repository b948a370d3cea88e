"""The search looks at all plans that a model allows, and keeps those that none beats."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from dcsim.catalogue import Shelf
from dcsim.compute.kernels import Chip
from dcsim.estimate.messages import Links
from dcsim.estimate.plan_search import Found, Question, count, evaluate, front, search
from dcsim.estimate.rank_memory import rank_memory
from dcsim.estimate.training import step_seconds
from dcsim.estimate.work import Habits, Work
from dcsim.parallel.legal import faults
from dcsim.parallel.model_shape import shape_of
from dcsim.parallel.parallelism import Parallelism, Precision
from dcsim.scenario.parallel import Parallel
from dcsim.scenario.transformers import Decoder
from dcsim.scenario.workload import Batch

CHIP = {
    "rate": 989e12, "rate16": 989e12, "bandwidth": 3.35e12, "cores": 132.0, "product": 0.7, "product16": 0.7,
    "attention": 0.5, "memory": 0.8, "depth": 128.0, "weights": 1.0,
}  # fmt: skip
LINKS = {"inside": 3e11, "outside": 4e10, "domain": 8.0, "hop_inside": 2e-6, "hop_outside": 5e-6, "half": 1e6}
HABITS = {"launch_s": 5e-6, "traffic": 1.0, "fused": 1.0, "hidden_data": 0.5, "routed": 8.0}
WIDTHS = {"activation_bytes": 2.0, "weight_bytes": 2.0, "gradient_bytes": 4.0, "dispatch_bytes": 2.0}


def record(kind: type, given: dict[str, float]) -> object:
    return kind(**{field.name: np.array([given.get(field.name, 0.0)]) for field in fields(kind)})


def model(name: str) -> Decoder:
    spec = Shelf().model(name)
    assert isinstance(spec, Decoder)
    return spec


def work(spec: Decoder) -> Work:
    kinds = ((Precision, WIDTHS), (Chip, CHIP), (Links, LINKS), (Habits, HABITS))
    plan = record(Parallelism, {field.name: 1.0 for field in fields(Parallelism)})
    return Work(shape_of(spec), plan, *(record(kind, given) for kind, given in kinds))  # type: ignore[arg-type]


GPT2 = Question(model("gpt2-small"), ranks=8, batch=16, domain=8, memory_bytes=80e9, active_w=200.0, work_j=1e3)


def test_plans_are_counted_as_by_hand() -> None:
    # Two accelerators and two sequences, 12 layers and heads. Data: 2 replicas of one sequence, 4 shardings and 3
    # recomputations: 12. Context: the same sharings of one replica, micro batches of 1 and 2: 24. Tensor: 2 micro
    # batches, sequence parallel or not: 12. Pipeline: micro batches of 1 (two of them, so that 6 chunk counts are
    # even: 1, 2, 3 and 6 of layers alone, 7 with embedding and head) and of 2 (one, no chunks): (5 + 1) x 3 = 18.
    question = replace(GPT2, ranks=2, batch=2)
    assert count(question) == 12 + 24 + 12 + 18
    assert count(replace(question, zero_bubble=True)) == 12 + 24 + 12 + 18 + 6


def test_every_plan_has_all_ranks_and_is_legal() -> None:
    spec = model("mixtral-8x7b")
    found = search(work(spec), Question(spec, ranks=64, batch=64, domain=8, memory_bytes=80e9, active_w=200.0))
    plans = found.plans
    assert len(found) and np.all(plans.ranks == 64.0)
    assert np.all(plans.data * plans.micro * plans.micro_batches == 64.0)
    names = ("tensor", "pipeline", "virtual", "data", "context", "expert")
    for place in range(len(found)):
        given = {name: int(getattr(plans, name)[place]) for name in names}
        batch = Batch.model_validate({"global": 64, "micro": int(plans.micro[place])})
        assert not list(faults(Parallel.model_validate(given), spec, batch))


def test_the_best_is_the_best_of_all() -> None:
    found = search(work(GPT2.model), GPT2)
    assert found.looked_at == count(GPT2) >= len(found)
    assert found.fitting == found.looked_at
    everything = np.concatenate([part.seconds for part in _all(GPT2)])
    assert found.seconds[0] == everything.min()
    assert np.all(np.diff(found.seconds) >= 0.0)
    one = replace(work(GPT2.model), plan=found.take(np.array([0])).plans)
    assert float(step_seconds(one)[0]) == found.seconds[0]
    assert float(rank_memory(one).total[0]) == found.memory_bytes[0]


def test_what_does_not_fit_is_no_answer() -> None:
    small = replace(GPT2, memory_bytes=1e9)
    found = search(work(GPT2.model), small)
    assert 0 < found.fitting < found.looked_at
    assert np.all(found.memory_bytes <= 1e9)
    assert len(search(work(GPT2.model), replace(GPT2, memory_bytes=1e6))) == 0


@pytest.mark.parametrize("ranks", [1, 7])
def test_one_accelerator_and_a_prime_number_of_them(ranks: int) -> None:
    found = search(work(GPT2.model), replace(GPT2, ranks=ranks, batch=7))
    assert len(found) and np.all(found.plans.ranks == ranks)


def test_the_front_is_that_of_the_definition() -> None:
    draws = np.random.default_rng(5)
    costs = draws.integers(0, 6, (200, 3)).astype(np.float64)
    kept = {tuple(row) for row in costs[front(costs)].tolist()}
    rows = {tuple(row) for row in costs.tolist()}
    beaten = {a for a in rows for b in rows if a != b and all(y <= x for x, y in zip(a, b, strict=True))}
    assert kept == rows - beaten
    assert len(front(costs)) == len(kept)


def _all(question: Question) -> list[Found]:
    from dcsim.estimate import plan_search

    base = work(question.model)
    return [evaluate(base, plans, question) for plans in plan_search._chunks(question)]
