"""Jobs that leave their parallel plan to dcsim get the fastest that fits, or hear why there is none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dcsim.catalogue import resolve
from dcsim.errors import ScenarioError
from dcsim.estimate.auto_plan import Searched, searched
from dcsim.scenario.dump import dump
from dcsim.scenario.load import Loaded, load
from dcsim.simulate import prepare

TEXT = """
dcsim: 1
name: auto
site: {climate: stockholm, grid: sweden}
cluster:
  servers:
    - {name: train, type: dgx-h100, count: 4, per_rack: 4}
  network: {topology: fat-tree, link: 400 Gbit/s}
jobs:
  - name: pretrain
    model: llama2-7b
    software: te-fp8-2024
    batch: {global: 64, micro: 1}
    parallel: auto
    steps: 10
"""
KEY = "jobs.pretrain.parallel"


def loaded(folder: Path, *changes: str, text: str = TEXT) -> Loaded:
    (folder / "auto.yaml").write_text(text, encoding="utf-8")
    return load(folder / "auto.yaml", changes)


def plans(scenario: Loaded) -> Searched:
    inventory = resolve(scenario)
    return searched(inventory.jobs[0], scenario, inventory)


def test_the_fastest_plan_on_all_accelerators_is_written_into_the_scenario(tmp_path: Path) -> None:
    prepared = prepare(loaded(tmp_path))
    job = prepared.loaded.scenario.jobs[0]
    assert not job.parallel.auto
    assert job.ranks == 32
    found, place = plans(loaded(tmp_path)).found, prepared.choices[0].place
    assert job.batch.micro == found.plans.micro[place]
    assert job.parallel.tensor == found.plans.tensor[place]
    assert found.seconds[0] == found.seconds.min()
    assert found.memory_bytes[place] == pytest.approx(prepared.jobs[0].memory.total_bytes, rel=1e-12)


def test_what_was_chosen_is_the_same_scenario_written_down(tmp_path: Path) -> None:
    first = prepare(loaded(tmp_path))
    again = prepare(loaded(tmp_path, text=dump(first.loaded.scenario)))
    assert again.digest == first.digest == prepare(loaded(tmp_path)).digest


def test_keys_that_are_given_are_kept(tmp_path: Path) -> None:
    keys = "{auto: true, accelerators: 16, tensor: 2, recompute: selective, overlap: false}"
    job = prepare(loaded(tmp_path, f"{KEY}={keys}")).loaded.scenario.jobs[0]
    assert (job.ranks, job.parallel.tensor, job.parallel.recompute) == (16, 2, "selective")
    assert not job.parallel.overlap
    found = plans(loaded(tmp_path, f"{KEY}={keys}"))
    assert (found.found.plans.tensor == 2.0).all()
    assert (found.found.plans.recomputed_core == 1.0).all()


def test_ways_to_exchange_are_kept(tmp_path: Path) -> None:
    buckets = "{auto: true, accelerators: 16, sharding: optimizer, bucket: 8 MB}"
    chosen = prepare(loaded(tmp_path, f"{KEY}={buckets}")).loaded.scenario.jobs[0].parallel
    assert (chosen.sharding, chosen.bucket) == ("optimizer", 8e6)
    late = "{auto: true, accelerators: 16, sharding: full, prefetch: false}"
    chosen = prepare(loaded(tmp_path, f"{KEY}={late}")).loaded.scenario.jobs[0].parallel
    assert (chosen.sharding, chosen.prefetch) == ("full", False)


def test_keys_that_no_search_chooses_are_kept(tmp_path: Path) -> None:
    keys = (
        "{auto: true, accelerators: 8, expert: 8, routing: {nodes: 1, imbalance: 1.2}, recompute: [norms], context: 1"
    )
    changes = (f"{KEY}={keys}, context_exchange: all-gather}}", "jobs.pretrain.model=mixtral-8x7b")
    small = ("jobs.pretrain.model={family: mixture, layers: 4, hidden: 512, heads: 8, context: 512, vocabulary: 1024, "
             "experts: 8, chosen: 2}",)  # fmt: skip
    job = prepare(loaded(tmp_path, changes[0], *small)).loaded.scenario.jobs[0]
    routing = job.parallel.routing
    assert routing is not None
    assert (routing.nodes, routing.imbalance, job.parallel.recompute) == (1, 1.2, ("norms",))
    assert job.parallel.context_exchange == "ring", "without context ranks it says nothing"
    wide = changes[0].replace("context: 1", "context: 2")
    assert prepare(loaded(tmp_path, wide, *small)).loaded.scenario.jobs[0].parallel.context_exchange == "all-gather"


def test_all_plans_of_the_front_can_be_written_down(tmp_path: Path) -> None:
    scenario = loaded(tmp_path, f"{KEY}={{auto: true, accelerators: 8}}")
    found = plans(scenario)
    for place in range(len(found.found)):
        plan = prepare(scenario.replace(found.changes(place))).jobs[0]
        assert plan.program.ranks == 8
        assert plan.memory.total_bytes == pytest.approx(float(found.found.memory_bytes[place]), rel=1e-12)


@pytest.mark.parametrize("accelerators", [1, 7])
def test_one_accelerator_and_a_prime_number_of_them(tmp_path: Path, accelerators: int) -> None:
    keys = f"{KEY}={{auto: true, accelerators: {accelerators}}}"
    changes = (keys, "jobs.pretrain.batch.global=70", "jobs.pretrain.model=gpt2-small")
    assert (plans(loaded(tmp_path, *changes)).found.plans.ranks == accelerators).all()


REFUSED = [
    (
        ("jobs.pretrain.model=gpt3-175b", f"{KEY}={{auto: true, accelerators: 8}}"),
        "plans on 8 accelerators, of which the smallest needs 350 GB, expected a plan within 85.5 GB, the memory of "
        "NVIDIA H100 SXM5 80 GB: 64 accelerators have one",
    ),
    (
        (f"{KEY}={{auto: true, accelerators: 29, pipeline: 1}}",),
        "29 accelerators, for which there is no plan, expected a number that some plan with a batch of 64 divides: the "
        "nearest are 16 and 32",
    ),
    ((f"{KEY}={{auto: true, accelerators: 33}}",), ".accelerators: found 33, expected at most 32, the accelerators of"),
    ((f"{KEY}={{accelerators: 8}}",), ".accelerators: found 8, expected nothing without auto"),
    ((f"{KEY}={{auto: true, compression: int8}}",), ".compression: found a value, expected nothing in a parallel plan"),
    (("jobs.pretrain.model=resnet-50",), 'the family "resnet" under a parallel plan'),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_what_has_no_plan_is_refused_with_what_would_do(tmp_path: Path, changes: tuple[str, ...], message: str) -> None:
    with pytest.raises(ScenarioError) as error:
        prepare(loaded(tmp_path, *changes))
    assert message in str(error.value)


def test_a_plan_that_does_not_fit_hears_of_the_nearest_that_does(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as error:
        prepare(loaded(tmp_path, f"{KEY}={{data: 8, tensor: 4}}", "jobs.pretrain.batch.micro=8"))
    told = re.search(r"the nearest plan that fits is parallel: (\{.*\}) with batch.micro: (\d+)", str(error.value))
    assert told is not None
    plan = prepare(loaded(tmp_path, f"{KEY}={told[1]}", f"jobs.pretrain.batch.micro={told[2]}")).jobs[0]
    assert plan.program.ranks == 32
    assert plan.memory.total_bytes <= plan.device.accelerator.memory
    # A single key: 64 / 8 = 8 samples a replica leave micro batches of 1, 2 and 4.
    assert "data: 8, tensor: 4" in told[1]


def test_tensor_groups_that_leave_the_server_are_warned_of(tmp_path: Path) -> None:
    keys = ["{tensor: 16, sequence: true}", "{tensor: 8, sequence: true}"]
    wide, inside = (prepare(loaded(tmp_path, f"{KEY}={each}")).jobs[0].costs.warnings for each in keys)
    assert wide == ("tensor groups of 16 leave the 8 accelerators that fast links join",)
    assert inside == ()
