"""How weights follow from gradients: the optimizer, its rate and schedule, clipping, and penalties."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dcsim.scenario.base import Factor, PositiveNumber, Quantity, Value, wrong
from dcsim.scenario.learning import RateSchedule

OptimizerName = Literal["gradient-descent", "sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw"]


class Rule(Value):
    """What is done with a gradient whatever the rate: all of an optimizer that decides what an update costs."""

    name: OptimizerName = Field(
        "adamw", description="gradient-descent is sgd by its other name: it takes the whole data set as one batch"
    )
    momentum: Annotated[float, Quantity("ratio", low=0.0, high=0.9999)] = Field(
        0.9, description="share of the last change that stays, for momentum and nesterov"
    )
    weight_decay: Factor | None = Field(None, description="of adamw; that of Optax, 1e-4, unless given")
    clip: PositiveNumber | None = Field(
        None, description="largest norm of the whole gradient, which is scaled down to it"
    )
    l2: Factor = Field(0.0, description="L2 penalty: this share of the weights is added to the gradient")

    @model_validator(mode="after")
    def _decays(self) -> Self:
        if self.weight_decay is not None and self.name != "adamw":
            raise wrong('the optimizer adamw, or "l2" in its place', f'"{self.name}"', "name")
        return self


class Optimizer(Rule):
    """Which Optax optimizer updates the weights."""

    learning_rate: PositiveNumber = 3e-4
    schedule: RateSchedule | None = Field(None, description="how the learning rate changes; it is constant unless set")

    @property
    def rule(self) -> Rule:
        """The optimizer without its rate."""
        return Rule.model_validate({name: getattr(self, name) for name in Rule.model_fields})
