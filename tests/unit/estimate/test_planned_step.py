"""A parallel plan's step: one case of the model of training steps, with its bubble simulated and its traffic apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dcsim.accuracy.training.case import Case
from dcsim.accuracy.training.constants import shipped
from dcsim.accuracy.training.predict import facts_of, seconds
from dcsim.accuracy.training.setting import Setting, setting_of
from dcsim.catalogue import Shelf
from dcsim.catalogue.inventory import JobParts, PoolParts
from dcsim.catalogue.parts import Accelerator, Link, Psu, Server, Software
from dcsim.compute.kernels import product_seconds
from dcsim.estimate import plan_work
from dcsim.estimate.layout import bubble_seconds, chunks_of, layer_counts
from dcsim.estimate.plan_work import Missing
from dcsim.estimate.planned import PlannedStep, planned_step, rounds_of, whole_flops
from dcsim.estimate.planned_program import planned_program
from dcsim.estimate.rank_memory import layer_bytes, rank_memory
from dcsim.estimate.step_plan import Path, step_plan
from dcsim.estimate.training import layers_of, step_parts
from dcsim.estimate.work import Work
from dcsim.network.route import RouteBuilder
from dcsim.parallel.pipeline import makespan, run
from dcsim.parallel.program import Message
from dcsim.scenario.hardware import ServerPool
from dcsim.scenario.workload import Job

SHELF = Shelf()
SMALL = {"global": 256, "micro": 1}
PLAN = {"data": 64, "tensor": 8, "pipeline": 16, "virtual": 4, "sequence": True, "sharding": "gradients"}


def pool(kind: str = "dgx-h100") -> PoolParts:
    server = SHELF.take(Server, kind)
    link = SHELF.take(Link, server.link) if server.link else None
    spec = ServerPool.model_validate({"name": "train", "type": kind, "count": 1024, "per_rack": 2})
    return PoolParts(spec, server, SHELF.take(Accelerator, server.accelerator), link, SHELF.take(Psu, server.psu))


def parts(model: str, plan: dict[str, object], **more: object) -> JobParts:
    keys = {"name": "job", "model": model, "steps": 1, "parallel": plan, "software": "torchtitan-2024", **more}
    job = Job.model_validate(keys)
    return JobParts(job, SHELF.model(model), SHELF.take(Software, job.software))


def work(model: str = "llama3-405b", plan: dict[str, object] | None = None, **more: object) -> Work:
    given = parts(model, plan or PLAN, **{"batch": {"global": 2048, "micro": 1}, **more})
    setting = plan_work.setting_of(given, pool(), SHELF)
    assert not isinstance(setting, Missing)
    return plan_work.work_of(given, pool(), setting, 50e9)


def test_a_scenario_predicts_what_the_accuracy_domain_scores() -> None:
    row = Case(
        {
            "id": "x", "model": "llama3.1-405b", "params_b": "405.9", "layers": "126", "hidden": "16384",
            "heads": "128", "kv_heads": "8", "ffn": "53248", "vocab": "128256", "seq": "8192",
            "device": "H100-SXM-80GB", "n_devices": "8192", "node_size": "8", "intra_link": "NVLink4",
            "inter_link": "400Gb/s RoCE per GPU", "tp": "8", "pp": "16", "dp": "64", "cp": "1", "seq_parallel": "1",
            "dp_sharding": "fsdp-zero2", "recompute": "none", "virtual_stages": "4", "micro_batch": "1",
            "global_batch": "2048", "precision": "bf16", "software": "in-house (Meta)", "release": "2024-07",
            "metric": "step_s", "value": "1", "step_s": "1",
        }
    )  # fmt: skip
    setting = setting_of(row)
    assert isinstance(setting, Setting)
    scored = float(seconds(facts_of([setting]), shipped())[0])
    found = step_parts(work())
    assert float(sum(found.values())[0]) == pytest.approx(scored, rel=1e-9)


@pytest.mark.parametrize(
    ("virtual", "schedule", "factor"), [(1, "gpipe", 1.0), (1, "1f1b", 1.0), (2, "interleaved", 2.0)]
)
def test_the_bubble_of_equal_stages_is_that_of_the_closed_form(virtual: int, schedule: str, factor: float) -> None:
    plan = {"data": 1, "tensor": 8, "pipeline": 8, "virtual": virtual, "schedule": schedule}
    one = work("gpt3-175b", plan, batch={"global": 32, "micro": 1}, software="megatron-2021")
    chunks = chunks_of(one, layers_of(one))
    even = replace(
        chunks,
        forward_s=(chunks.forward_s[0],) * len(chunks.forward_s),
        backward_s=(chunks.backward_s[0],) * len(chunks.backward_s),
    )
    stage_s = sum(even.forward_s + even.backward_s) / 8
    assert bubble_seconds(even, schedule, 32) == pytest.approx(7 * stage_s / factor, rel=1e-9)  # type: ignore[arg-type]


@pytest.mark.parametrize("schedule", ["gpipe", "1f1b", "zero-bubble"])
def test_many_micro_batches_take_as_long_as_all_of_them_simulated(schedule: str) -> None:
    one = work(
        "llama3-70b", {"data": 1, "tensor": 8, "pipeline": 8, "schedule": schedule}, batch={"global": 61, "micro": 1}
    )
    chunks = chunks_of(one, layers_of(one))
    whole = sum(chunks.forward_s + chunks.backward_s + chunks.weights_s) / 8
    simulated = makespan(run(chunks, schedule, 61)) - 61 * whole  # type: ignore[arg-type]
    assert bubble_seconds(chunks, schedule, 61) == pytest.approx(simulated, rel=1e-9)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("layers", "stages", "virtual", "counts"),
    [
        (8, 4, 1, [2, 2, 2, 2]),
        (6, 4, 2, [0, 1, 1, 1, 1, 1, 1, 0]),  # embedding and head in the place of a layer each
        (7, 2, 1, [4, 3]),  # the last stage, which has the head, holds fewer
    ],
)
def test_layers_are_dealt_to_chunks(layers: int, stages: int, virtual: int, counts: list[int]) -> None:
    one = work()
    shape = replace(one.shape, layers=np.array([float(layers)]))
    balanced = np.array([float(layers % (stages * virtual) > 0 and (layers + 2) % (stages * virtual) == 0)])
    sizes = {"pipeline": np.array([float(stages)]), "virtual": np.array([float(virtual)]), "balanced": balanced}
    assert layer_counts(replace(one, shape=shape, plan=replace(one.plan, **sizes)), 0.3) == counts


@pytest.mark.parametrize(
    ("model", "plan"),
    [
        ("llama3-405b", PLAN),
        ("llama3-70b", {"data": 32, "sharding": "full", "recompute": "full"}),
        ("llama3-70b", {"data": 4, "tensor": 8, "context": 8}),
        ("llama3-70b", {"tensor": 8, "context": 8, "context_exchange": "all-gather", "recompute": "full"}),
        ("llama3-70b", {"data": 4, "tensor": 8, "context": 8, "context_order": "in-order"}),
        ("deepseek-v3", {"data": 64, "pipeline": 16, "expert": 64, "sharding": "optimizer", "schedule": "zero-bubble"}),
        ("llama3-70b", {"data": 4, "tensor": 8, "pipeline": 2, "adapters": {"rank": 8, "targets": ["attention"]}}),
        ("llama3-70b", {"data": 32, "sharding": "full", "recompute": "full", "adapters": {}}),
        (
            "deepseek-v3",
            {"data": 64, "pipeline": 16, "expert": 64, "recompute": ["attention", "norms", "up-projections"]},
        ),
        ("mixtral-8x7b", {"data": 16, "expert": 8, "routing": {"nodes": 1, "imbalance": 1.3}}),
        ("mixtral-8x7b", {"data": 16, "tensor": 2, "expert": 8, "routing": {"nodes": 1, "capacity": 1.3}}),
        ("mixtral-8x7b", {"data": 16, "tensor": 2, "expert": 8, "sharding": "optimizer", "recompute": "selective"}),
    ],
)
def test_what_is_played_alone_takes_what_the_model_says(model: str, plan: dict[str, object]) -> None:
    given = work(model, plan, batch={"global": 256, "micro": 1}, software="te-fp8-2024")
    step = planned_step(given, parts(model, plan, batch={"global": 256, "micro": 1}).job.parallel.scheduled)
    planned = planned_program(step, 1e6)
    fast = Path(RouteBuilder().build(1.0, 0.0), 1e15)
    paths = {one.group: [fast] for one in planned.program.instructions if isinstance(one, Message)}
    played = step_plan(planned.program, device(), paths, None)
    assert sum(planned.parts.values()) == pytest.approx(played.duration_s, rel=1e-9)
    assert sum(planned.parts.values()) == pytest.approx(step.seconds, rel=1e-9), "all that is to be hidden can be"
    assert step.flops * step.ranks == pytest.approx(whole_flops(given), rel=1e-9)
    assert step.traffic, "ranks on several servers have something to say to one another"


def test_an_all_gather_of_keys_and_values_is_exposed_and_a_ring_hidden() -> None:
    # 8 ranks of 8,192 tokens, each 8 heads apart and so in servers of their own: in every one of 80 layers once forward
    # and twice backward 7/8 of 8,192 x (128 + 128) x 2 bytes at 61 % of 50 GB/s, and 2 log2(8) hops of 8 us.
    plan = {"data": 4, "tensor": 8, "context": 8}
    ways = {way: work("llama3-70b", plan | {"context_exchange": way}, batch=SMALL) for way in ("ring", "all-gather")}
    steps = {way: planned_step(given, "1f1b") for way, given in ways.items()}
    size = 8192 * 256 * 2
    outside = float(ways["ring"].links.outside[0])
    each = 7 / 8 * size / outside + 2 * 3 * 8e-6
    for way, step in steps.items():
        (message,) = [one for one in step.traffic if one.label == "context"]
        assert message.size_bytes == pytest.approx(64 * 80 * 3 * size, rel=1e-9)
        assert message.seconds == pytest.approx(64 * 80 * 3 * each, rel=1e-9)
        core = steps["ring"].parts["attention"] / (64 * 80 * 3.5)  # forward, and 2.5 as much backward
        exposed = each if way == "all-gather" else (core**8 + each**8) ** (1 / 8) - core
        assert message.exposed_s == pytest.approx(64 * 80 * 3 * exposed, rel=1e-6)
        assert step.parts["context"] == pytest.approx(message.exposed_s, rel=1e-12)


MIXED = {"data": 64, "pipeline": 16, "expert": 64, "sharding": "optimizer"}


def mixed(routing: dict[str, object]) -> tuple[Work, PlannedStep]:
    given = work("deepseek-v3", MIXED | {"routing": routing}, batch=SMALL, software="te-fp8-2024")
    return given, planned_step(given, "1f1b")


def test_node_limited_routing_sends_less_between_servers() -> None:
    # 64 ranks on 8 servers, 8 choices a token: 3.5 (1 - (3/4)^8) servers in place of 7 (1 - (7/8)^8).
    free, limited = ({one.label: one for one in mixed(routing)[1].traffic}["expert"] for routing in ({}, {"nodes": 4}))
    ratio = 3.5 * (1 - 0.75**8) / (7 * (1 - (7 / 8) ** 8))
    assert limited.size_bytes == pytest.approx(ratio * free.size_bytes, rel=1e-9)
    assert limited.exposed_s < free.exposed_s


def test_a_busy_rank_takes_longer_and_executes_no_more_in_the_mean() -> None:
    (_, even), (uneven_work, uneven), (padded_work, padded) = (
        mixed(each) for each in ({}, {"imbalance": 1.25}, {"capacity": 1.25})
    )
    assert uneven.parts["matmul"] > even.parts["matmul"]
    assert uneven.parts["expert"] > even.parts["expert"]
    assert {name: uneven.parts[name] for name in uneven.parts} == pytest.approx(padded.parts, rel=1e-12)
    assert uneven.flops == even.flops
    # 58 of 61 layers have 8 experts of 2,048 a token, three matrices each: a quarter of their products is padding.
    tokens = 256 * 4096 / (64 * 16)
    assert padded.flops - even.flops == pytest.approx(0.25 * tokens * 58 * 8 * 6 * 3 * 7168 * 2048, rel=1e-9)
    assert padded.model_flops == even.model_flops
    for given, step in ((uneven_work, uneven), (padded_work, padded)):
        assert step.flops * step.ranks == pytest.approx(whole_flops(given), rel=1e-9)


def test_layers_computed_again_stop_at_what_a_gradient_reads() -> None:
    full = {"data": 64, "tensor": 8, "recompute": "full"}
    early = work("llama3-70b", full, batch=SMALL, software="torchtitan-2024")
    whole = replace(early, habits=replace(early.habits, stopped=np.zeros(1)))
    steps = [planned_step(given, "1f1b") for given in (early, whole)]
    # 80 layers, 4 micro batches of 8,192 tokens: the down-projection 28,672 / 8 -> 8,192 does not run again.
    times, sizes = 4 * 80, [np.array([float(n)]) for n in (1, 8192, 8192, 28672 / 8)]
    saved = times * 2 * 8192 * 8192 * 28672 / 8
    assert steps[1].flops - steps[0].flops == pytest.approx(saved, rel=1e-9)
    saved_s = times * float(product_seconds((sizes[0], sizes[1], sizes[2], sizes[3]), early.chip)[0])
    assert steps[1].parts["recompute"] - steps[0].parts["recompute"] == pytest.approx(saved_s, rel=1e-9)
    assert steps[0].model_flops == steps[1].model_flops
    together = full | {"recompute": {"method": "uniform", "layers": 4}}
    four = work("llama3-70b", together, batch=SMALL, software="torchtitan-2024")
    steps.append(planned_step(four, "1f1b"))
    # Of four layers that run again together, the last one stops.
    assert steps[1].flops - steps[2].flops == pytest.approx(saved / 4, rel=1e-9)
    assert steps[1].parts["recompute"] - steps[2].parts["recompute"] == pytest.approx(saved_s / 4, rel=1e-9)
    for given, step in zip((early, whole, four), steps, strict=True):
        assert step.flops * step.ranks == pytest.approx(whole_flops(given), rel=1e-9)


def test_what_gates_of_experts_read_runs_again() -> None:
    plan = {"data": 256, "expert": 8, "recompute": "full", "sharding": "full"}
    early = work("mixtral-8x7b", plan, batch={"global": 256, "micro": 1}, software="torchtitan-2024")
    whole = replace(early, habits=replace(early.habits, stopped=np.zeros(1)))
    assert float(early.habits.stopped[0]) == 1.0
    steps = [planned_step(given, "1f1b") for given in (early, whole)]
    assert steps[0].parts["recompute"] == steps[1].parts["recompute"]
    assert steps[0].flops == steps[1].flops


def test_parts_of_layers_run_again_in_a_time_of_their_own() -> None:
    again = {"recompute": ["norms", "activations", "up-projections"], "activations": "fp8"}
    given = work("deepseek-v3", MIXED | again, batch=SMALL, software="te-fp8-2024", precision="fp8")
    step, chip = planned_step(given, "1f1b"), given.chip
    usual = planned_step(work("deepseek-v3", MIXED, batch=SMALL, software="te-fp8-2024", precision="fp8"), "1f1b")
    # 61 layers on 16 stages, 4 micro batches of 4,096 tokens: queries widen 1,536 -> 128 x 192, keys and values
    # 512 -> 128 x 256, in 8 bits.
    layers, tokens = 4 * 61 / 16, 4096
    widened = 1536 * 128 * 192 + 512 * 128 * 256
    assert step.flops - usual.flops == pytest.approx(layers * 2 * tokens * widened, rel=1e-9)
    assert step.model_flops == usual.model_flops
    assert step.flops * step.ranks == pytest.approx(whole_flops(given), rel=1e-9)
    sizes = [[np.array([float(n)]) for n in (1, tokens, *pair)] for pair in ((128 * 192, 1536), (128 * 256, 512))]
    products_s = sum(float(product_seconds((b, m, n, k), chip)[0]) for b, m, n, k in sizes)
    gated = 2 * (3 / 61 * 18432 + 58 / 61 * 9 * 2048)
    moved = 2 * tokens * (4 * 7168 + 3 * gated) * float(given.habits.traffic[0])
    again_s = products_s + moved / float((chip.bandwidth * chip.memory)[0])
    assert step.parts["recompute"] == pytest.approx(layers * again_s, rel=1e-9)
    for name in ("matmul", "attention", "memory", "expert"):
        assert step.parts[name] == usual.parts[name]


def test_adapters_have_no_gradients_of_other_weights() -> None:
    plan: dict[str, object] = {"data": 32, "sharding": "optimizer"}
    whole_work = work("llama3-8b", plan, batch=SMALL)
    some_work = work("llama3-8b", plan | {"adapters": {"rank": 16}}, batch=SMALL)
    whole, some = planned_step(whole_work, "1f1b"), planned_step(some_work, "1f1b")
    # A third of what matrices execute, head included, is for their gradients; adapters have r (k + n) parameters for
    # every matrix, 6 FLOP each and token: 32 layers of attention and feed-forward matrices.
    tokens = 256 * 8192 / 32
    matrices = 32 * (2 * 4096 * (4096 + 1024) + 3 * 4096 * 14336) + 4096 * 128256
    few = 32 * 16 * (8192 + 2 * (4096 + 1024) + 8192 + 3 * (4096 + 14336))
    assert whole.flops - some.flops == pytest.approx(2 * tokens * matrices - 6 * tokens * few, rel=1e-9)
    assert whole.model_flops - some.model_flops == pytest.approx(2 * tokens * matrices, rel=1e-9)
    assert some.flops * some.ranks == pytest.approx(whole_flops(some_work), rel=1e-9)
    # Their gradients, and the weights that come back, alone travel: 2 bytes each.
    assert {one.label: one.size_bytes for one in some.traffic} == pytest.approx(
        {"gradients": 2 * few, "weights": 2 * few}, rel=1e-9
    )
    # 18 bytes of an optimizer's element, a 32nd of them on each rank.
    rate = float((some_work.chip.bandwidth * some_work.chip.memory)[0])
    assert some.parts["optimizer"] == pytest.approx(18 * few / 32 / rate, rel=1e-9)
    memory = rank_memory(some_work)
    assert float(memory.gradients[0]) == pytest.approx(2 * few, rel=1e-9)
    assert float(memory.optimizer[0]) == pytest.approx(12 * few / 32, rel=1e-9)
    assert float((memory.weights - rank_memory(whole_work).weights)[0]) == pytest.approx(2 * few, rel=1e-6)


def test_layers_by_number_take_their_share_of_the_forward_pass() -> None:
    # Llama 3 70B in four stages of two chunks of ten layers: n of ten run again, on every stage.
    usual: dict[str, object] = {"data": 2, "tensor": 8, "pipeline": 4, "virtual": 2, "sequence": True}

    def step(recompute: object) -> PlannedStep:
        whole = {"batch": {"global": 64, "micro": 1}, "software": "te-fp8-2024"}
        return planned_step(work("llama3-70b", usual | {"recompute": recompute}, **whole), "interleaved")

    none, full = step("none"), step("full")
    some = [step({"method": "block", "layers": n}) for n in range(11)]
    forward = full.parts["recompute"]
    assert [one.parts["recompute"] for one in some] == pytest.approx([n / 10 * forward for n in range(11)], rel=1e-9)
    assert (some[0].seconds, some[10].seconds) == pytest.approx((none.seconds, full.seconds), rel=1e-12)
    assert some[0].flops == pytest.approx(none.flops, rel=1e-12)
    assert some[10].flops == pytest.approx(full.flops, rel=1e-12)
    assert sorted(one.seconds for one in some) == [one.seconds for one in some]
    groups = [step({"method": "uniform", "layers": n}).seconds for n in (1, 4, 10)]
    assert groups == pytest.approx([full.seconds] * 3, rel=1e-12)


def test_every_chunk_runs_as_many_layers_again() -> None:
    # 126 layers with embedding and head in 16 chunks of 8 places: the first and the last hold 7, all repeat 4.
    plan: dict[str, object] = {"data": 64, "tensor": 8, "pipeline": 16, "sequence": True}
    none, some = (
        work(plan=plan | {"recompute": {"method": "block", "layers": n}}, software="te-fp8-2024") for n in (0, 4)
    )
    mean = layers_of(some)
    bare = chunks_of(none, replace(mean, again_s=0.0 * mean.again_s)).backward_s
    longer = [more - less for more, less in zip(chunks_of(some, mean).backward_s, bare, strict=True)]
    launched = float(mean.launch_s[0]) * (1.0 / 3.0 - 1.0 / (3.0 + 64 / 126))  # a smaller share is the forward pass's
    counts = layer_counts(some, 1.0)
    expected = [4 * float(mean.forward_s[0]) + count * launched for count in counts]
    assert longer == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("targets", "outputs", "inner", "narrow"),
    [
        (["attention", "feed-forward"], 2, 3, 4 + 3),
        (["attention"], 1, 2, 4),
        (["feed-forward"], 1, 3, 3),
    ],
)
def test_inputs_of_frozen_matrices_do_not_wait(targets: list[str], outputs: int, inner: int, narrow: int) -> None:
    # Of a token in Llama 3 8B, 2 B each: inputs of two norms; their outputs where adapters read them; queries, keys,
    # values and the output of the fused attention, 32 + 8 + 8 + 32 heads of 128; gate and up, 14,336 wide, and their
    # product where the adapter of down reads it; x A of every adapter, 16 wide.
    plan: dict[str, object] = {"data": 8, "sharding": "optimizer", "adapters": {"rank": 16, "targets": targets}}
    found = float(layer_bytes(work("llama3-8b", plan, batch=SMALL))[0])
    elements = (2 + outputs) * 4096 + 80 * 128 + inner * 14336 + 16 * narrow
    assert found == pytest.approx(8192 * 2 * elements, rel=1e-9)
    whole = float(layer_bytes(work("llama3-8b", {"data": 8, "sharding": "optimizer"}, batch=SMALL))[0])
    assert whole == pytest.approx(8192 * 2 * (4 * 4096 + 80 * 128 + 3 * 14336), rel=1e-9)


def test_tokens_in_order_make_attention_as_long_as_that_of_the_last_rank() -> None:
    orders = {}
    for order in ("balanced", "in-order"):
        given = work("llama3-70b", {"tensor": 8, "context": 8, "context_order": order}, batch=SMALL)
        orders[order] = planned_step(given, "1f1b")
    assert orders["in-order"].parts["attention"] == pytest.approx(
        15 / 8 * orders["balanced"].parts["attention"], rel=1e-9
    )
    assert orders["in-order"].flops == orders["balanced"].flops, "the mean rank does as much"


def device() -> object:
    from dcsim.estimate.device import Device

    return Device(pool().accelerator, SHELF.take(Software, "te-fp8-2024"))


def test_a_rank_alone_sends_nothing() -> None:
    step = planned_step(work("llama3-8b", {"recompute": "full"}, batch={"global": 8, "micro": 1}), "1f1b")
    assert step.traffic == ()
    assert step.parts["bubble"] == step.parts["data"] == step.parts["pipeline"] == 0.0


def test_a_part_of_many_micro_batches_is_a_round() -> None:
    assert [rounds_of(count) for count in (1, 32, 33, 64, 512)] == [1, 32, 17, 32, 32]


@pytest.mark.parametrize(
    ("model", "plan", "more", "key"),
    [
        ("resnet-50", {"data": 2, "sharding": "full"}, {}, "model"),
        ("llama3-8b", {"tensor": 2}, {"software": "eager-2020"}, "software"),
    ],
)
def test_plans_without_a_model_of_their_time_are_refused(
    model: str, plan: dict[str, object], more: dict[str, object], key: str
) -> None:
    given = parts(model, plan, **{"batch": {"global": 8, "micro": 1}, **more})
    found = plan_work.setting_of(given, pool(), SHELF)
    assert isinstance(found, Missing)
    assert found.key == key


def test_accelerators_without_measured_runs_are_refused() -> None:
    given = parts("llama3-8b", {"tensor": 2}, batch={"global": 8, "micro": 1})
    found = plan_work.setting_of(given, pool("epyc-2s"), SHELF)
    assert isinstance(found, Missing)
    assert found.key == "parallel"


@pytest.mark.parametrize(("precision", "tflops"), [("bf16", 2250.0), ("mxfp8", 4500.0), ("nvfp4", 9000.0)])
def test_four_bits_run_at_twice_the_rate_of_eight_where_there_are_units(precision: str, tflops: float) -> None:
    given = parts("llama2-7b", {"tensor": 8}, batch=SMALL, software="bridge-2026", precision=precision)
    for kind in ("dgx-b200", "dgx-b300"):  # the 13,500 TFLOP/s of the latter were fitted as twice its 4,500
        assert plan_work.peak_rate(given.job, pool(kind)) == tflops * 1e12
    found = plan_work.setting_of(given, pool(), SHELF)
    assert (isinstance(found, Missing) and found.key == "precision") == (precision == "nvfp4")


def test_fp32_runs_as_tf32_or_outside_matrix_units() -> None:
    given = parts("llama2-7b", {"tensor": 8}, batch=SMALL, precision="tf32")
    assert plan_work.peak_rate(given.job, pool()) == 494e12
    v100 = replace(pool(), accelerator=SHELF.take(Accelerator, "v100-sxm2-32"))
    assert plan_work.peak_rate(given.job, v100) == 15.7e12


def test_groups_that_hold_all_shards_gather_inside_and_sum_between() -> None:
    plan: dict[str, object] = {"data": 16, "sharding": "full"}
    given = {"batch": {"global": 32, "micro": 2}, "software": "te-fp8-2024"}
    whole = planned_step(work("llama2-7b", plan, **given), "1f1b")
    groups = planned_step(work("llama2-7b", plan | {"shard_groups": 2}, **given), "1f1b")
    # A group is the 8 accelerators of a server, so that sums alone leave it: an eighth of the 16-bit gradients.
    (sums,) = groups.traffic
    assert (sums.label, sums.part) == ("sums", "data")
    gradients = next(one for one in whole.traffic if one.label == "gradients")
    assert sums.size_bytes == pytest.approx(gradients.size_bytes / 8.0, rel=1e-9)
    assert groups.parts["optimizer"] == pytest.approx(2.0 * whole.parts["optimizer"], rel=1e-9)
    held = [rank_memory(work("llama2-7b", each, **given)).optimizer[0] for each in (plan, plan | {"shard_groups": 2})]
    assert held[1] == pytest.approx(2.0 * held[0], rel=1e-9)
