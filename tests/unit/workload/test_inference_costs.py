"""What models that serve cost: products, bytes read and caches against what can be counted by hand."""

from __future__ import annotations

from typing import Any

import jax
import pytest

from dcsim.errors import InputError
from dcsim.scenario.inference import Inference
from dcsim.scenario.models import LstmModel, MixtureModel, ModelSpec, ResnetModel, TransformerModel
from dcsim.workload.inference import expected_experts, trace_inference
from dcsim.workload.operation import StepCosts
from dcsim.workload.trace import size_of

ROWS, TOKENS = 4, 48
GPT = TransformerModel(family="transformer", layers=3, hidden=32, heads=4, context=64, vocabulary=256)
LLAMA = TransformerModel.model_validate(
    GPT.model_dump() | {"positions": "rotary", "key_value_heads": 2, "activation": "swiglu", "bias": False}
)
WINDOW = LLAMA.model_copy(update={"layers": 4, "window": 16})
MIXED = MixtureModel.model_validate(
    LLAMA.model_dump() | {"family": "mixture", "experts": 8, "chosen": 2, "feed_forward": 48, "activation": "swiglu"}
)
LATENT = MixtureModel.model_validate(
    MIXED.model_dump()
    | {"latent": {"queries": 12, "cached": 10, "plain": 8, "rotary": 4, "values": 8}, "key_value_heads": None}
)
LSTM = LstmModel(family="lstm", vocabulary=100, embedding=12, hidden=16, layers=2, context=20)
RESNET = ResnetModel(family="resnet", image=32, width=8, blocks=(1, 2), classes=10)


def traced(model: ModelSpec, step: Any, tokens: int | None = None, rows: int = ROWS) -> StepCosts:
    return trace_inference(model, "bf16", Inference(step=step, tokens=tokens), rows)


def products(costs: StepCosts) -> float:
    return sum(o.flops * o.count for o in costs.operations if o.kind in ("matmul", "convolution"))


def moved(costs: StepCosts) -> float:
    return sum(o.bytes_fused * o.count for o in costs.operations)


def test_a_prompt_takes_the_products_of_its_tokens_and_the_head_of_the_last() -> None:
    """A layer, 24 d^2 a token and 4 d a token and key; the head, 2 d V, only for the last token of each row."""
    d, layers = 32, 3
    each = layers * (24 * d * d + 4 * d * TOKENS)
    assert products(traced(GPT, "prefill", TOKENS)) == ROWS * (TOKENS * each + 2 * d * 256)


def test_a_token_takes_the_products_of_one_token() -> None:
    d, layers = 32, 3
    assert products(traced(GPT, "decode", TOKENS)) == ROWS * (layers * (24 * d * d + 4 * d * TOKENS) + 2 * d * 256)


def test_a_token_reads_all_weights_and_the_cache_once() -> None:
    """Beside them only the arrays of one token a row: here a twentieth, in models of real size a hundredth."""
    wide = GPT.model_copy(update={"hidden": 1024, "vocabulary": 8192, "context": 512})
    costs = traced(wide, "decode", 400)
    read = costs.parameter_bytes - 2 * (512 - ROWS) * 1024 + costs.cache_bytes  # few rows of the table of positions
    assert read < moved(costs) < 1.05 * read
    more = traced(wide, "decode", 500)
    assert moved(more) - moved(costs) == more.cache_bytes - costs.cache_bytes


@pytest.mark.parametrize(
    ("model", "numbers"),
    [
        (GPT, 3 * TOKENS * 2 * 32),  # layers, tokens, keys and values of the full width
        (LLAMA, 3 * TOKENS * 2 * 2 * 8),  # two heads of eight
        (WINDOW, 2 * (TOKENS + 16) * 2 * 2 * 8),  # every other layer keeps the last sixteen
        (MIXED, 3 * TOKENS * 2 * 2 * 8),
        (LATENT, 3 * TOKENS * (10 + 4)),  # one narrow vector for all heads
        (LSTM, 2 * 2 * 16),  # two layers, a hidden and a cell number each, whatever the tokens
    ],
    ids=["heads", "groups", "window", "mixture", "latent", "lstm"],
)
@pytest.mark.parametrize("step", ["prefill", "decode"])
def test_the_cache_holds_what_the_layers_look_back_at(model: ModelSpec, numbers: int, step: str) -> None:
    costs = traced(model, step, TOKENS)
    assert costs.cache_bytes == ROWS * numbers * 2
    assert not costs.warnings
    assert not costs.gradients
    assert {o.phase for o in costs.operations} == {"forward"}


def test_a_latent_cache_is_read_once_by_a_fused_kernel() -> None:
    """Keys of 14 numbers, of which 10 are the values: alone, each product reads its part."""
    operations = traced(LATENT, "decode", TOKENS).operations
    rows_bytes, width = ROWS * TOKENS * 2, 10 + 4
    scores, values = (
        next(o for o in operations if o.scope == "attention" and o.kind == "matmul" and size in o.shape[1:])
        for size in (width, 10)
    )
    queries, mixed = ROWS * 4 * width * 2, ROWS * 4 * 10 * 2  # four heads
    assert scores.bytes_fused == rows_bytes * width + queries
    assert values.bytes_fused == mixed
    assert values.bytes > mixed + rows_bytes * 10


@pytest.mark.parametrize(
    ("tokens", "expected"), [(1, 2.0), (2, 8 * (1 - 0.75**2)), (1000, 8.0)], ids=["one", "two", "many"]
)
def test_experts_that_tokens_meet(tokens: int, expected: float) -> None:
    """Two of eight: a token leaves out an expert with probability 3/4."""
    assert expected_experts(8, 2, tokens) == pytest.approx(expected, rel=1e-9)


def test_only_experts_that_are_met_are_read() -> None:
    """Three matrices of 32 x 48 numbers of 16 bits an expert; the rows read, and written, come on top."""
    for rows in (1, 3):
        grouped = [o for o in traced(MIXED, "decode", TOKENS, rows).operations if o.name == "ragged_dot_general"]
        weights = 3 * expected_experts(8, 2, rows) * 3 * 32 * 48 * 2  # layers, experts, matrices
        entering = sum(o.count * (2 * rows * (o.shape[2] + o.shape[3]) * 2 + 8 * 4) for o in grouped)
        assert sum(o.count * o.bytes for o in grouped) == pytest.approx(weights + entering, rel=1e-9)
        assert sum(o.count * o.flops for o in grouped) == 3 * 2 * rows * 6 * 32 * 48


def test_scores_take_the_products_of_the_forward_pass_and_the_moments_of_training() -> None:
    costs = traced(RESNET, "score")
    norms = 8 + 2 * 8 + (8 * 2) * 5  # stem; the block of stage one; two blocks and the shortcut of stage two
    assert costs.parameter_bytes == 2 * costs.parameters + 2 * norms * 4  # mean and variance of 32 bits
    assert costs.sample_bytes == RESNET.sample_bytes
    assert not any(o.kind == "reduce" and o.shape == (8,) for o in costs.operations)  # no moments of the batch


def test_what_cannot_be_done_is_refused() -> None:
    with pytest.raises(InputError, match="does not predict the token that follows"):
        traced(RESNET, "decode")
    with pytest.raises(InputError, match="at most 64, the learned positions"):
        traced(GPT, "prefill", 65)
    with pytest.raises(InputError, match="none: a sample to score"):
        traced(GPT, "score", 8)
    assert traced(LLAMA, "decode", 1000).cache_bytes == ROWS * 3 * 1000 * 2 * 2 * 8 * 2  # rotary positions never end
    assert size_of([jax.ShapeDtypeStruct((3,), "float32")]) == 12
