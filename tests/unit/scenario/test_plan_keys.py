"""The keys of a parallel plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcsim.errors import ScenarioError
from dcsim.scenario.load import load
from dcsim.scenario.parallel import Parallel

SAMPLE = Path(__file__).parent / "sample.yaml"
JOB = "jobs.pretrain"
KEY = f"{JOB}.parallel"


def test_a_plan_has_the_product_of_its_groups_as_ranks() -> None:
    parallel = load(SAMPLE, [f"{KEY}={{data: 2, tensor: 4, pipeline: 3, context: 2, expert: 8}}"]).scenario
    assert parallel.jobs[0].ranks == 2 * 4 * 3 * 2  # experts are spread over ranks that are there


def test_without_its_keys_a_job_is_replicas() -> None:
    job = load(SAMPLE).scenario.jobs[0]
    assert not job.parallel.split
    assert job.ranks == job.parallel.data


@pytest.mark.parametrize(
    ("keys", "schedule"),
    [({}, "1f1b"), ({"virtual": 2}, "interleaved"), ({"schedule": "gpipe"}, "gpipe")],
)
def test_the_schedule_follows_from_the_chunks(keys: dict[str, object], schedule: str) -> None:
    assert Parallel.model_validate({"pipeline": 4, **keys}).scheduled == schedule


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{virtual: 2}", ".virtual: found 2, expected 1 without a pipeline: stages have chunks"),
        (
            "{pipeline: 2, schedule: interleaved}",
            ".virtual: found 1, expected at least 2 in the interleaved schedule",
        ),
        (
            "{pipeline: 2, virtual: 2, schedule: gpipe}",
            '.schedule: found "gpipe", expected "interleaved" with virtual above 1',
        ),
        (
            "{schedule: gpipe}",
            '.schedule: found "gpipe", expected nothing without a pipeline of 2 stages or more',
        ),
        ("{sequence: true}", ".sequence: found true, expected false without tensor ranks to share the sequence"),
        (
            "{tensor: 2, reduce: tree}",
            ".reduce: found a value, expected nothing in a parallel plan: its software era says how gradients travel",
        ),
        (
            "{tensor: 2, compression: int8}",
            ".compression: found a value, expected nothing in a parallel plan: its software era says how gradients "
            "travel",
        ),
        (
            "{sharding: zero}",
            '.sharding: found "zero", expected "none", "optimizer", "gradients" or "full"',
        ),
        (
            "{shard_groups: 2, data: 4}",
            ".shard_groups: found 2, expected 1 without sharding: every rank holds everything then",
        ),
        (
            "{shard_groups: 3, sharding: full, data: 8}",
            ".shard_groups: found 3, expected a number that divides the 8 ranks that share out: the nearest is 2 or 4",
        ),
        (
            "{bucket: 8 MB, sharding: full, data: 8}",
            ".bucket: found 8 MB, expected nothing with sharding: full, where the gradients of a layer are a message",
        ),
        (
            "{prefetch: false, tensor: 2}",
            ".prefetch: found false, expected true unless sharding: full is written beside it: else every rank has its "
            "weights",
        ),
        (
            "{auto: true, prefetch: false}",
            ".prefetch: found false, expected true unless sharding: full is written beside it: else every rank has its "
            "weights",
        ),
        (
            "{auto: true, bucket: 8 MB}",
            ".bucket: found 8 MB, expected sharding: optimizer beside it, since auto may choose to share out "
            "gradients, a message a layer",
        ),
        (
            "{shard_groups: 9, sharding: full, data: 8}",
            ".shard_groups: found 9, expected a number that divides the 8 ranks that share out: the nearest is 8",
        ),
        ("{recompute: all}", '.recompute: found "all", expected "none", "selective" or "full"'),
        (
            "{context_exchange: all-gather}",
            '.context_exchange: found "all-gather", expected nothing without context ranks: write context: 2 or more '
            "beside it",
        ),
        ("{context: 2, context_exchange: tree}", '.context_exchange: found "tree", expected "ring" or "all-gather"'),
        ("{expert: 2, routing: {imbalance: 0.9}}", ".routing.imbalance: found 0.9, expected a ratio of at least 1"),
        ("{expert: 2, routing: {capacity: 0}}", ".routing.capacity: found 0, expected a number above 0"),
        ("{expert: 2, routing: {nodes: 0}}", ".routing.nodes: found 0, expected a whole number of at least 1"),
        (
            "{recompute: [norm]}",
            '.recompute.0: found "norm", expected "attention", "norms", "activations" or "up-projections"; did you '
            'mean "norms"?',
        ),
        ("{activations: fp4}", '.activations: found "fp4", expected "computed" or "fp8"; did you mean "fp8"?'),
        ("{adapters: {rank: 0}}", ".adapters.rank: found 0, expected a whole number of at least 1"),
        ("{context: 2, context_order: any}", '.context_order: found "any", expected "balanced" or "in-order"'),
        (
            "{recompute: {method: block}}",
            ".recompute.layers: found nothing, expected a value (of a chunk that run again, or of a group)",
        ),
        (
            "{recompute: {method: block, layers: -1}}",
            ".recompute.layers: found -1, expected a whole number of at least 0",
        ),
        (
            "{recompute: {method: blocks, layers: 1}}",
            '.recompute.method: found "blocks", expected "block" or "uniform"; did you mean "block"?',
        ),
        (
            "{recompute: {method: uniform, layers: 0}}",
            ".recompute.layers: found 0, expected at least 1 layer in a group: with 1 all run again, as full has it",
        ),
        (
            "{auto: true, recompute: {method: block, layers: 1}}",
            ".recompute: found method: block, expected none, selective, full or a list of parts with auto, which "
            "settles how many layers a stage has",
        ),
        (
            "{offload: [optimzer]}",
            '.offload.0: found "optimzer", expected "optimizer", "gradients", "weights" or "activations"; did you mean '
            '"optimizer"?',
        ),
        (
            "{offload: [gradients]}",
            ".offload: found [gradients], expected the optimizer too, whose step reads gradients and writes weights: "
            "write [optimizer, gradients]",
        ),
        (
            "{data: 2, offload: [optimizer, gradients], sharding: optimizer}",
            ".offload: found [optimizer, gradients] with sharding: optimizer, expected sharding: gradients or full "
            "beside it: gradients are summed over replicas before they leave",
        ),
        (
            "{offload: [optimizer, optimizer]}",
            ".offload: found [optimizer, optimizer], expected every word once: [optimizer]",
        ),
        ("{tensor: 0}", ".tensor: found 0, expected a whole number of at least 1"),
    ],
)
def test_a_wrong_plan_gets_one_message(text: str, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(SAMPLE, [f"{KEY}={text}"])
    assert [str(problem) for problem in caught.value.problems] == [f"--set: {KEY}{message}"]


def test_frozen_weights_wait_with_the_host_without_an_optimizer() -> None:
    keys = [f"{KEY}={{adapters: {{rank: 8}}, offload: [weights]}}"]
    assert load(SAMPLE, keys).scenario.jobs[0].parallel.offload == ("weights",)


def test_operands_wait_in_eight_bits_where_products_read_them() -> None:
    keys = [f"{KEY}={{tensor: 2, activations: fp8}}", f"{JOB}.precision=fp8"]
    assert load(SAMPLE, keys).scenario.jobs[0].parallel.activations == "fp8"
    with pytest.raises(ScenarioError, match=r'activations: found "fp8", expected computed, or precision: fp8 or mxfp8'):
        load(SAMPLE, keys[:1])


def test_executed_jobs_have_no_plan() -> None:
    with pytest.raises(ScenarioError, match=r"jobs.learn.execute: found a block, expected nothing beside a parallel"):
        load(SAMPLE, ["jobs.learn.parallel.tensor=2"])


def test_formats_have_the_names_that_recipes_give_them() -> None:
    assert load(SAMPLE, [f"{JOB}.precision=tf32"]).scenario.jobs[0].precision == "fp32"
    keys = [f"{KEY}={{tensor: 2}}", f"{JOB}.precision=nvfp4"]
    assert load(SAMPLE, keys).scenario.jobs[0].precision == "nvfp4"
    with pytest.raises(ScenarioError, match=r'activations: found "fp8", expected computed, or precision: fp8'):
        load(SAMPLE, [*keys, f"{KEY}.activations=fp8"])


def test_eight_bits_need_a_plan() -> None:
    assert load(SAMPLE, [f"{JOB}.precision=fp8", f"{KEY}.tensor=2"]).scenario.jobs[0].precision == "fp8"
    with pytest.raises(ScenarioError, match=r'precision: found "fp8", expected bf16, fp16 or fp32; narrower products'):
        load(SAMPLE, [f"{JOB}.precision=fp8"])
