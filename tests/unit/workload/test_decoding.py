"""The line of decoding costs over the length of the sequences, against traces that it was not drawn through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dcsim.errors import InputError
from dcsim.scenario.inference import Inference
from dcsim.scenario.models import LstmModel, MixtureModel, MlpModel, TransformerModel
from dcsim.workload.costs import inference_costs
from dcsim.workload.decoding import decode_costs

GPT = TransformerModel(family="transformer", layers=2, hidden=32, heads=4, context=300, vocabulary=64)
LLAMA = TransformerModel.model_validate(GPT.model_dump() | {"positions": "rotary", "key_value_heads": 2, "norm": "rms"})
MODELS: dict[str, Any] = {
    "gpt": GPT,
    "llama": LLAMA,
    "window": LLAMA.model_copy(update={"window": 16, "sinks": True}),
    "latent mixture": MixtureModel.model_validate(
        LLAMA.model_dump()
        | {
            "family": "mixture", "experts": 4, "chosen": 2, "key_value_heads": None,
            "latent": {"queries": 12, "cached": 10, "plain": 8, "rotary": 4, "values": 8},
        }
    ),
    "lstm": LstmModel(family="lstm", vocabulary=50, embedding=8, hidden=8, layers=2, context=9),
}  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCSIM_CACHE", str(tmp_path))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("tokens", [37, 211])
def test_between_and_beyond_its_ends_the_line_is_the_trace(name: str, tokens: int) -> None:
    line = decode_costs(MODELS[name], "bf16", 3)
    traced = inference_costs(MODELS[name], "bf16", Inference(step="decode", tokens=tokens), 3)
    assert line.cache_bytes(tokens) == pytest.approx(traced.cache_bytes, rel=1e-12)
    assert line.parameter_bytes == traced.parameter_bytes
    found = line.operations(tokens)
    assert [(o.name, o.shape, o.count) for o in found] == [(o.name, o.shape, o.count) for o in traced.operations]
    for one, other in zip(found, traced.operations, strict=True):
        assert (one.flops, one.bytes, one.bytes_fused) == pytest.approx((other.flops, other.bytes, other.bytes_fused))


def test_unequal_sequences_cost_what_their_mean_costs() -> None:
    """Rows of 100 and 200 tokens: the mean of what two rows of each cost."""
    line = decode_costs(GPT, "bf16", 2)

    def flops(tokens: float) -> float:
        return sum(o.flops * o.count for o in line.operations(tokens))

    assert flops(150) == pytest.approx((flops(100) + flops(200)) / 2, rel=1e-12)


def test_below_a_window_there_is_no_line() -> None:
    line = decode_costs(MODELS["window"], "bf16", 1)
    with pytest.raises(InputError, match="at least 16"):
        line.operations(15)
    with pytest.raises(InputError, match="does not predict"):
        decode_costs(MlpModel(family="mlp", inputs=8, hidden=(4,), classes=2), "bf16", 1)
