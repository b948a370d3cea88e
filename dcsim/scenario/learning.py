"""What an executed job learns from, how it is judged, and when it has learned enough."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from dcsim.scenario.base import Count, Factor, Flag, Fraction, PositiveNumber, Quantity, Value, wrong
from dcsim.scenario.datasets import DataName
from dcsim.scenario.smaller import Smaller
from dcsim.scenario.steps import Steps, count

_TARGETS: Final = ("loss", "validation_loss", "accuracy")


class RateSchedule(Value):
    """How the learning rate changes over the steps of the job: a linear warm-up to its value, then a decay."""

    kind: Literal["constant", "linear", "cosine", "exponential"] = "cosine"
    warmup: Steps | None = Field(None, description="steps over which the rate grows from zero; none unless given")
    final: Fraction = Field(0.1, description="rate at the last step over the highest; constant ignores it")

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.kind == "exponential" and self.final == 0.0:
            raise wrong("a ratio above zero, which an exponential can reach", found="0", at="final")
        return self

    @property
    def warmup_steps(self) -> int:
        """Steps of the warm-up."""
        return count(self.warmup) if self.warmup else 0


class Target(Value):
    """What an executed job is to reach; the time and energy at which it does are metrics. One of its keys is given."""

    loss: PositiveNumber | None = Field(None, description="mean training loss of a step, at most")
    validation_loss: PositiveNumber | None = Field(None, description="loss on held-out samples, at most")
    accuracy: Annotated[float, Quantity("ratio", positive=True, high=1.0)] | None = Field(
        None, description="share of held-out samples whose class is found, at least"
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in _TARGETS if getattr(self, name) is not None]
        if len(given) != 1:
            raise wrong(f"just one of {', '.join(_TARGETS)}")
        return self

    @property
    def held_out(self) -> bool:
        """Whether held-out samples tell if the target is reached."""
        return self.loss is None

    def reached(self, loss: float, accuracy: float | None) -> bool:
        """Return whether a loss, of a step or on held-out samples as the target asks, or an accuracy reaches it."""
        if self.accuracy is not None:
            return accuracy is not None and accuracy >= self.accuracy
        return loss <= (self.loss or self.validation_loss or 0.0)


class Validate(Value):
    """Hold samples out of training and look now and then how well the model does on them."""

    every: Steps
    share: Annotated[float, Quantity("ratio", positive=True, high=0.9)] = Field(
        0.2, description="share of the data set that is held out"
    )

    @property
    def steps(self) -> int:
        """Steps between two looks."""
        return count(self.every)


class Stop(Value):
    """When a job ends before its last step."""

    patience: Count | None = Field(None, description="looks at held-out samples in a row that brought no lower loss")
    improvement: Factor = Field(0.0, description="how much lower, as a share of the lowest loss, counts as lower")
    at_target: Flag = Field(False, description="end when the target is reached")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.patience is None and not self.at_target:
            raise wrong("patience, at_target: true, or both")
        return self


class Execute(Value):
    """Run the real math of the job on real data while it is simulated."""

    data: DataName = Field(description="the data set; all but python-docs need the extra dcsim[data]")
    validate_: Validate | None = Field(None, alias="validate", description="how often the model is judged, and on what")
    target: Target | None = None
    stop: Stop | None = Field(None, description="when the job ends before its last step")
    smaller: tuple[Smaller, ...] = Field(
        (), description="forms of the trained model for serving: bf16, int8, pruned, without units, distilled"
    )

    @model_validator(mode="after")
    def _judged(self) -> Self:
        if self.target is not None and self.target.held_out and self.validate_ is None:
            rule = "the key validate too, since held-out samples tell when the target is reached"
            raise wrong(rule, found="a target without it", at="target")
        if self.stop is not None and self.stop.patience is not None and self.validate_ is None:
            raise wrong("the key validate too, whose looks it counts", found="patience without it", at="stop.patience")
        if self.smaller and self.validate_ is None:
            raise wrong("the key validate too, whose samples judge the forms", found="smaller without it", at="smaller")
        if self.stop is not None and self.stop.at_target and self.target is None:
            raise wrong("the key target too", found="true without it", at="stop.at_target")
        return self

    @property
    def looks_each_step(self) -> bool:
        """Whether every step may be the last, because its training loss may reach the target."""
        return self.stop is not None and self.stop.at_target and self.target is not None and not self.target.held_out
