"""What was published of a job, to be told beside what is predicted."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from dcsim.scenario.base import FlopRate, Fraction, PositiveDuration, Value, wrong

Text = Annotated[str, Field(strict=True, min_length=1)]

METRICS = ("step_time", "mfu", "flop_rate")
"""Keys of a measurement that are metrics of a job."""


class Measured(Value):
    """Figures that one source states of a run of this job on such a cluster; nothing is fitted to them here."""

    source: Text = Field(description="where the figures stand, such as a paper and its table")
    step_time: PositiveDuration | None = Field(None, description="time of a training step")
    mfu: Fraction | None = Field(None, description="FLOPs of the model over the peak of all accelerators")
    flop_rate: FlopRate | None = Field(None, description="FLOPs of the model of an accelerator in a second")

    @model_validator(mode="after")
    def _states_something(self) -> Self:
        if not self.figures:
            raise wrong("a figure too: step_time, mfu or flop_rate")
        return self

    @property
    def figures(self) -> dict[str, float]:
        """The figures that are given, by metric [SI]."""
        found = {name: getattr(self, name) for name in METRICS}
        return {name: value for name, value in found.items() if value is not None}
