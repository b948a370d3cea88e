"""How a job is run again and again with other settings until good ones are found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from dcsim.scenario.base import Count, Flag, Value, Whole, wrong

Method = Literal["grid", "random", "bayesian"]
Pruning = Literal["median", "successive-halving", "hyperband"]
_MOST: Final = 10_000


class Range(Value):
    """Numbers between two limits, both included; even by their logarithm if ``log``."""

    low: Annotated[float, Field(alias="from", allow_inf_nan=False)]
    high: Annotated[float, Field(alias="to", allow_inf_nan=False)]
    log: Flag = False
    whole: Flag = Field(False, description="whole numbers only")
    points: Annotated[int, Whole(2, _MOST)] | None = Field(None, description="values of a grid, evenly spaced")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low < self.high:
            raise wrong(f"a number above {self.low:g}", f"{self.high:g}", "to")
        if self.log and self.low <= 0.0:
            raise wrong("a number above zero, which has a logarithm", f"{self.low:g}", "from")
        if self.whole and (self.low % 1 or self.high % 1):
            raise wrong("two whole numbers", f"{self.low:g} to {self.high:g}", "from")
        return self

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the largest value, whole where the range is."""
        return (int(self.low), int(self.high)) if self.whole else (self.low, self.high)

    @property
    def grid(self) -> tuple[float, ...]:
        """The values of a grid."""
        count = self.points or 2
        shares = [place / (count - 1) for place in range(count)]
        if self.log:
            values = [self.low * (self.high / self.low) ** share for share in shares]
        else:
            values = [self.low + (self.high - self.low) * share for share in shares]
        values[-1] = self.high
        return tuple(dict.fromkeys(map(round, values))) if self.whole else tuple(values)


Choices = tuple[Any, ...]


class Search(Value):
    """Trials of a job with settings from a space: each is a job of its own on the cluster."""

    method: Method = "bayesian"
    space: Annotated[dict[str, Range | Choices], Field(min_length=1)] = Field(
        description="values by dotted path in the job: a list of choices, or a block such as {from: 1e-4, to: 0.1}"
    )
    trials: Count | None = Field(None, description="how many; a grid takes all its points unless given")
    at_once: Count = Field(1, description="trials on the cluster at a time, as far as it has room")
    score: Literal["validation_loss", "accuracy"] = Field(
        "validation_loss", description="what a trial is judged by: its last look at held-out samples"
    )
    prune: Pruning | None = Field(None, description="how trials that do not promise much are ended early")
    after: Count = Field(1, description="looks at held-out samples before a trial may be pruned")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.method == "grid":
            for path, values in self.space.items():
                if isinstance(values, Range) and values.points is None:
                    raise wrong("a number of points, which a grid needs", "a range without it", f"space.{path}")
        elif self.trials is None:
            raise wrong(f"the key trials, since the method {self.method} has no end of its own", at="trials")
        for path, values in self.space.items():
            if not isinstance(values, Range) and not values:
                raise wrong("at least one choice", "an empty list", f"space.{path}")
        return self

    @property
    def maximize(self) -> bool:
        """Whether a higher score is better."""
        return self.score == "accuracy"

    def values(self, path: str) -> tuple[Any, ...]:
        """Return the choices of ``path``, or the limits of its range: what must be allowed in the job."""
        found = self.space[path]
        return found.limits if isinstance(found, Range) else found

    def grid(self, path: str) -> tuple[Any, ...]:
        """Return the values that a grid has for ``path``."""
        found = self.space[path]
        return found.grid if isinstance(found, Range) else found

    @property
    def count(self) -> int:
        """The most trials there will be."""
        points = 1
        for path in self.space:
            points *= len(self.grid(path))
        if self.method == "grid":
            return points if self.trials is None else min(points, self.trials)
        return self.trials or 1


def put(data: dict[str, Any], settings: Mapping[str, Any]) -> str | None:
    """Change the values of ``data`` at the dotted paths of ``settings``; return a path that leads nowhere, if any."""
    for path, value in settings.items():
        *parents, last = path.split(".")
        inner: Any = data
        for step in parents:
            inner = inner.get(step) if isinstance(inner, dict) else None
        if not isinstance(inner, dict):
            return path
        inner[last] = value
    return None
