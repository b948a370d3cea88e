"""Read a scenario: files, includes and settings to one validated value, or every problem with its line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from pydantic import ValidationError

from dcsim.errors import Problem, ScenarioError
from dcsim.scenario import explain, relations, settings
from dcsim.scenario.document import Node, from_plain
from dcsim.scenario.dump import digest_input, dump
from dcsim.scenario.include import Reader
from dcsim.scenario.positions import Positions
from dcsim.scenario.root import Scenario
from dcsim.scenario.schema import json_schema

__all__ = ["Loaded", "digest_input", "dump", "json_schema", "load", "located"]


@dataclass(frozen=True)
class Loaded:
    """A scenario and where it came from.

    Attributes
    ----------
    scenario
        The validated scenario.
    path
        The file it was read from.
    files
        Every file read, included ones before those that include them.
    positions
        Where each value stands in those files.
    """

    scenario: Scenario
    path: Path
    files: tuple[Path, ...]
    positions: Positions

    @property
    def folder(self) -> Path:
        """The folder to which other files of the scenario are relative."""
        return self.path.parent

    def problem(self, path: str, found: str, expected: str, suggestion: str = "") -> Problem:
        """Return a problem at a dotted path such as ``jobs.pretrain.parallel.data``, at the line of what is there."""
        return self.positions.problem(path, found, expected, suggestion)

    def replace(
        self, changes: Mapping[str, object] | Sequence[str] = (), origin: str = "--set", **named: object
    ) -> Loaded:
        """Return this scenario with some values changed.

        Parameters
        ----------
        changes
            Values by dotted path, or texts ``"PATH=VALUE"``.
        origin
            What problems name in place of a file.
        named
            Values by path with two underscores in place of each dot: ``jobs__pretrain__steps=200``. They are put in
            place after ``changes``.

        Raises
        ------
        ScenarioError
            If a path does not exist or the scenario is no longer valid.
        """
        if isinstance(changes, Mapping):
            parsed = [(path, from_plain(value, origin)) for path, value in changes.items()]
        else:
            parsed = settings.read(changes, origin)
        parsed += [(name.replace("__", "."), from_plain(value, "replace")) for name, value in named.items()]
        return _validated(settings.apply(self.positions.root, parsed), self.path, self.files, [])


def located(scenario: Scenario, folder: str | PathLike[str] = "") -> Loaded:
    """Return a scenario that is at hand as a value, as if it had been read from a file in ``folder``.

    Files that it names, such as a climate's, are looked for there; the current folder unless given.
    """
    path = Path(folder) / f"{scenario.name}.yaml"
    return Loaded(scenario, path, (), Positions(from_plain(digest_input(scenario), "scenario")))


def load(path: str | PathLike[str], changes: Sequence[str] = (), seed: int | None = None) -> Loaded:
    """Read a scenario file and all that it includes.

    Parameters
    ----------
    path
        The YAML file.
    changes
        Settings ``"PATH=VALUE"``, as in ``dcsim run --set``; list items go by their name.
    seed
        Replaces the seed of the file.

    Raises
    ------
    ScenarioError
        With every problem of the schema phase, each with its file and line.
    """
    wanted = settings.read(changes)
    if seed is not None:
        wanted.append(("seed", from_plain(seed, "--seed")))
    reader = Reader()
    root = reader.read(Path(path))
    return _validated(settings.apply(root, wanted), Path(path), tuple(reader.files), reader.problems)


def _validated(root: Node, path: Path, files: tuple[Path, ...], problems: list[Problem]) -> Loaded:
    positions = Positions(root)
    known = {(problem.file, problem.line) for problem in problems}
    found, scenario = relations.problems(positions, path.parent), None
    try:
        scenario = Scenario.model_validate(root.plain())
    except ValidationError as error:
        found += explain.problems(error, Scenario, positions)
    # A line that the reader already refused carries no value, so what validation says of it is noise.
    problems = [*problems, *(problem for problem in found if (problem.file, problem.line) not in known)]
    if problems or scenario is None:
        order = {str(file): rank for rank, file in enumerate(reversed(files))}
        raise ScenarioError(sorted(problems, key=lambda each: (order.get(each.file, len(order)), each.line or 0)))
    return Loaded(scenario, path, files, positions)
