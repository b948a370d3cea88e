"""A comparison file: variants of one base scenario, by name."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from dcsim.errors import Problem, ScenarioError
from dcsim.scenario.base import Value, Whole
from dcsim.scenario.document import says
from dcsim.scenario.file import read
from dcsim.scenario.load import Loaded, load
from dcsim.scenario.names import Name


class Variants(Value):
    """Several answers to one question."""

    dcsim: Literal[1] = Field(description="version of this format")
    comparison: Name = Field(description="name of the comparison")
    base: str = Field(description="the scenario that is varied, relative to this file")
    variants: dict[str, dict[str, Any]] = Field(
        min_length=2, description="what each variant sets, by path as in --set; nothing is the base itself"
    )
    replications: Annotated[int, Whole(1, 10_000)] | None = Field(
        None, description="runs of each variant; as many as the base scenario says unless given"
    )
    objectives: dict[str, Literal["minimize", "maximize"]] = Field({}, description="what to choose by")


def is_comparison(path: str | PathLike[str]) -> bool:
    """Return whether a file says that it is a comparison; one that cannot be read is none."""
    return says(path, "comparison")


def load_comparison(path: str | PathLike[str]) -> tuple[Variants, list[tuple[str, Loaded]]]:
    """Read a comparison file; return it, and each variant's name and scenario.

    Raises
    ------
    ScenarioError
        With every problem of the file, else of the base scenario, else of all variants.
    """
    path, problems = Path(path), list[Problem]()
    found, _ = read(Variants, path)
    base, scenarios = load(path.parent / found.base), []
    for name, changes in found.variants.items():
        try:
            scenarios.append((name, base.replace(changes, f"{path}: {name}") if changes else base))
        except ScenarioError as error:
            problems += error.problems
    if problems:
        raise ScenarioError(problems)
    return found, scenarios
