"""What a trained model is asked for when it serves: to score a batch, to read prompts, or to write one more token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dcsim.scenario.base import Count, Value

if TYPE_CHECKING:
    from dcsim.scenario.models import ModelSpec


class Inference(Value):
    """One step of a model that serves; a batch takes as many samples at once as ``batch.micro`` says."""

    step: Literal["score", "prefill", "decode"] = Field(
        description="score a batch; read prompts into the cache of keys and values; or write one more token of each"
    )
    tokens: Count | None = Field(
        None,
        description="of a prompt, or of a sequence with its newest token; the model's context unless given",
    )


@dataclass(frozen=True, slots=True)
class Impossible:
    """A key of the block that asks for what the model cannot do."""

    at: str
    found: str
    expected: str


def refused(model: ModelSpec, inference: Inference) -> Impossible | None:
    """Say why ``model`` cannot do what is asked, None if it can."""
    context = getattr(model, "context", None)
    if inference.step == "score":
        if inference.tokens in (None, context):
            return None
        return Impossible("tokens", str(inference.tokens), "none: a sample to score is as long as the model's context")
    if not writes(model):
        return Impossible("step", f'"{inference.step}"', "score: the model does not predict the token that follows")
    ends = getattr(model, "positions", "") == "learned"
    if ends and context is not None and (inference.tokens or 0) > context:
        return Impossible("tokens", str(inference.tokens), f"at most {context}, the learned positions of the model")
    return None


def writes(model: ModelSpec) -> bool:
    """Whether a model predicts the token that follows."""
    return model.family in ("transformer", "mixture") or (model.family == "lstm" and model.classes is None)
