"""Real training: losses fall, reduced gradients are right, restarts lose nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dcsim.errors import InputError, RunError
from dcsim.parallel.schedule import ring_all_reduce
from dcsim.scenario.workload import Job, MlpModel, TransformerModel
from dcsim.workload.execute import Execution
from dcsim.workload.snapshot import Snapshot

MODEL = {"family": "transformer", "layers": 1, "hidden": 16, "heads": 2, "context": 16, "vocabulary": 128}
SPEC = TransformerModel.model_validate(MODEL)
RING = ring_all_reduce(4)
ELSEWHERE = """
import sys
from pathlib import Path
from dcsim.parallel.schedule import ring_all_reduce
from dcsim.scenario.workload import Job, TransformerModel
from dcsim.workload.execute import Execution
from dcsim.workload.snapshot import Snapshot
job = Job.model_validate_json(sys.argv[1])
run = Execution(job.model, job, 4, 7)
run.restore(Snapshot.from_bytes(Path(sys.argv[2]).read_bytes()))
for _ in range(3):
    run.step(ring_all_reduce(4))
print(run.digest())
"""


def job(**changes: Any) -> Job:
    given = {
        "name": "learn",
        "model": MODEL,
        "precision": "fp32",
        "optimizer": {"learning_rate": 1e-2},
        "batch": {"global": 16, "micro": 4},
        "steps": 10,
        "execute": {"data": "python-docs"},
    }
    return Job.model_validate(given | changes)


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DCSIM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def test_the_loss_starts_at_a_uniform_guess_and_falls() -> None:
    run = Execution(SPEC, job(), 4, 7)
    losses = [run.step(RING) for _ in range(40)]
    assert losses[0] == pytest.approx(np.log(128), rel=0.03)
    assert np.mean(losses[-5:]) < losses[0] - 1.0
    assert run.steps_done == 40


def test_the_reduced_gradient_is_that_of_the_whole_batch() -> None:
    run = Execution(SPEC, job(), 4, 7)
    with pytest.raises(RunError, match="no gradient"):
        run.full_batch_difference()
    for _ in range(3):
        run.step(RING)
        assert 0.0 < run.full_batch_difference() <= 1e-6


def test_micro_batches_accumulate_to_the_same_gradient() -> None:
    run = Execution(SPEC, job(batch={"global": 16, "micro": 1}), 4, 7)
    run.step(RING)
    assert run.full_batch_difference() <= 1e-6


def test_a_restored_run_ends_with_the_same_bits() -> None:
    run = Execution(SPEC, job(), 4, 7)
    run.step(RING)
    kept = run.snapshot()
    losses = [run.step(RING) for _ in range(4)]
    whole = run.digest()
    run.restore(kept)
    assert [run.step(RING) for _ in range(4)] == losses
    assert run.digest() == whole
    fresh = Execution(SPEC, job(), 4, 7)
    assert fresh.digest() != whole
    fresh.restore(kept)
    for _ in range(4):
        fresh.step(RING)
    assert fresh.digest() == whole


def test_a_snapshot_is_not_touched_by_what_follows() -> None:
    run = Execution(SPEC, job(), 4, 7)
    kept = run.snapshot()
    before = [array.copy() for array in (kept.weights, *kept.optimizer)]
    run.step(RING)
    run.restore(kept)
    run.step(RING)
    for array, old in zip((kept.weights, *kept.optimizer), before, strict=True):
        assert np.array_equal(array, old)


def test_another_process_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    run = Execution(SPEC, job(), 4, 7)
    run.step(RING)
    (tmp_path / "snapshot").write_bytes(run.snapshot().to_bytes())
    for _ in range(3):
        run.step(RING)
    text = job().model_dump_json(by_alias=True)
    seen = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, text, str(tmp_path / "snapshot")], capture_output=True, text=True, check=True
    )
    assert seen.stdout.strip() == run.digest()


def test_snapshots_survive_writing() -> None:
    run = Execution(SPEC, job(), 4, 7)
    run.step(RING)
    kept = run.snapshot()
    read = Snapshot.from_bytes(kept.to_bytes())
    assert (read.step, read.random, read.size_bytes) == (1, (7, "learn"), kept.size_bytes)
    # float32 weights and two moments, and the counter of steps
    assert kept.size_bytes == 12 * run.elements + 4
    assert all(np.array_equal(a, b) for a, b in zip(read.optimizer, kept.optimizer, strict=True))


@pytest.mark.parametrize("compression", ["top-k", "sign", {"kind": "int8", "error_feedback": True}])
def test_what_compression_left_out_is_in_the_snapshot(compression: object) -> None:
    compressed = job(parallel={"data": 4, "compression": compression})
    run = Execution(SPEC, compressed, 4, 7)
    run.step(RING)
    kept = Snapshot.from_bytes(run.snapshot().to_bytes())
    # float32 weights and two moments, the counter of steps, and a residual a rank
    assert kept.size_bytes == 12 * run.elements + 4 + 4 * 4 * run.elements
    losses = [run.step(RING) for _ in range(3)]
    fresh = Execution(SPEC, compressed, 4, 7)
    fresh.restore(kept)
    assert [fresh.step(RING) for _ in range(3)] == losses
    assert fresh.digest() == run.digest()


def test_gradients_of_a_bf16_job_are_rounded_on_their_way() -> None:
    """8 bits of significand: 2^-9 relative at most a message, of which a chunk passes 3 in a ring of 4, and a copy."""
    run = Execution(SPEC, job(precision="bf16"), 4, 7)
    run.step(RING)
    assert 5e-4 < run.full_batch_difference() < 4 * 2**-9


def test_seeds_and_jobs_draw_apart() -> None:
    digests = {Execution(SPEC, one, 4, seed).digest() for one in (job(), job(name="other")) for seed in (1, 2)}
    assert len(digests) == 4
    run = Execution(SPEC, job(), 4, 1)
    with pytest.raises(InputError, match="another job"):
        run.restore(Execution(SPEC, job(), 4, 2).snapshot())


def test_one_rank_needs_no_schedule() -> None:
    run = Execution(SPEC, job(), 1, 7)
    run.step(())
    assert run.full_batch_difference() <= 1e-6


@pytest.mark.parametrize(
    ("changes", "ranks", "message"),
    [
        ({"batch": {"global": 18, "micro": 3}}, 4, "a multiple of 4 ranks x 3 samples"),
        ({}, 3, "a multiple of 3 ranks"),
        ({"execute": None}, 4, 'without "execute"'),
    ],
)
def test_what_cannot_run_is_told(changes: dict[str, Any], ranks: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Execution(SPEC, job(**changes), ranks, 7)


def test_models_must_fit_the_data() -> None:
    with pytest.raises(InputError, match="vocabulary 64, expected at least 128"):
        Execution(SPEC.model_copy(update={"vocabulary": 64}), job(), 4, 7)
    with pytest.raises(InputError, match='family "mlp", expected transformer'):
        Execution(MlpModel(family="mlp", inputs=4, hidden=(), classes=2), job(), 4, 7)


TABLES = {
    "digits": {"family": "cnn", "image": 8, "channels": [1, 8, 16], "classes": 10},
    "iris": {"family": "mlp", "inputs": 4, "hidden": [16], "classes": 3},
}


@pytest.mark.parametrize("data", TABLES)
def test_classifiers_learn_from_tables(data: str) -> None:
    given = job(model=TABLES[data], execute={"data": data, "validate": {"every": "10 steps", "share": 0.25}})
    run = Execution(given.model, given, 4, 7)  # type: ignore[arg-type]
    assert run.held_out == {"digits": 449, "iris": 38}[data]  # a quarter of 1797 and of 150, rounded
    before = run.evaluate()
    for _ in range(60):
        run.step(RING)
    after = run.evaluate()
    assert run.full_batch_difference() <= 1e-6
    assert after.loss < before.loss / 2
    assert before.accuracy is not None and after.accuracy is not None
    assert after.accuracy > 0.75


def test_a_text_is_judged_by_its_next_tokens() -> None:
    given = job(execute={"data": "python-docs", "validate": {"every": "10 steps"}})
    run = Execution(SPEC, given, 4, 7)
    found = run.evaluate()
    assert found.accuracy is not None and found.accuracy < 0.2
    assert found.loss == pytest.approx(np.log(128), rel=0.03)
    assert run.held_out == 64


def test_accuracy_is_that_of_the_outputs() -> None:
    """The classes of lowest loss are those of the largest output, computed apart with the weights of the run."""
    given = job(model=TABLES["iris"], execute={"data": "iris", "validate": {"every": "10 steps"}})
    run = Execution(given.model, given, 4, 7)  # type: ignore[arg-type]
    for _ in range(5):
        run.step(RING)
    weights, held = run.snapshot().weights, run.source.held_out()
    first, shift = weights[16 : 16 + 64].reshape(4, 16), weights[:16]  # leaves in the order of their names
    second, offset = weights[83:].reshape(16, 3), weights[80:83]
    outputs = np.maximum(held["inputs"] @ first + shift, 0) @ second + offset
    assert run.evaluate().accuracy == pytest.approx(np.mean(outputs.argmax(axis=1) == held["labels"]), abs=1e-9)


def test_schedules_and_patience_go_on_from_a_snapshot() -> None:
    given = job(
        model=TABLES["iris"],
        optimizer={"name": "sgd", "learning_rate": 0.5, "schedule": {"warmup": "3 steps"}},
        execute={"data": "iris", "validate": {"every": "1 steps"}, "stop": {"patience": 4}},
    )

    def go(run: Execution, steps: int) -> list[tuple[float, float, bool]]:
        taken = []
        for _ in range(steps):
            loss, look = run.step(RING), run.evaluate()
            taken.append((loss, look.loss, look.stop))
        return taken

    whole = Execution(given.model, given, 4, 7)  # type: ignore[arg-type]
    start = whole.digest()
    whole.step(RING)
    assert whole.digest() == start, "the warm-up begins at a rate of zero"
    whole.restore(Execution(given.model, given, 4, 7).snapshot())  # type: ignore[arg-type]
    go(whole, 4)
    kept = Snapshot.from_bytes(whole.snapshot().to_bytes())
    rest = go(whole, 6)
    fresh = Execution(given.model, given, 4, 7)  # type: ignore[arg-type]
    fresh.restore(kept)
    assert go(fresh, 6) == rest
    assert fresh.digest() == whole.digest()


def test_a_loss_that_diverges_is_an_error() -> None:
    run = Execution(SPEC, job(optimizer={"name": "sgd", "learning_rate": 1e30}), 4, 7)
    with pytest.raises(RunError, match="a lower learning rate"):
        for _ in range(5):
            run.step(RING)
