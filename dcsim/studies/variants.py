"""Variants of a scenario: the same question with some of its keys set to several values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from dcsim.errors import InputError, Problem, ScenarioError

if TYPE_CHECKING:
    from dcsim.scenario.load import Loaded

_OPENING, _CLOSING, _QUOTES = "[{", "]}", "\"'"


@dataclass(frozen=True)
class Axis:
    """One key of the scenario file and the values it takes, each as it would be written in the file."""

    path: str
    values: tuple[str, ...]

    @property
    def word(self) -> str:
        """The last part of the path, which is what a table has room for."""
        return self.path.rpartition(".")[2]


def axis(text: str) -> Axis:
    """Read ``PATH=a,b,c``; commas inside quotes and brackets belong to a value.

    Raises
    ------
    InputError
        If there is no path, no value, or an empty one.
    """
    path, equals, rest = text.partition("=")
    values = tuple(value.strip() for value in _split(rest))
    if not equals or not path.strip() or not all(values):
        raise InputError(
            f'--vary: found "{text}", expected PATH=VALUE,VALUE,... such as cluster.network.oversubscription=1,2,4'
        )
    return Axis(path.strip(), values)


def vary(loaded: Loaded, axes: Sequence[str]) -> list[tuple[str, Loaded]]:
    """Return a label and a scenario for every combination of the axes' values, the last axis fastest.

    Without axes it is the scenario itself, labelled by its name.

    Raises
    ------
    InputError
        If an axis cannot be read or a path is given twice.
    ScenarioError
        With the problems of all variants.
    """
    read = [axis(text) for text in axes]
    if not read:
        return [(loaded.scenario.name, loaded)]
    paths = [one.path for one in read]
    if len(set(paths)) < len(paths):
        raise InputError(f"--vary: found one path twice in {', '.join(paths)}, expected each path once")
    variants, problems = [], list[Problem]()
    for values in product(*(one.values for one in read)):
        try:
            changes = [f"{path}={value}" for path, value in zip(paths, values, strict=True)]
            variants.append((_label(read, values), loaded.replace(changes, "--vary")))
        except ScenarioError as error:
            problems += [problem for problem in error.problems if problem not in problems]
    if problems:
        raise ScenarioError(problems)
    return variants


def _label(axes: Sequence[Axis], values: Sequence[str]) -> str:
    """The value alone of a single axis, which a table names once; else short names of the keys, or paths."""
    if len(axes) == 1:
        return values[0]
    words = [one.word for one in axes]
    names = words if len(set(words)) == len(words) else [one.path for one in axes]
    return ", ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))


def _split(text: str) -> list[str]:
    """Split at the commas that stand outside quotes and brackets."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in _QUOTES:
            quote = letter
        else:
            depth += (letter in _OPENING) - (letter in _CLOSING)
        if letter == "," and not quote and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts
