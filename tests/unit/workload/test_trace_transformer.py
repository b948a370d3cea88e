"""The traced costs of transformers against closed forms and against what is known of GPT-2."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from dcsim.scenario.workload import TransformerModel
from dcsim.workload.operation import StepCosts
from dcsim.workload.step import Recipe
from dcsim.workload.trace import trace

GPT2 = TransformerModel(family="transformer", layers=12, hidden=768, heads=12, context=1024, vocabulary=50257)
SMALL = TransformerModel(family="transformer", layers=3, hidden=32, heads=4, context=16, vocabulary=64)
MICRO = 4


def forward_products(model: TransformerModel, layers: int | None = None) -> float:
    """FLOPs of the forward matrix products of one sequence of T tokens and width d.

    A layer: query, key, value 6Td2, projection 2Td2, feed-forward 16Td2; scores and mixing 2TTd each. The head: 2TdV.
    """
    t, d = model.context, model.hidden
    return (layers or model.layers) * (24 * t * d * d + 4 * t * t * d) + 2 * t * d * model.vocabulary


def products(costs: StepCosts, *phases: str) -> float:
    return sum(o.flops * o.count for o in costs.operations if o.kind == "matmul" and (not phases or o.phase in phases))


@pytest.fixture(scope="module")
def gpt2() -> StepCosts:
    return trace(Recipe(GPT2, "bf16", "adamw"), MICRO)


@pytest.fixture(scope="module")
def small() -> StepCosts:
    return trace(Recipe(SMALL, "fp32", "adamw"), 2)


def test_gpt2_has_the_published_number_of_parameters(gpt2: StepCosts) -> None:
    assert gpt2.parameters == 124_439_808
    assert gpt2.parameter_bytes == 2 * 124_439_808
    # float32 master and two moments, 12 bytes a parameter, and the counter of steps
    assert gpt2.optimizer_bytes == 12 * 124_439_808 + 4


def test_products_equal_the_closed_form_exactly(gpt2: StepCosts) -> None:
    forward = MICRO * forward_products(GPT2)
    assert products(gpt2, "forward") == forward
    assert products(gpt2, "backward") == 2 * forward
    assert not gpt2.warnings


def test_every_product_states_its_shape(gpt2: StepCosts) -> None:
    for operation in gpt2.operations:
        if operation.kind == "matmul":
            batch, m, n, k = operation.shape
            assert operation.flops == 2 * batch * m * n * k
            assert operation.dtype == "bf16"


def test_the_optimizer_moves_28_bytes_a_parameter(gpt2: StepCosts) -> None:
    """Read gradient 2, master 4, moments 8; write weights 2, master 4, moments 8."""
    moved = sum(o.bytes * o.count for o in gpt2.operations if o.phase == "optimizer" and o.shape)
    assert moved == pytest.approx(28 * gpt2.parameters, rel=1e-6)


def test_gradients_cover_all_parameters_and_the_tied_embedding_is_last(gpt2: StepCosts) -> None:
    assert sum(gradient.elements for gradient in gpt2.gradients) == gpt2.parameters
    assert gpt2.gradients[-1].name == "tokens"
    assert gpt2.gradients[-1].after == len(gpt2.order) - 1
    assert [g.after for g in gpt2.gradients] == sorted(g.after for g in gpt2.gradients)
    assert len({gradient.name for gradient in gpt2.gradients}) == len(gpt2.gradients) == 12 * 12 + 4


def test_layers_finish_last_to_first(gpt2: StepCosts) -> None:
    ready = {gradient.name: gradient.after for gradient in gpt2.gradients}
    weights = [ready[f"blocks/expand/weight[{layer}]"] for layer in range(12)]
    assert weights == sorted(weights, reverse=True)
    steps = {first - second for first, second in pairwise(weights)}
    assert len(steps) == 1  # every trip of the loop executes the same operations


def test_a_gradient_is_ready_after_the_product_that_makes_it(gpt2: StepCosts) -> None:
    ready = {gradient.name: gradient.after for gradient in gpt2.gradients}
    operation = gpt2.operations[gpt2.order[ready["blocks/expand/weight[5]"]]]
    assert sorted(operation.shape) == sorted((1, 768, 3072, MICRO * 1024))


def test_the_order_holds_each_backward_operation_as_often_as_it_runs(gpt2: StepCosts) -> None:
    executed = Counter(gpt2.order)
    for index, operation in enumerate(gpt2.operations):
        expected = operation.count if operation.phase in ("backward", "recompute") else 0
        assert executed[index] == expected


def test_fused_attention_saves_the_scores_and_nothing_elsewhere(gpt2: StepCosts) -> None:
    scores = MICRO * 12 * 1024 * 1024
    for operation in gpt2.operations:
        if operation.scope == "attention":
            if operation.bytes > 2 * scores:
                assert operation.bytes_fused < operation.bytes - 2 * scores + 1
        else:
            assert operation.bytes_fused == operation.bytes
    softmax = [o for o in gpt2.operations if o.scope == "attention" and o.kind == "reduce"]
    assert softmax
    assert all(o.bytes_fused == 0 for o in softmax)


def test_residuals_without_the_scores_are_smaller_by_them(gpt2: StepCosts) -> None:
    """At least the probabilities of every layer in bf16 are kept by plain attention and by no fused one."""
    assert gpt2.residual_bytes - gpt2.residual_bytes_fused > 12 * MICRO * 12 * 1024 * 1024 * 2
    # per layer at least the inputs of the four products: d, d, d and 4d a token in bf16
    assert gpt2.residual_bytes_fused > 12 * MICRO * 1024 * 7 * 768 * 2


def test_samples_are_token_ids_of_16_bits(gpt2: StepCosts) -> None:
    assert gpt2.sample_bytes == 2 * 1024
    assert gpt2.tokens_per_sample == 1024
    wide = SMALL.model_copy(update={"vocabulary": 70_000})
    assert trace(Recipe(wide), 1).sample_bytes == 4 * 16


def test_a_loop_counts_as_its_trips(small: StepCosts) -> None:
    unrolled = trace(Recipe(SMALL, "fp32", "adamw", layers="unrolled"), 2)
    assert products(small) == products(unrolled) == 3 * 2 * forward_products(SMALL)
    for phases in (("forward",), ("backward", "recompute")):
        totals = [sum(o.flops * o.count for o in c.operations if o.phase in phases) for c in (small, unrolled)]
        assert totals[0] == totals[1]


def test_recomputed_layers_repeat_all_products_but_the_last() -> None:
    """The last product of a layer, 8Td2, is not needed again: the backward pass reads its inputs alone."""
    costs = trace(Recipe(SMALL, layers="recomputed"), 2)
    t, d = SMALL.context, SMALL.hidden
    again = 2 * 3 * (16 * t * d * d + 4 * t * t * d)
    assert products(costs, "recompute") == again
    assert products(costs, "forward") == 2 * forward_products(SMALL)
    assert products(costs, "backward") == 4 * forward_products(SMALL)
    assert costs.residual_bytes < trace(Recipe(SMALL), 2).residual_bytes / 2


def test_an_untied_head_is_a_parameter_of_its_own() -> None:
    untied = SMALL.model_copy(update={"tied_head": False})
    tied, free = trace(Recipe(SMALL), 2), trace(Recipe(untied), 2)
    assert free.parameters == tied.parameters + 64 * 32
    assert products(free) == products(tied)
    assert free.gradients[0].name == "head"


def test_sgd_keeps_no_state() -> None:
    assert trace(Recipe(SMALL, "fp32", "sgd"), 1).optimizer_bytes == 0
    mixed = trace(Recipe(SMALL, "bf16", "sgd"), 1)
    assert mixed.optimizer_bytes == 4 * mixed.parameters


def test_costs_grow_with_the_micro_batch(small: StepCosts) -> None:
    assert products(trace(Recipe(SMALL, "fp32", "adamw"), 6)) == 3 * products(small)
