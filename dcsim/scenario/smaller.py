"""Smaller forms of a trained model, for serving: fewer bits, fewer weights, or a student."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, Tag, model_validator

from dcsim.scenario.base import Count, Fraction, PositiveNumber, Quantity, Value, wrong
from dcsim.scenario.kinds import BARE, by_kind
from dcsim.scenario.models import ModelSpec
from dcsim.scenario.steps import Steps, count
from dcsim.scenario.transformers import Attending, Decoder

STUDENTS = ("mlp", "cnn", "vision")
"""Families that learn from a teacher, and that teach: those that tell one class a sample, without batch norm."""

UNITS = ("mlp", "cnn", "transformer", "encoder", "vision")
"""Families of whose layers whole units can be taken out."""
WITH_UNITS = f"a model of a family of {', '.join(UNITS)}; transformers without shared keys, ALiBi, windows or sinks"


def has_units(model: ModelSpec) -> bool:
    """Return whether whole units can be taken out of a model.

    Every head of a transformer has to have keys of its own and no place among others that its slope or sink follows.
    """
    if model.family not in UNITS:
        return False
    if not isinstance(model, Attending):
        return True
    alone = model.latent is None and model.groups_of_keys == model.heads and model.positions != "alibi"
    return alone and not (isinstance(model, Decoder) and (model.sinks or model.window is not None))


class Cast(Value):
    """Weights and products in another format: bf16 by rounding, int8 with a scale a row and a column of products."""

    kind: Literal["bf16", "int8"]


class Prune(Value):
    """Set the weights of least magnitude to zero, or take whole units out, without training again."""

    kind: Literal["prune"]
    share: Annotated[float, Quantity("ratio", positive=True, high=0.99)] | None = Field(
        None, description="share of all weights of matrices that goes, or of units; not with the pattern 2:4"
    )
    pattern: Literal["any", "2:4", "units"] = Field(
        "any",
        description="any: the least weights wherever they are; 2:4 leaves the two largest of every four inputs; "
        "units takes out whole neurons, channels and heads, so that kernels are smaller",
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.share is None) == (self.pattern != "2:4"):
            raise wrong("a share, or the pattern 2:4, which is half of the weights", at="share")
        return self


class Distil(Value):
    """Train a smaller model on what the trained one says of the data, and on the labels."""

    kind: Literal["distil"]
    model: ModelSpec = Field(description="the student")
    steps: Steps
    batch: Count = Field(64, description="samples a step")
    temperature: PositiveNumber = Field(2.0, description="by which the logits of both are divided")
    weight: Fraction = Field(0.7, description="share of the teacher in the loss; the rest is that of the labels")

    @model_validator(mode="after")
    def _learns(self) -> Self:
        if self.model.family not in STUDENTS:
            raise wrong(f"one of {', '.join(STUDENTS)}", f'"{self.model.family}"', "model.family")
        return self

    @property
    def count(self) -> int:
        """Steps of the student's training."""
        return count(self.steps)


SmallerSpec = Cast | Prune | Distil
Smaller = Annotated[
    Annotated[Literal["bf16", "int8"], Tag(BARE)]
    | Annotated[Cast, Tag("Cast")]
    | Annotated[Prune, Tag("Prune")]
    | Annotated[Distil, Tag("Distil")],
    by_kind({"bf16": "Cast", "int8": "Cast", "prune": "Prune", "distil": "Distil"}, "{kind: prune, share: 50 %}"),
]


def described(smaller: Smaller) -> SmallerSpec:
    """Return a form with its defaults: a bare name stands for a block with nothing but its kind."""
    return Cast(kind=smaller) if isinstance(smaller, str) else smaller


def name_of(smaller: SmallerSpec) -> str:
    """Return what to call a form in a table."""
    match smaller:
        case Prune(pattern="2:4"):
            return "pruned 2:4"
        case Prune(pattern="units", share=float(share)):
            return f"{100 * share:g} % of units out"
        case Prune(share=float(share)):
            return f"pruned {100 * share:g} %"
        case Distil(model=model):
            return f"distilled to {model.family}"
    return smaller.kind
