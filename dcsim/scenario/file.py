"""Read a file that holds one value, such as a study: validated, or every problem with its line."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from dcsim.errors import Problem, ScenarioError
from dcsim.scenario import explain
from dcsim.scenario.base import Value
from dcsim.scenario.document import parse, read_text
from dcsim.scenario.positions import Positions

V = TypeVar("V", bound=Value)


def read(model: type[V], path: Path) -> tuple[V, Positions]:
    """Return the value in a file, and where its keys stand.

    Raises
    ------
    ScenarioError
        With every problem of the file.
    """
    problems: list[Problem] = []
    positions = Positions(parse(read_text(path, str(path)), str(path), problems))
    try:
        value = model.model_validate(positions.root.plain())
    except ValidationError as error:
        raise ScenarioError([*problems, *explain.problems(error, model, positions)]) from None
    if problems:
        raise ScenarioError(problems)
    return value, positions
