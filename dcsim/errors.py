"""What can go wrong, as one tree.

DcsimError
├── UnitError          a quantity without a unit, with an unknown one, or of the wrong dimension
├── InputError         the input is wrong: exit status 2, nothing written
│   └── ScenarioError  every problem of one phase of loading, each with file and line
│       └── CodeRefusedError  the scenario names code of the user's own, and nobody allowed to execute it
└── RunError           the run failed: exit status 1
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class DcsimError(Exception):
    """Anything dcsim reports by itself."""


class UnitError(DcsimError):
    """A quantity that could not be read; ``expected`` says what to write instead."""

    def __init__(self, found: object, expected: str) -> None:
        super().__init__(f"found {found!r}, expected {expected}")
        self.found, self.expected = found, expected


class InputError(DcsimError):
    """The input is wrong."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a file; ``line`` is None where no line can be named."""

    file: str
    line: int | None
    path: str
    found: str
    expected: str
    suggestion: str = ""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        subject = f"{self.path}: " if self.path else ""
        hint = f"; {self.suggestion}" if self.suggestion else ""
        return f"{place}: {subject}found {self.found}, expected {self.expected}{hint}"


class ScenarioError(InputError):
    """All problems of one phase of loading a scenario."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


class CodeRefusedError(ScenarioError):
    """Code of the user's own is not executed unasked."""


class RunError(DcsimError):
    """The simulation could not be finished."""
