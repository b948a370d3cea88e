"""The step in closed form: parts that sum, pipelines on paper, messages on paper."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from dcsim.catalogue import Shelf
from dcsim.compute.kernels import Chip
from dcsim.estimate import messages
from dcsim.estimate.data_messages import data_messages, gather_data_seconds
from dcsim.estimate.habits import added_bytes, attention_backward, crowded_bytes, gathered_bytes, hidden_data
from dcsim.estimate.messages import Links, Members
from dcsim.estimate.training import PARTS, hidden_dispatch, layers_of, step_parts, step_seconds
from dcsim.estimate.work import Habits, Work
from dcsim.parallel.data_exchange import DataExchange
from dcsim.parallel.held import held
from dcsim.parallel.model_shape import shape_of
from dcsim.parallel.parallelism import Parallelism, Precision
from dcsim.scenario.transformers import Decoder


def record(kind: type, given: dict[str, float]) -> object:
    return kind(**{field.name: np.array([given.get(field.name, 0.0)]) for field in fields(kind)})


def work(model: str = "llama3-8b", **plan: float) -> Work:
    spec = Shelf().model(model)
    assert isinstance(spec, Decoder)
    ones = ("tensor", "pipeline", "virtual", "data", "context", "expert", "micro", "micro_batches", "replicas")
    chip = {
        "rate": 989e12, "rate16": 989e12, "bandwidth": 3.35e12, "cores": 132.0, "product": 0.7, "product16": 0.7,
        "attention": 0.5, "memory": 0.8, "depth": 128.0,
    }  # fmt: skip
    links = {
        "inside": 4e11, "outside": 4e10, "domain": 8.0, "hop_inside": 2e-6, "hop_outside": 5e-6, "half": 1e6,
    }  # fmt: skip
    habits = {
        "launch_s": 5e-6, "traffic": 1.0, "fused": 1.0, "backward": 2.5, "passes": 6.0, "hidden_data": 0.5,
        "routed": 8.0,
    }  # fmt: skip
    precision = dict.fromkeys(("activation_bytes", "gathered_bytes", "weight_bytes", "dispatch_bytes"), 2.0)
    return Work(
        shape_of(spec),
        record(Parallelism, dict.fromkeys(ones, 1.0) | plan),  # type: ignore[arg-type]
        record(Precision, precision | {"gradient_bytes": 4.0}),  # type: ignore[arg-type]
        record(Chip, chip),  # type: ignore[arg-type]
        record(Links, links),  # type: ignore[arg-type]
        record(Habits, habits),  # type: ignore[arg-type]
    )


PLANS = [
    {},
    {"data": 8.0, "sharding": 3.0, "micro_batches": 2.0},
    {"tensor": 4.0, "sequence": 1.0, "pipeline": 4.0, "virtual": 2.0, "micro_batches": 8.0, "data": 2.0},
    {"context": 4.0, "recomputed": 1.0},
    {"tensor": 2.0, "recomputed_core": 1.0, "data": 16.0, "sharding": 1.0},
]


@pytest.mark.parametrize("plan", PLANS)
def test_parts_are_positive_and_sum_to_the_step(plan: dict[str, float]) -> None:
    parts = step_parts(work(**plan))
    assert tuple(parts) == PARTS
    assert all(float(part[0]) >= 0.0 for part in parts.values())
    assert float(step_seconds(work(**plan))[0]) == pytest.approx(sum(float(p[0]) for p in parts.values()), rel=1e-12)


def test_experts_too() -> None:
    parts = step_parts(work("mixtral-8x7b", expert=8.0, data=8.0))
    assert float(parts["expert"][0]) > 0.0


def test_the_bubble_is_that_of_equal_stages() -> None:
    # Without head and messages, (p - 1) / (v m) of the time that stages are busy (Narayanan et al., SC 2021).
    one = work(pipeline=4.0, virtual=2.0, micro_batches=8.0)
    shape = replace(one.shape, vocabulary=np.zeros(1), scored=np.zeros(1))
    far = replace(one.links, outside=np.array([1e30]), inside=np.array([1e30]), hop_inside=np.zeros(1))
    parts = step_parts(replace(one, shape=shape, links=far))
    busy = sum(float(parts[name][0]) for name in ("matmul", "attention", "memory", "launch"))
    assert float(parts["bubble"][0]) == pytest.approx(busy * 3 / (2 * 8), rel=1e-9)


def test_the_head_makes_the_last_stage_the_slowest() -> None:
    parts = step_parts(work(pipeline=4.0, micro_batches=8.0))
    equal = step_parts(
        replace(work(pipeline=4.0, micro_batches=8.0), shape=replace(work().shape, vocabulary=np.zeros(1)))
    )
    assert float(parts["bubble"][0]) > float(equal["bubble"][0])


def test_many_plans_at_once_are_each_by_itself() -> None:
    single = [float(step_seconds(work(**plan))[0]) for plan in PLANS]

    def stacked(kind: type, values: list[object]) -> object:
        return kind(**{f.name: np.concatenate([getattr(v, f.name) for v in values]) for f in fields(kind)})

    works = [work(**plan) for plan in PLANS]
    joined = Work(*(
        stacked(type(getattr(works[0], f.name)), [getattr(w, f.name) for w in works]) for f in fields(Work)  # type: ignore[arg-type]
    ))  # fmt: skip
    assert step_seconds(joined).tolist() == pytest.approx(single, rel=1e-12)


def test_an_all_reduce_inside_a_server() -> None:
    links = work().links
    group = Members(np.array([8.0]), np.array([8.0]))
    # Twice 7/8 of 800 MB at 400 GB/s x 800 / (800 + 8), and twice 7 hops.
    expected = 2 * (0.7e9 / (4e11 * 800 / 808) + 7 * 2e-6)
    assert float(messages.reduce_seconds(np.array([8e8]), group, links)[0]) == pytest.approx(expected, rel=1e-12)


def test_groups_of_one_send_nothing() -> None:
    group = Members(np.ones(1), np.ones(1))
    size = np.array([1e9])
    assert float(messages.gather_seconds(size, group, work().links)[0]) == 0.0
    assert float(messages.exchange_seconds(size, np.array([2.0]), group, work().links)[0]) == 0.0


def test_a_token_crosses_to_a_domain_once() -> None:
    # 16 members in two domains, two choices a token: 1 - (1/2)^2 of the tokens, 0.5 GB, go to the other one.
    group = Members(np.array([16.0]), np.array([8.0]))
    links = replace(work().links, inside=np.array([1e30]), hop_inside=np.zeros(1), hop_outside=np.zeros(1))
    found = float(messages.exchange_seconds(np.array([1e9]), np.array([2.0]), group, links)[0])
    assert found == pytest.approx(0.75 * 0.5e9 / 4e10, rel=1e-12)


def test_dispatch_hides_behind_other_micro_batches_where_stages_have_several_chunks_and_it_leaves_the_domain() -> None:
    def hidden(**plan: float) -> float:
        given = work("deepseek-v3", **plan)
        far = replace(given.habits, hidden_expert=np.array([0.2]), hidden_far=np.array([0.5]))
        return float(hidden_dispatch(replace(given, habits=far))[0])

    assert hidden(pipeline=4.0, virtual=2.0, expert=16.0) == 0.5
    assert hidden(pipeline=4.0, virtual=2.0, expert=8.0) == 0.2  # domains of eight
    assert hidden(pipeline=4.0, expert=16.0) == 0.2


def test_hosts_that_launch_the_kernels_of_experts_take_their_time() -> None:
    # DeepSeek-V3 on one device: 58 of 61 layers have experts, of 10 ms each; 24 kernels of 5 us and three passes else.
    given = work("deepseek-v3")
    layers = layers_of(replace(given, habits=replace(given.habits, experts_s=np.array([0.01]))))
    device, host = float((layers.forward_s + layers.backward_s)[0]), 58 / 61 * 0.01 + 3 * 24 * 5e-6
    assert float(layers.launch_s[0]) == pytest.approx((device**4 + host**4) ** 0.25 - device, rel=1e-9)


def test_products_that_do_the_work_beside_them_save_its_traffic() -> None:
    # DeepSeek-V3, 58 layers of experts and 1 beside the stack that is like the mean one; 4,096 tokens of 8 choices and
    # width 2,048: the activation function moves 3 x 2 numbers of 2 bytes, thrice with the backward pass, and casts of
    # what it gives 4 bytes, twice.
    apart = work("deepseek-v3")
    apart = replace(apart, precision=replace(apart.precision, narrow=np.ones(1)))
    merged = replace(apart, habits=replace(apart.habits, merged=np.ones(1)))
    less = float((step_parts(apart)["memory"] - step_parts(merged)["memory"])[0])
    layers = float((58.0 * (1.0 + apart.shape.extra_layers / 61.0))[0])
    numbers = layers * float(apart.shape.sequence[0]) * 8 * 2048
    assert less == pytest.approx(numbers * (3 * 6 * 2.0 + 2 * 4.0) / (3.35e12 * 0.8), rel=1e-9)


def test_layers_that_do_not_divide_are_laid_out_at_best() -> None:
    # 32 layers on 5 stages: with 7 layers on four of them the last one has 4 and the head, which no other layout beats
    # as long as the head takes less than three layers; 7 layers then take 7/32 of all layers' time.
    uneven = work(pipeline=5.0, micro_batches=64.0)
    small = replace(uneven.shape, vocabulary=np.ones(1))
    far = {name: np.array([1e30]) for name in ("inside", "outside")} | {"hop_inside": np.zeros(1)}
    links = replace(uneven.links, hop_outside=np.zeros(1), **far)
    parts = step_parts(replace(uneven, shape=small, links=links))
    layers = sum(float(parts[name][0]) for name in ("matmul", "attention", "memory", "launch"))
    slowest = 7.0 / 32.0 * layers * 5.0  # parts are those of the mean stage, a fifth
    expected = slowest - layers + (layers * 5.0 - slowest) / 64.0
    assert float(parts["bubble"][0]) == pytest.approx(expected, rel=1e-3)


def test_hybrid_shards_are_gathered_inside_and_summed_between_groups() -> None:
    # Two groups of eight that fill a domain each: weights stay inside; the sum of a rank's gradients crosses,
    # 2 (n - 1)/n of them with n = 2 groups, at the rate outside and with the hops of two messages.
    whole = work(data=8.0, sharding=3.0)
    hybrid = work(data=16.0, sharding=3.0, replicas=2.0)
    crossing = float((step_parts(hybrid)["data"] - step_parts(whole)["data"])[0])
    held = 8.03e9 * 4.0 / 8.0
    assert crossing == pytest.approx(held / 4e10 + 2 * 2 * 5e-6, rel=0.01)


def test_sums_of_gradients_are_read_and_written_where_a_kernel_adds_them() -> None:
    plain = work(micro_batches=2.0)
    added = replace(plain, habits=replace(plain.habits, added=np.array([6.0])))
    more = float((step_parts(added)["memory"] - step_parts(plain)["memory"])[0])
    matrices = 32 * (4096 * (4096 + 2 * 1024) + 4096 * 4096 + 3 * 4096 * 14336)
    head = 4096 * float(plain.shape.vocabulary[0])
    assert more == pytest.approx(2 * 6.0 * (matrices + head) / (3.35e12 * 0.8), rel=1e-9)


def test_a_kernel_that_adds_gradients_moves_them_and_their_sums() -> None:
    # Reads gradient and sum, writes the sum; in 16 bits for a sum in 32, a wide copy is written (2 + 4) and added (12).
    assert added_bytes("deepspeed-2022", 2.0, 2.0) == 2 + 2 + 2
    assert added_bytes("deepspeed-2022", 4.0, 4.0) == 4 + 4 + 4
    assert added_bytes("deepspeed-2022", 2.0, 4.0) == (2 + 4) + (4 + 4 + 4)
    assert added_bytes("te-fp8-2024", 2.0, 4.0, 2021.0) == 0.0
    # Products of Megatron-LM add them from 2022 on.
    assert [added_bytes("megatron-2021", 2.0, 2.0, year) for year in (2021.9, 2022.0, None)] == [6.0, 0.0, 0.0]


def test_softmax_of_two_heads_is_done_by_several_kernels() -> None:
    both = [work(micro=micro, tensor=16.0) for micro in (1.0, 2.0)]
    both = [
        replace(
            one,
            habits=replace(one.habits, fused=np.zeros(1)),
            shape=replace(one.shape, sequence=np.array([2048.0])),
        )
        for one in both
    ]
    two_heads, four_rows = (step_parts(one)["attention"][0] for one in both)
    # Micro batches of two fit the one kernel, at twice the work; else 16 passes of 2 bytes more, thrice with backward.
    scores = 2048.0 * 2048.0 * 32.0 / 16.0
    more = 32.0 * 3.0 * 16.0 * 2.0 * scores / (3.35e12 * 0.8)
    assert two_heads - four_rows / 2.0 == pytest.approx(more, rel=1e-9)


@pytest.mark.parametrize(("tensor", "sequence", "kernels"), [(1.0, 0.0, 24.0), (2.0, 0.0, 26.0), (2.0, 1.0, 28.0)])
def test_collectives_of_tensor_groups_are_launched_too(tensor: float, sequence: float, kernels: float) -> None:
    # Two all-reduces a pass, or two gathers and two scatters, beside 24 kernels; a pass forward and two backward.
    mean = layers_of(work(tensor=tensor, sequence=sequence))
    each, host = mean.forward_s + mean.backward_s, 3.0 * kernels * 5e-6
    assert mean.launch_s == pytest.approx((each**4.0 + host**4.0) ** 0.25 - each, rel=1e-9)


def test_losses_of_several_kernels_move_52_bytes_a_logit() -> None:
    fused, apart = (replace(work(), habits=replace(work().habits, fused=np.full(1, of))) for of in (1.0, 0.0))
    logits = 8192.0 * 128256.0
    more = layers_of(apart).head.memory - layers_of(fused).head.memory
    assert more == pytest.approx((52.0 - 20.0) * logits / (3.35e12 * 0.8), rel=1e-9)


def test_sharded_weights_come_ahead_in_eras_that_hide_no_gradients() -> None:
    of_era, sharding = np.array([0.0, 0.0, 0.6]), np.array([1.0, 3.0, 3.0])
    assert hidden_data(of_era, sharding).tolist() == [0.0, 0.8, 0.6]


def test_every_sharded_layer_has_all_rounds_of_a_ring() -> None:
    # 16 servers of 8: 7 rounds of 2 us in each and 15 of 5 us between them, for each of 32 layers.
    both = [gather_data_seconds(given, held(given.shape, given.plan), np.array([2.0])) for given in _sharded(128.0)]
    assert float(both[1][0] - both[0][0]) == pytest.approx(32 * (16 * 7 * 2e-6 + 15 * 5e-6), rel=1e-9)
    alone = [gather_data_seconds(given, held(given.shape, given.plan), np.array([2.0])) for given in _sharded(1.0)]
    assert float(alone[1][0]) == 0.0


def _sharded(ranks: float) -> tuple[Work, Work]:
    """Return replicas whose optimizer states alone are sharded, and whose weights are."""
    return work(data=ranks, sharding=1.0), work(data=ranks, sharding=3.0)


def test_attention_runs_backward_by_the_ratio_of_its_era() -> None:
    found = [
        attention_backward(era, float(era != "megatron-2021")) for era in ("megatron-2021", "flash-2023", "te-fp8-2024")
    ]
    assert found == [2.0, 3.6, 2.5]
    given = layers_of(work())
    assert float(given.backward.attention[0]) == pytest.approx(2.5 * float(given.forward.attention[0]), rel=1e-12)


def test_a_stream_gathered_in_eight_bits_takes_half_of_the_gathers() -> None:
    # Beside large messages rounds and ramps are small: of a gather and a scatter of 2 bytes, 1 + 2 of 2 + 2 remain.
    usual = work(tensor=8.0, sequence=1.0, micro=64.0)
    narrow = replace(usual, precision=replace(usual.precision, gathered_bytes=np.ones(1)))
    times = [float(layers_of(given).forward.tensor[0]) for given in (usual, narrow)]
    assert times[1] == pytest.approx(0.75 * times[0], rel=1e-2)
    assert [gathered_bytes("torchtitan-2024", 1.0, block) for block in (0.0, 1.0)] == [1.0, 2.0]
    assert gathered_bytes("te-fp8-2024", 1.0, 0.0) == 2.0


def test_memory_is_asked_for_anew_where_sharded_states_leave_no_room() -> None:
    # 16 bytes for each of 8.03e9 parameters on 8 ranks: 16 GB; 32 layers and two micro batches of 6 ms.
    plan = {"data": 8.0, "sharding": 3.0, "micro_batches": 2.0}
    times = []
    for room in (0.0, 15e9, 18e9):
        given = work(**plan)
        habits = replace(given.habits, crowded=np.array([room]))
        times.append(float(step_parts(replace(given, habits=habits))["launch"][0]))
    assert times[1] - times[0] == pytest.approx(2 * 32 * 6e-3, rel=1e-9)
    assert times[2] == times[0]
    assert crowded_bytes("flash-2023", 8e10) == pytest.approx(4.8e10)
    assert crowded_bytes("te-fp8-2024", 8e10) == 0.0


def bucketed(given: Work, size: float = np.inf, prefetched: float = 1.0) -> Work:
    return replace(given, exchange=DataExchange(np.array([size]), np.array([prefetched])))


def gradients(given: Work) -> tuple[float, float]:
    one = data_messages(given, layers_of(given))[0]
    return float(one.seconds[0]), float(one.exposed_s[0])


def test_buckets_are_messages_each_of_their_own_size() -> None:
    given = work(data=16.0)
    size = float(held(given.shape, given.plan).plain[0]) * 4.0  # gradients have 4 bytes
    group = messages.members(given.plan.data, given.plan.tensor, given.links)
    for count in (1, 2, 1000):
        each = float(messages.gather_seconds(np.array([size / count]), group, given.links)[0])
        assert gradients(bucketed(given, size / count))[0] == pytest.approx(count * each, rel=1e-9)
    assert gradients(bucketed(given, 2.0 * size)) == pytest.approx(gradients(bucketed(given, size)), rel=1e-12)


def test_the_last_bucket_hides_behind_nothing() -> None:
    given = work(data=16.0, micro=64.0)
    given = replace(given, habits=replace(given.habits, hidden_data=np.ones(1)))
    size = float(held(given.shape, given.plan).plain[0]) * 4.0
    assert gradients(given)[1] < 0.01 * gradients(given)[0]  # a long backward pass covers all but nothing is left
    for count in (1, 4):
        whole, exposed = gradients(bucketed(given, size / count))
        assert exposed == pytest.approx(whole / count, rel=1e-9)


def test_weights_that_do_not_come_ahead_are_exposed_in_full() -> None:
    given = work(data=16.0, sharding=3.0, micro_batches=2.0)
    ahead, late = (data_messages(one, layers_of(one)) for one in (given, bucketed(given, prefetched=0.0)))
    assert late[1].exposed_s[0] == pytest.approx(float(late[1].seconds[0]), rel=1e-12)
    assert ahead[1].exposed_s[0] < 0.9 * late[1].exposed_s[0]
    assert late[0].exposed_s[0] <= ahead[0].exposed_s[0]  # gradients have all of the computation to hide behind
