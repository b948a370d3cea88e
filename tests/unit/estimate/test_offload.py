"""What waits with the host: bytes and times by hand for Llama 2 13B on a DGX A100, four ranks that share all states."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dcsim import simulate
from dcsim.catalogue import Shelf
from dcsim.catalogue.inventory import JobParts, PoolParts
from dcsim.catalogue.parts import Accelerator, Link, Psu, Server, Software
from dcsim.errors import ScenarioError
from dcsim.estimate.host import lacking, link_rate, memory_rate
from dcsim.estimate.layout import chunks_of
from dcsim.estimate.offload import host_step, layer_waits
from dcsim.estimate.plan_search import Question, evaluate, search
from dcsim.estimate.plan_work import Missing, setting_of, work_of
from dcsim.estimate.planned import planned_step
from dcsim.estimate.planned_program import planned_program
from dcsim.estimate.rank_memory import host_memory, rank_memory
from dcsim.estimate.training import layers_of, step_parts
from dcsim.estimate.work import Work
from dcsim.parallel.program import Stretch
from dcsim.scenario.hardware import ServerPool
from dcsim.scenario.load import load
from dcsim.scenario.workload import Job
from dcsim.simulate import prepare

SHELF = Shelf()
SHARDED: dict[str, object] = {"data": 4, "sharding": "gradients", "recompute": "full"}
LAYERS, HIDDEN, FFN, ROWS, SEQUENCE = 40, 5120, 13824, 32000, 4096
LAYER = 4 * HIDDEN**2 + 3 * HIDDEN * FFN
TABLE = ROWS * HIDDEN
WHOLE = LAYERS * LAYER + 2 * TABLE


def pool(kind: str = "dgx-a100") -> PoolParts:
    server = SHELF.take(Server, kind)
    links = [SHELF.take(Link, name) if name else None for name in (server.link, server.pcie, server.socket_link)]
    host = SHELF.take(Link, server.host_link) if server.host_link else None
    spec = ServerPool.model_validate({"name": "train", "type": kind, "count": 4, "per_rack": 2})
    made_of = SHELF.take(Accelerator, server.accelerator), links[0], SHELF.take(Psu, server.psu), *links[1:]
    return PoolParts(spec, server, *made_of, host)  # type: ignore[arg-type]


def work(*words: str, kind: str = "dgx-a100", batch: int = 32, **plan: object) -> Work:
    keys = {"name": "tune", "model": "llama2-13b", "steps": 1, "software": "flash-2023"}
    keys["batch"] = {"global": batch, "micro": 1}
    job = Job.model_validate(keys | {"parallel": SHARDED | plan | {"offload": words}})
    parts = JobParts(job, SHELF.model("llama2-13b"), SHELF.take(Software, job.software))
    setting = setting_of(parts, pool(kind), SHELF)
    assert not isinstance(setting, Missing)
    return work_of(parts, pool(kind), setting, 25e9)


def test_links_are_shared_as_the_inside_of_servers_says() -> None:
    # Two accelerators of a DGX A100 share the uplink of a switch, 31.5 GB/s of which 80 % are payload; one has its own.
    assert [link_rate(ranks, pool()) for ranks in (1, 2, 8)] == pytest.approx([25.2e9, 12.6e9, 12.6e9], rel=1e-12)
    assert link_rate(8, pool("dgx-h100")) == pytest.approx(0.8 * 64e9, rel=1e-12)
    assert link_rate(72, pool("gb200-nvl72")) == pytest.approx(0.8 * 225e9, rel=1e-12)
    # 409.6 GB/s of two sockets with four accelerators each; 80 % are sustained.
    assert [memory_rate(n, pool().server) for n in (1, 2, 4, 8)] == pytest.approx(
        [0.8 * 204.8e9 / n for n in (1, 2, 4, 4)], rel=1e-12
    )
    assert lacking(pool("gaudi2-8").server).endswith("and host_bandwidth")
    assert not lacking(pool("dgx-a100").server)


def test_what_waits_with_the_host_is_not_on_the_accelerator() -> None:
    here, inputs = rank_memory(work()), SEQUENCE * HIDDEN * 2
    assert host_memory(work()).tolist() == [0.0]
    states = rank_memory(work("optimizer"))
    assert float(states.optimizer[0]) == 0.0
    assert float((here.total - states.total)[0]) == pytest.approx(12 * WHOLE / 4, rel=1e-9)
    # Master weights and moments, and the gradients in 16 bits that the step reads: 14 B, a fourth of them a rank.
    assert float(host_memory(work("optimizer"))[0]) == pytest.approx(14 * WHOLE / 4, rel=1e-9)
    both = rank_memory(work("optimizer", "gradients"))
    assert float(both.gradients[0]) == pytest.approx(2 * 2 * LAYER / 4, rel=1e-9), "two layers' alone"
    assert float(host_memory(work("optimizer", "gradients"))[0]) == pytest.approx(14 * WHOLE / 4, rel=1e-9)
    every = work("optimizer", "gradients", "weights", "activations")
    found = rank_memory(every)
    assert float(found.weights[0]) == pytest.approx(2 * 2 * TABLE, rel=1e-9), "embedding and head stay"
    assert float(found.gathered[0]) == pytest.approx(2 * 2 * LAYER, rel=1e-9), "two layers' weights"
    assert float((here.activations - found.activations)[0]) == pytest.approx((LAYERS - 2) * inputs, rel=1e-9)
    expected = 14 * WHOLE / 4 + 2 * LAYERS * LAYER + LAYERS * inputs
    assert float(host_memory(every)[0]) == pytest.approx(expected, rel=1e-9)


def test_stages_leave_the_activations_of_micro_batches_under_way() -> None:
    plan: dict[str, object] = {"data": 1, "pipeline": 4, "sharding": "none"}
    given = work("activations", **plan)
    assert float(host_memory(given)[0]) == pytest.approx(4 * 10 * SEQUENCE * HIDDEN * 2, rel=1e-9)
    gpipe = float(host_memory(given, keeps_all=True)[0])
    assert gpipe == pytest.approx(32 * 10 * SEQUENCE * HIDDEN * 2, rel=1e-9)


def test_the_hosts_step_moves_twenty_eight_bytes_an_element() -> None:
    given = work("optimizer", "gradients")
    seconds = 28 * WHOLE / 4 / (0.8 * 409.6e9 / 2 / 4)
    assert float(host_step(given)[0]) == pytest.approx(seconds, rel=1e-9)
    assert float(step_parts(given)["optimizer"][0]) == pytest.approx(seconds, rel=1e-9)


def test_a_layer_waits_for_transfers_that_its_computation_does_not_cover() -> None:
    # Forward, activations leave while weights come; backward, both come, and gradients leave, which the host adds to
    # those of the micro batches before: three passes through its memory, faster here than the link is.
    every = work("optimizer", "gradients", "weights", "activations")
    rate, memory = 12.6e9, 0.8 * 409.6e9 / 8
    activations, weights = SEQUENCE * HIDDEN * 2 / rate, 2 * LAYER / rate
    size = 2 * WHOLE / 4 / LAYERS
    gradients = max(size / rate, 3 * size / memory)
    zero = np.zeros(1)
    forward, backward = layer_waits(every, zero, zero)
    assert float(forward[0]) == pytest.approx(max(activations, weights), rel=1e-9)
    assert float(backward[0]) == pytest.approx(max(activations + weights, gradients), rel=1e-9)
    long = layer_waits(every, zero + 0.01, zero + 1.0)
    assert [float(one[0]) for one in long] == pytest.approx([weights - 0.01, 0.0], rel=1e-9)
    alone = layer_waits(work("optimizer", "gradients"), zero, zero)
    assert [float(one[0]) for one in alone] == pytest.approx([0.0, gradients], rel=1e-9)


def test_transfers_of_a_step_hide_behind_its_backward_pass_and_the_hosts_step() -> None:
    # Computation of next to no time leaves all transfers exposed: 40 layers of gradients once; weights come back while
    # the host's step, 28 B of memory for their 2 B of the link, takes longer.
    given = work("optimizer", batch=4)
    fast = replace(
        given,
        chip=replace(
            given.chip, rate=given.chip.rate * 1e9, rate16=given.chip.rate16 * 1e9, bandwidth=np.full(1, 1e30)
        ),
        habits=replace(given.habits, launch_s=np.zeros(1)),
    )
    assert float(layers_of(fast).backward_s[0]) < 1e-4
    exposed = float(step_parts(fast)["offload"][0])
    mean = layers_of(fast)
    layer_s = float((mean.backward_s + mean.launch_s * 3 / 4)[0])
    assert exposed == pytest.approx(2 * WHOLE / 4 / 12.6e9 - LAYERS * layer_s, rel=1e-9)
    assert float(step_parts(given)["offload"][0]) == 0.0, "covered on an A100"


def test_parts_sum_to_the_step_that_is_played() -> None:
    for words in (("optimizer",), ("optimizer", "gradients", "weights", "activations")):
        for plan in ({}, {"data": 1, "pipeline": 4, "sharding": "none"}):
            given = work(*words, **plan)
            step = planned_step(given, "1f1b")
            played = planned_program(step, 0.0).program.instructions
            seconds = sum(one.seconds for one in played if isinstance(one, Stretch))
            assert step.traffic == ()
            assert seconds == pytest.approx(step.seconds, rel=1e-9)
            mean, waits = layers_of(given), ("wait_forward_s", "wait_backward_s")
            per_layer = sum(float(getattr(mean, name)[0]) for name in waits)
            bare = replace(mean, wait_forward_s=np.zeros(1), wait_backward_s=np.zeros(1))
            longer = sum(chunks_of(given, mean).forward_s + chunks_of(given, mean).backward_s)
            longer -= sum(chunks_of(given, bare).forward_s + chunks_of(given, bare).backward_s)
            assert longer == pytest.approx(LAYERS * per_layer, rel=1e-9, abs=1e-9)


def test_a_plan_without_the_key_is_as_it_was() -> None:
    plain = work()
    assert float(step_parts(plain)["offload"][0]) == 0.0
    rate = float((plain.chip.bandwidth * plain.chip.memory)[0])
    assert float(step_parts(plain)["optimizer"][0]) == pytest.approx(18 * WHOLE / 4 / rate, rel=1e-9)


def test_plans_that_hosts_do_not_hold_are_none() -> None:
    given = work("optimizer", "gradients")
    question = Question(SHELF.model("llama2-13b"), 4, 32, domain=4, memory_bytes=80e9, host_bytes=200e9, of_server=8)  # type: ignore[arg-type]
    found = search(given, question)
    assert len(found)
    assert np.all(found.plans.sharding[found.plans.data * found.plans.context > 1] >= 2.0)
    assert np.all(host_memory(replace(given, plan=found.plans)) <= 50e9)
    assert not len(search(given, replace(question, host_bytes=160e9))), "a fourth of 14 B each is 45 GB"
    one = evaluate(given, found.plans, question)
    assert one.memory_bytes.tolist() == pytest.approx(found.memory_bytes.tolist(), rel=1e-12)


SCENARIO = Path(__file__).parents[3] / "scenarios" / "offload.yaml"
SMALL = "parts={servers: {mine: {based_on: dgx-a100-40, host_memory: 128 GiB}}}"
NEAREST = (
    r"found 45.6 GB a rank, 182 GB for the 4 of a server, expected at most 137 GB, the memory of its host: "
    r"no plan on 4 accelerators fits: 16 have one that does$"  # eight on a host have 17.2 GB each and need 22.8
)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([SMALL, "cluster.servers.train.type=mine"], NEAREST),
        (
            [SMALL, "cluster.servers.train.type=mine", "jobs.tune.parallel={auto: true, offload: [optimizer]}"],
            r"expected one within 17.2 GB a rank, its share of .*: take words out of parallel.offload",
        ),
        (
            ["cluster.servers.train.type=gaudi2-8"],
            r"without host_link \(or sockets, pcie_switches, pcie and socket_link\) and host_bandwidth, expected a "
            r"server that tells .* dgx-a100.*based_on: gaudi2-8",
        ),
    ],
)
def test_what_hosts_do_not_hold_or_tell_is_refused(changes: list[str], message: str) -> None:
    with pytest.raises(ScenarioError, match=message) as caught:
        prepare(load(SCENARIO, changes))
    assert "offload.yaml:1" in str(caught.value) or "--set" in str(caught.value)


@pytest.mark.parametrize("changes", [["jobs.tune.model=llama2-70b"], ["jobs.tune.parallel.offload=[]"]])
def test_the_nearest_plan_is_written_with_what_waits_with_the_host(changes: list[str]) -> None:
    with pytest.raises(ScenarioError) as caught:
        prepare(load(SCENARIO, changes))
    told = re.search(r"parallel: (\{.*\}) with batch.micro: 1", str(caught.value))
    assert told is not None
    assert "offload: [optimizer, gradients]" in told[1]
    fitting = prepare(load(SCENARIO, [*changes, f"jobs.tune.parallel={told[1]}"])).jobs[0]
    assert fitting.memory.total_bytes <= fitting.device.accelerator.memory
    assert 0.0 < fitting.memory.host_bytes * 4 <= fitting.host_memory


def test_no_states_are_left_to_hosts_that_are_not_told() -> None:
    keys = ["cluster.servers.train.type=gaudi2-8", "jobs.tune.model=llama3-405b", "jobs.tune.parallel.offload=[]"]
    with pytest.raises(ScenarioError, match=r"no plan on 4 accelerators fits: ") as caught:
        prepare(load(SCENARIO, keys))
    assert "host" not in str(caught.value)


def test_times_with_a_host_are_of_first_principles() -> None:
    result = simulate.run(prepare(load(SCENARIO, ["jobs.tune.steps=2"])))
    metric = result.metrics["jobs.tune.step_time"]
    assert (metric.provenance, metric.low, metric.high) == ("first-principles", None, None)
    parts = result.table("step_parts")
    assert float(parts["seconds"].sum()) == pytest.approx(metric.value, rel=1e-6)


def test_hosts_stay_what_they_are_whatever_accelerators_a_server_has() -> None:
    shelf = Shelf({"servers": {"half": {"based_on": "dgx-a100", "accelerators": 4}}})
    half = shelf.take(Server, "half")
    assert (half.host_bandwidth, half.pcie_switches) == (409.6e9, None)
    assert lacking(half) == "host_link (or sockets, pcie_switches, pcie and socket_link)"
