"""Clients that train by themselves, and ranks that do not wait, for real."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from dcsim.errors import InputError, RunError
from dcsim.parallel.schedule import parameter_server, ring_all_reduce
from dcsim.scenario.workload import Job
from dcsim.workload.asynchronous import AsynchronousExecution
from dcsim.workload.data import cut
from dcsim.workload.federated import FederatedExecution
from dcsim.workload.snapshot import Snapshot

MLP = {"family": "mlp", "inputs": 4, "hidden": [8], "classes": 3}
SERVER = {"kind": "parameter-server", "updates": "asynchronous"}


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DCSIM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def job(reduction: Any, **changes: Any) -> Job:
    given = {
        "name": "learn",
        "model": MLP,
        "precision": "fp32",
        "optimizer": {"name": "sgd", "learning_rate": 0.1},
        "batch": {"global": 48, "micro": 4},
        "parallel": {"data": 4, "reduce": reduction},
        "steps": 10,
        "execute": {"data": "iris"},
    }
    return Job.model_validate(given | changes)


def federated(clients: int, **more: Any) -> FederatedExecution:
    given = job({"kind": "federated", "local_steps": 3, "clients": clients, **more})
    return FederatedExecution(given.model, given, 4, 7, ring_all_reduce(4 // clients))  # type: ignore[arg-type]


def asynchronous(**changes: Any) -> AsynchronousExecution:
    given = job(SERVER, **changes)
    return AsynchronousExecution(given.model, given, 4, 7)  # type: ignore[arg-type]


def test_clients_learn_from_their_own_and_average() -> None:
    run = federated(4)
    losses = [run.step(parameter_server(4)) for _ in range(15)]
    assert losses[-1] < losses[0] / 2
    assert 0.0 <= run.full_batch_difference() <= 1e-6  # bits may agree where nothing is reordered


def test_one_client_takes_ordinary_steps() -> None:
    """One client of four ranks: a round is three steps of synchronous gradient descent, here by hand."""
    run = federated(1)
    weights = run.weights.copy()
    for local in range(3):
        batches = [run.shards.batch(local, rank, 4) for rank in range(4)]
        weights = weights - np.float32(0.1) * run.kernels.gradients(weights, batches, 4)[1].mean(axis=0)
    run.step(parameter_server(1))
    assert run.weights == pytest.approx(weights, rel=1e-5, abs=1e-6)


def test_the_mean_weighs_clients_by_their_data() -> None:
    """Two clients by hand: w + 3/4 of the way of the first + 1/4 of the way of the second."""
    run = federated(2, shares=["75 %", "25 %"])
    before = run.weights.copy()
    ways = [run._train(client)[1] for client in range(2)]
    fresh = federated(2, shares=["75 %", "25 %"])
    fresh.step(parameter_server(2))
    assert fresh.weights == pytest.approx(before + 0.75 * ways[0] + 0.25 * ways[1], rel=1e-6, abs=1e-7)


def test_sorted_clients_see_few_classes_and_random_ones_all() -> None:
    def classes(split: str) -> list[int]:
        run = federated(4, split=split)
        batches = [run.shards.batch(0, rank, 200)["labels"] for rank in range(4)]
        return [len(Counter(labels.tolist())) for labels in batches]

    assert max(classes("sorted")) == 2  # 150 rows of 3 classes over 4 clients: no stretch of 38 holds three
    assert classes("random") == [3, 3, 3, 3]


def test_shares_cut_the_data() -> None:
    parts = cut(np.arange(10), (0.5, 0.3, 0.2))
    assert [part.tolist() for part in parts] == [[0, 1, 2, 3, 4], [5, 6, 7], [8, 9]]
    with pytest.raises(InputError, match="a client without a sample"):
        cut(np.arange(3), (0.9, 0.05, 0.05))


def test_a_round_goes_on_from_a_snapshot_with_the_clients_own_optimizers() -> None:
    given = job({"kind": "federated", "local_steps": 3}, optimizer={"name": "adamw", "learning_rate": 0.01})

    def fresh() -> FederatedExecution:
        return FederatedExecution(given.model, given, 4, 7, ())  # type: ignore[arg-type]

    run = fresh()
    run.step(parameter_server(4))
    kept = Snapshot.from_bytes(run.snapshot().to_bytes())
    assert kept.size_bytes == 4 * run.elements + 4 * (8 * run.elements + 4)
    losses = [run.step(parameter_server(4)) for _ in range(3)]
    again = fresh()
    again.restore(kept)
    assert [again.step(parameter_server(4)) for _ in range(3)] == losses
    assert again.digest() == run.digest()


def test_a_gradient_is_of_the_weights_that_were_pulled() -> None:
    run = asynchronous()
    with pytest.raises(RunError, match="no gradient was pushed"):
        run.full_batch_difference()
    first = run.weights.copy()
    run.push(0, 0)
    assert run.full_batch_difference() <= 1e-6, "nobody was in between"
    run.push(1, 0)
    stale = run.full_batch_difference()
    assert stale > 1e-3, "the second gradient is of weights that the first push changed"
    assert (run.updates, run.staleness) == (2, 1)
    # By hand: both gradients at the first weights.
    gradients = [run.kernels.gradients(first, [run.shards.batch(0, rank, 12)], 4)[1][0] for rank in (0, 1)]
    assert run.weights == pytest.approx(first - 0.1 * (gradients[0] + gradients[1]), rel=1e-5, abs=1e-6)


def test_a_pull_brings_the_weights_of_now() -> None:
    run = asynchronous()
    run.push(0, 0)
    run.pull(1)
    run.push(1, 0)
    assert run.staleness == 0
    assert run.full_batch_difference() <= 1e-6


def test_as_many_pushes_as_ranks_are_a_step() -> None:
    run = asynchronous(parallel={"data": 4, "reduce": SERVER, "compression": "sign"})
    for rank in (2, 0, 1, 3, 2):
        run.push(rank, 0)
    assert 0.3 < run.step(()) < 3.0
    assert run.steps_done == 1
    kept = run.snapshot()
    assert kept.others["residual"].shape == (4, run.elements)
    run.push(0, 1)
    run.restore(kept)
    run.push(0, 1)
    digest = run.digest()
    run.restore(kept)
    run.push(0, 1)
    assert run.digest() == digest
