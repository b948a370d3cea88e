"""Memory of ranks against the closed forms of Korthikanti et al. (MLSys 2023) and against sums by hand."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest

from dcsim.catalogue import Shelf
from dcsim.compute.kernels import Chip
from dcsim.estimate.messages import Links
from dcsim.estimate.rank_memory import layer_bytes, rank_memory
from dcsim.estimate.work import Habits, Work
from dcsim.parallel.data_exchange import DataExchange
from dcsim.parallel.model_shape import shape_of
from dcsim.parallel.parallelism import Parallelism, Precision
from dcsim.scenario.transformers import Decoder, TransformerModel

GIB = 2.0**30


def record(kind: type, given: dict[str, float]) -> object:
    return kind(**{field.name: np.array([given.get(field.name, 1.0)]) for field in fields(kind)})


def work(model: str, fused: float = 0.0, **plan: float) -> Work:
    spec = Shelf().model(model)
    assert isinstance(spec, Decoder)
    zeros = dict.fromkeys(
        ("sequence", "sharding", "recomputed", "recomputed_core", "balanced", "zero_bubble", "adapters"), 0.0
    )
    widths = {"activation_bytes": 2.0, "weight_bytes": 2.0, "gradient_bytes": 4.0, "dispatch_bytes": 2.0}
    return Work(
        shape_of(spec),
        record(Parallelism, zeros | plan),  # type: ignore[arg-type]
        record(Precision, widths),  # type: ignore[arg-type]
        record(Chip, {}),  # type: ignore[arg-type]
        record(Links, {}),  # type: ignore[arg-type]
        record(Habits, {"fused": fused}),  # type: ignore[arg-type]
    )


S, H, A, LAYERS = 2048.0, 12288.0, 96.0, 96.0  # GPT-3 175B


def test_a_layer_keeps_what_the_closed_forms_say() -> None:
    scores = 5.0 * A * S / H
    assert float(layer_bytes(work("gpt3-175b"))[0]) == pytest.approx(S * H * (34.0 + scores), rel=1e-9)
    plan = {"tensor": 8.0}
    assert float(layer_bytes(work("gpt3-175b", **plan))[0]) == pytest.approx(
        S * H * (10.0 + 24.0 / 8.0 + scores / 8.0), rel=1e-9
    )
    plan = {"tensor": 8.0, "sequence": 1.0}
    assert float(layer_bytes(work("gpt3-175b", **plan))[0]) == pytest.approx(S * H / 8.0 * (34.0 + scores), rel=1e-9)
    selective = work("gpt3-175b", **plan, recomputed_core=1.0)
    assert float(layer_bytes(selective)[0]) == pytest.approx(S * H / 8.0 * 34.0, rel=1e-9)
    full = work("gpt3-175b", tensor=8.0, recomputed=1.0)
    assert float(layer_bytes(full)[0]) == pytest.approx(S * H * 2.0, rel=1e-9)


RUNS = {  # Table 3 of the paper: layers, hidden, heads, micro batch, stages, chunks; 8 tensor ranks, 51,200 tokens
    "22B": (48, 6144, 64, 4.0, 1.0, 1.0),
    "175B": (96, 12288, 96, 1.0, 8.0, 3.0),
    "530B": (105, 20480, 128, 1.0, 35.0, 3.0),
    "1T": (128, 25600, 160, 1.0, 64.0, 1.0),
}


@pytest.mark.parametrize("name", RUNS)
def test_the_four_models_of_the_paper(name: str) -> None:
    layers, hidden, heads, micro, stages, chunks = RUNS[name]
    described = {"family": "transformer", "layers": layers, "hidden": hidden, "heads": heads, "context": 2048}
    spec = TransformerModel.model_validate({**described, "vocabulary": 51200, "tied_head": True})
    sizes = {"tensor": 8.0, "pipeline": stages, "virtual": chunks, "micro": micro, "micro_batches": 64.0 * stages}
    one = micro * S * hidden * layers * (1.0 + (stages - 1.0) / (stages * chunks) if chunks > 1.0 else 1.0)
    scores = 5.0 * heads * S / hidden

    def kept(**plan: float) -> float:
        run = replace(work("gpt3-175b", **sizes, **plan), shape=shape_of(spec))
        return float(rank_memory(run).activations[0])

    alone, both = one * (10.0 + (24.0 + scores) / 8.0), one * 34.0 / 8.0
    assert kept() == pytest.approx(alone, rel=1e-9)
    assert kept(sequence=1.0) == pytest.approx(one * (34.0 + scores) / 8.0, rel=1e-9)
    assert kept(sequence=1.0, recomputed_core=1.0) == pytest.approx(both, rel=1e-9)
    # The abstract: the two techniques together keep a fifth.
    assert alone / kept(sequence=1.0, recomputed_core=1.0) == pytest.approx(5.0, rel=0.25)


def test_scores_are_the_share_that_the_paper_says() -> None:
    # Section 5: selective recomputation spares 70 % of the activations of GPT-3, with all of a layer split.
    plan = {"tensor": 8.0, "sequence": 1.0}
    spared = 1.0 - layer_bytes(work("gpt3-175b", **plan, recomputed_core=1.0)) / layer_bytes(work("gpt3-175b", **plan))
    assert float(spared[0]) == pytest.approx(0.70, abs=0.005)


@pytest.mark.parametrize(("virtual", "factor"), [(1.0, 1.0), (3.0, 1.0 + 7.0 / 24.0)])
def test_the_first_stage_keeps_a_micro_batch_for_every_stage(virtual: float, factor: float) -> None:
    # Section 4.2.3: all L layers' worth whatever the pipeline, and 1 + (p - 1) / (p v) of that where it interleaves.
    plan = {"tensor": 8.0, "sequence": 1.0, "pipeline": 8.0, "virtual": virtual, "micro_batches": 64.0}
    found = rank_memory(work("gpt3-175b", **plan, recomputed_core=1.0))
    assert float(found.activations[0]) == pytest.approx(S * H * LAYERS / 8.0 * 34.0 * factor, rel=1e-9)
    assert float(found.logits[0]) == 0.0


def test_layers_by_number_keep_what_their_closed_form_says() -> None:
    # Eight stages of twelve layers, of which n run again: eight micro batches under way on the first. What runs again
    # keeps its input; where all do, one layer is whole for the moment, its input among what it keeps.
    plan = {"tensor": 8.0, "sequence": 1.0, "pipeline": 8.0, "micro_batches": 64.0}
    whole, inputs = S * H / 8.0 * (34.0 + 5.0 * A * S / H), S * H / 8.0 * 2.0
    found = [float(rank_memory(work("gpt3-175b", **plan, recomputed=n / 12.0)).activations[0]) for n in range(13)]
    expected = [8.0 * ((12 - n) * whole + n * inputs) + (whole - inputs) * (n == 12) for n in range(13)]
    assert found == pytest.approx(expected, rel=1e-9)
    assert found == sorted(found, reverse=True)
    alone = [float(rank_memory(work("gpt3-175b", recomputed=n / 96.0)).activations[0]) for n in range(97)]
    assert all(more >= less * (1 - 1e-12) for more, less in pairwise(alone)), "none grows"


@pytest.mark.parametrize(("group", "kept", "held"), [(1, 12, 1), (4, 3, 4), (5, 3, 5), (12, 1, 12), (24, 1, 12)])
def test_groups_of_layers_keep_one_input(group: int, kept: int, held: int) -> None:
    plan = {"tensor": 8.0, "sequence": 1.0, "pipeline": 8.0, "micro_batches": 64.0}
    given = work("gpt3-175b", **plan, recomputed=1.0)
    given = replace(given, kept=replace(given.kept, group=np.array([float(group)])))
    whole, inputs = S * H / 8.0 * (34.0 + 5.0 * A * S / H), S * H / 8.0 * 2.0
    found = rank_memory(given)
    under_way = 1.0 if found.logits[0] > 0.0 else 8.0  # where inputs are few, the last stage is fuller by its logits
    expected = under_way * kept * inputs + held * whole - inputs
    assert float(found.activations[0]) == pytest.approx(expected, rel=1e-9)


def test_gpipe_keeps_all_micro_batches() -> None:
    plan = {"tensor": 8.0, "sequence": 1.0, "pipeline": 8.0, "micro_batches": 64.0, "recomputed_core": 1.0}
    found = rank_memory(work("gpt3-175b", **plan), keeps_all=True)
    assert float(found.activations[0]) == pytest.approx(8.0 * S * H * LAYERS / 8.0 * 34.0, rel=1e-9)


def test_states_are_sixteen_and_two_bytes_a_parameter_and_shards_of_them() -> None:
    # Weights and gradients 2 and 4 bytes, master weights and moments 12: S. Rajbhandari et al., SC 2020, with sums in
    # 32 bits. GPT-3 without positions, norms and biases: 12 h^2 a layer, and a table of 50,257 rows that head and
    # embedding share.
    whole = 12.0 * H * H * LAYERS + 50257.0 * H
    one = rank_memory(work("gpt3-175b"))
    assert float(one.weights[0]) == pytest.approx(2.0 * whole, rel=1e-9)
    assert float(one.gradients[0]) == pytest.approx(4.0 * whole, rel=1e-9)
    assert float(one.optimizer[0]) == pytest.approx(12.0 * whole, rel=1e-9)
    for level, shares in ((1.0, (1, 1, 64)), (2.0, (1, 64, 64)), (3.0, (64, 64, 64))):
        found = rank_memory(work("gpt3-175b", data=64.0, sharding=level))
        parts = (found.weights, found.gradients, found.optimizer)
        expected = [width * whole / share for width, share in zip((2.0, 4.0, 12.0), shares, strict=True)]
        assert [float(part[0]) for part in parts] == pytest.approx(expected, rel=1e-9)


def test_hybrid_shards_are_those_of_a_group() -> None:
    whole = rank_memory(work("gpt3-175b", data=8.0, sharding=3.0))
    hybrid = rank_memory(work("gpt3-175b", data=64.0, sharding=3.0, replicas=8.0))
    assert float(hybrid.total[0]) == pytest.approx(float(whole.total[0]), rel=1e-12)


def test_experts_are_spread_over_their_group() -> None:
    one, eight = rank_memory(work("mixtral-8x7b")), rank_memory(work("mixtral-8x7b", expert=8.0, data=8.0))
    experts = 32 * 8 * 3 * 4096 * 14336
    assert float(one.weights[0] - eight.weights[0]) == pytest.approx(2.0 * experts * 7.0 / 8.0, rel=1e-9)


def test_published_configurations_fit_the_devices_they_ran_on() -> None:
    # D. Narayanan et al., SC 2021, and Llama Team, "The Llama 3 herd of models" (2024), Table 4, on 80 GB.
    gpt = work("gpt3-175b", tensor=8.0, pipeline=8.0, data=16.0, micro_batches=96.0, recomputed=1.0)
    llama = work(
        "llama3-405b", 1.0, tensor=8.0, sequence=1.0, pipeline=16.0, data=128.0, micro_batches=16.0, sharding=2.0
    )
    assert float(rank_memory(gpt).total[0]) < 80e9
    assert float(rank_memory(llama).total[0]) < 80e9
    alone = replace(llama, plan=replace(llama.plan, pipeline=np.ones(1)))
    assert float(rank_memory(alone).total[0]) > 80e9


def test_many_plans_at_once_are_each_by_itself() -> None:
    plans = [{"tensor": 8.0, "pipeline": 8.0, "micro_batches": 64.0}, {"data": 8.0, "sharding": 3.0}]
    both = {name: np.array([plan.get(name, 1.0) for plan in plans]) for name in ("tensor", "pipeline", "data")}
    both |= {name: np.array([plan.get(name, 0.0) for plan in plans]) for name in ("sharding",)}
    both["micro_batches"] = np.array([64.0, 1.0])
    one = work("gpt3-175b")
    found = rank_memory(replace(one, plan=replace(one.plan, **both))).total
    assert found.tolist() == pytest.approx([float(rank_memory(work("gpt3-175b", **p)).total[0]) for p in plans])


def test_weights_that_do_not_come_ahead_are_those_of_one_layer() -> None:
    ahead = work("llama2-7b", data=8.0, sharding=3.0)
    late = replace(ahead, exchange=DataExchange(prefetched=np.zeros(1)))
    shape = ahead.shape
    # Queries, keys, values and output are square, three matrices are 11,008 wide: a second layer of weights is less.
    layer = 4 * 4096**2 + 3 * 4096 * 11008 + 2 * 4096
    width = float(ahead.precision.weight_bytes[0])
    assert shape.layers[0] == 32
    apart = float(rank_memory(ahead).gathered[0] - rank_memory(late).gathered[0])
    assert apart == pytest.approx(width * layer, rel=1e-3)
