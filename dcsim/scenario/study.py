"""A study file: a base scenario, the axes along which it varies, and what to keep of every point."""

from __future__ import annotations

import re
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from dcsim import units
from dcsim.errors import Problem, ScenarioError, UnitError
from dcsim.scenario.base import Count, Value, Whole, wrong
from dcsim.scenario.file import read
from dcsim.scenario.load import Loaded, load
from dcsim.scenario.names import Name
from dcsim.scenario.positions import Positions
from dcsim.scenario.replications import Replications

Scalar = str | int | float | bool | None
Method = Literal["sobol", "latin-hypercube", "random"]
_CONSTRAINT: Final = re.compile(r"\s*([A-Za-z0-9_.*-]+)\s*(<=|>=|<|>)\s*(.+?)\s*")
_EXAMPLE: Final = '"site.power_peak <= 1 MW"'


class Axis(Value):
    """The values of one path of the scenario: listed, or from one bound to the other."""

    values: tuple[Any, ...] = Field((), description="the values themselves; a plain list says the same")
    range: tuple[Scalar, Scalar] | None = Field(None, description="bounds of evenly spaced values")
    log: tuple[Scalar, Scalar] | None = Field(None, description="bounds of values evenly spaced in their logarithm")
    log2: tuple[Scalar, Scalar] | None = Field(None, description="bounds of values each twice the one before")
    points: Count | None = Field(None, description="how many values between the bounds, both included")
    step: Annotated[float, Field(gt=0)] | None = Field(None, description="distance of neighbors, in the bounds' unit")

    @model_validator(mode="before")
    @classmethod
    def _listed(cls, found: Any) -> Any:
        return {"values": found} if isinstance(found, list | tuple) else found

    @model_validator(mode="after")
    def _one_way(self) -> Axis:
        ways = [name for name in ("range", "log", "log2") if getattr(self, name) is not None]
        if len(ways) + bool(self.values) != 1:
            raise wrong("a list with at least one value, or one of range: [low, high], log: [...], log2: [...]")
        if self.step is not None and (ways != ["range"] or self.points is not None):
            raise wrong("step with range only, and not together with points")
        if self.points is not None and ways not in (["range"], ["log"]):
            raise wrong("points with range or log only")
        return self


class Combine(Value):
    """How the axes make points: every combination, one after the other side by side, or a sample of the space."""

    how: Literal["product", "zip"] = Field(
        "product", description="every combination, or the first values of all axes, then the second ones, and on"
    )
    zip: tuple[tuple[str, ...], ...] = Field((), description="groups of axes that move together; all else multiplies")
    sample: Method | None = Field(
        None, description="how points are drawn between the bounds of the axes; not unless given"
    )
    points: Count | None = Field(None, description="size of the sample")
    seed: Annotated[int, Whole(0, 2**32 - 1)] = Field(
        0, description="of what is drawn; the points are the same for the same seed"
    )

    @model_validator(mode="before")
    @classmethod
    def _word(cls, found: Any) -> Any:
        return {"how": found} if isinstance(found, str) else found

    @model_validator(mode="after")
    def _whole(self) -> Combine:
        if (self.sample is None) != (self.points is None):
            raise wrong("sample and points together, such as {sample: sobol, points: 256}")
        return self


@dataclass(frozen=True, slots=True)
class Constraint:
    """``name`` of a metric or an axis, compared with a bound [SI]."""

    name: str
    relation: str
    bound: float
    text: str

    def met(self, value: float) -> bool:
        """Return whether ``value`` [SI] keeps it."""
        below = value < self.bound if "<" in self.relation else value > self.bound
        return below or ("=" in self.relation and value == self.bound)


def constraint(text: str) -> Constraint:
    """Read ``NAME <= QUANTITY``.

    Raises
    ------
    ValueError
        If it is none.
    """
    match = _CONSTRAINT.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return Constraint(match[1], match[2], quantity(match[3]), text)


def quantity(text: str) -> float:
    """Return a number, or a quantity of any dimension [SI].

    Raises
    ------
    ValueError
        If it is neither.
    """
    try:
        return float(text)
    except ValueError:
        pass
    for dimension in units.dimensions():
        try:
            return units.parse(text, dimension)
        except UnitError:
            continue
    raise ValueError(text)


def _constraint(found: Any) -> str:
    try:
        return constraint(found).text
    except (TypeError, ValueError):
        raise wrong(f"a metric or an axis, a relation and a bound with its unit, such as {_EXAMPLE}") from None


class Prune(Value):
    """Drop candidates early, by what they do over shorter horizons than the base scenario's."""

    path: str = Field(description="what makes a run shorter, such as jobs.pretrain.steps")
    values: tuple[Scalar, ...] = Field(min_length=1, description="its values, the shortest horizon first")


class Search(Value):
    """How dcsim optimize looks for the best points."""

    trials: Count = Field(100, description="candidates to look at in all")
    batch: Count = Field(8, description="candidates chosen at once, whatever the number of processes")
    sampler: Literal["tpe", "nsga2", "random"] = Field(
        "tpe", description="of Optuna: Bayesian by tree-structured Parzen estimators, genetic, or at random"
    )
    seed: Annotated[int, Whole(0, 2**32 - 1)] = Field(
        0, description="of what is drawn; the points are the same for the same seed"
    )
    prune: Prune | None = Field(None, description="drop poor candidates after short runs; none unless given")


class Sensitivity(Value):
    """How dcsim sensitivity samples the space between the bounds."""

    method: Literal["morris", "sobol"] = Field(
        "morris", description="of SALib: screening with few points, or shares of the variance with intervals"
    )
    samples: Count = Field(16, description="trajectories of morris, a power of two of base samples for sobol")
    seed: Annotated[int, Whole(0, 2**32 - 1)] = Field(
        0, description="of what is drawn; the points are the same for the same seed"
    )


class Study(Value):
    """A question asked many times."""

    dcsim: Literal[1] = Field(description="version of this format")
    study: Name = Field(description="name of the study")
    base: str = Field(description="the scenario that is varied, relative to this file")
    axes: dict[str, Axis] = Field(min_length=1, description="values by path of the scenario, as in --set")
    combine: Combine = Field(Combine(), description="how the values of the axes make points")
    replications: Replications = Field(Replications(), description="how often each point is simulated")
    keep: tuple[str, ...] = Field(("*",), min_length=1, description="metrics to keep, * for any text")
    objectives: dict[str, Literal["minimize", "maximize"]] = Field({}, description="what dcsim optimize is after")
    constraints: tuple[Annotated[str, BeforeValidator(_constraint)], ...] = Field(
        (), description="what a point must keep: a metric after its run, an axis before it"
    )
    search: Search = Field(Search(), description="how dcsim optimize looks for the best points")
    sensitivity: Sensitivity = Field(Sensitivity(), description="how dcsim sensitivity samples the axes")
    limit: Count = Field(10_000, description="more points than this need --yes")
    outputs: tuple[Literal["csv", "runs"], ...] = Field(
        (), description="also points.csv; also the run folder of every point"
    )

    @property
    def bounds(self) -> tuple[Constraint, ...]:
        """The constraints, read."""
        return tuple(constraint(text) for text in self.constraints)


@dataclass(frozen=True)
class LoadedStudy:
    """A study, its base scenario, and where it stands."""

    study: Study
    base: Loaded
    path: Path
    positions: Positions

    def problem(self, path: str, found: str, expected: str, suggestion: str = "") -> Problem:
        """Return a problem at a dotted path of the study file."""
        return self.positions.problem(path, found, expected, suggestion)


def load_study(path: str | PathLike[str]) -> LoadedStudy:
    """Read a study file and its base scenario.

    Raises
    ------
    ScenarioError
        With every problem of the study file, else of the base scenario.
    """
    path = Path(path)
    study, positions = read(Study, path)
    problems = _relations(study, positions)
    if problems:
        raise ScenarioError(problems)
    return LoadedStudy(study, load(path.parent / study.base), path, positions)


def _relations(study: Study, positions: Positions) -> list[Problem]:
    """What no key shows alone: zipped names that are axes."""
    zipped = [name for group in study.combine.zip for name in group]
    strange = [name for name in zipped if name not in study.axes]
    expected = f"axes of this study, each in one group: {', '.join(study.axes)}"
    twice = [name for name in dict.fromkeys(zipped) if zipped.count(name) > 1]
    return [positions.problem("combine.zip", f'"{name}"', expected) for name in [*strange, *twice]]
