"""What a job may say beside the key inference, and what it asks of its model."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from dcsim.catalogue.shelf import Shelf
from dcsim.scenario.inference import Inference, refused
from dcsim.scenario.workload import Job

SERVING: dict[str, Any] = {
    "name": "tokens", "model": "llama2-7b", "inference": {"step": "decode", "tokens": 512},
    "batch": {"global": 8, "micro": 4}, "parallel": {"data": 2}, "steps": 10,
}  # fmt: skip


def test_a_job_that_serves_is_read() -> None:
    job = Job.model_validate(SERVING)
    assert job.inference == Inference(step="decode", tokens=512)
    assert Job.model_validate({**SERVING, "inference": None}).inference is None


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"checkpoint": {"every": "5 steps"}}, "checkpoint"),
        ({"execute": {"data": "python-docs"}}, "execute"),
        ({"parallel": {"data": 2, "reduce": "tree"}}, "parallel.reduce"),
        ({"parallel": {"data": 2, "compression": {"kind": "int8"}}}, "parallel.compression"),
        ({"model": {"function": "my_model:step", "arguments": {"x": "float32[2]"}}}, "model.function"),
        ({"inference": {"step": "write"}}, "'score', 'prefill' or 'decode'"),
        ({"inference": {"step": "decode", "tokens": 0}}, "tokens"),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_what_belongs_to_training_is_refused(change: dict[str, Any], at: str) -> None:
    with pytest.raises(ValidationError) as found:
        Job.model_validate(SERVING | change)
    told = [*found.value.errors(include_url=False)]
    assert any(at in (*map(str, error["loc"]), str(error.get("ctx", {}).get("at")), error["msg"]) or at in error["msg"]
               for error in told)  # fmt: skip


@pytest.mark.parametrize(
    ("model", "step", "tokens", "at"),
    [
        ("llama2-7b", "decode", 100_000, None),
        ("gpt2-small", "prefill", 1024, None),
        ("lstm-ptb-large", "decode", None, None),
        ("bert-base", "score", None, None),
        ("bert-base", "score", 512, None),
        ("gpt2-small", "prefill", 1025, "tokens"),
        ("resnet-50", "decode", None, "step"),
        ("lstm-imdb", "prefill", None, "step"),
        ("bert-base", "score", 128, "tokens"),
    ],
)
def test_what_a_model_cannot_do(model: str, step: Any, tokens: int | None, at: str | None) -> None:
    problem = refused(Shelf().model(model), Inference(step=step, tokens=tokens))
    assert (problem and problem.at) == at
