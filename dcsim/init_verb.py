"""The verb ``dcsim init``: a first scenario from a few answers."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcsim.command import DONE, say
from dcsim.errors import InputError
from dcsim.options import Argument, Option

if TYPE_CHECKING:
    from dcsim.catalogue.starter import Answers

_QUESTIONS = {
    "server": "Type of server (dcsim catalogue servers)",
    "count": "How many",
    "model": "Model to train (dcsim catalogue models)",
    "steps": "Steps",
    "climate": "Climate (dcsim catalogue climates)",
    "grid": "Grid (dcsim catalogue grids)",
}


@dataclass(frozen=True)
class Flags:
    """Answers given beforehand."""

    server: Annotated[str | None, Option(metavar="NAME", help="Type of server.")] = None
    count: Annotated[int | None, Option(metavar="N", min=1, help="How many servers.")] = None
    model: Annotated[str | None, Option(metavar="NAME", help="Model to train.")] = None
    steps: Annotated[int | None, Option(metavar="N", min=1, help="Training steps.")] = None
    climate: Annotated[str | None, Option(metavar="NAME", help="Climate of the site.")] = None
    grid: Annotated[str | None, Option(metavar="NAME", help="Grid that feeds the site.")] = None


def init(
    flags: Flags, file: Annotated[Path, Argument(metavar="FILE", help="The scenario to write.")] = Path("scenario.yaml")
) -> int:
    """Write a commented scenario that runs as it stands.

    It asks on a terminal for what no flag says.

    Example: dcsim init mine.yaml --server dgx-h100 --count 2
    """
    from dcsim.catalogue.starter import starter
    from dcsim.results import store

    if file.exists():
        raise InputError(f"{file}: is there already; name another file")
    store.prepare_file(file)
    text = starter(file.stem, _answers(flags))
    _check(text, file)
    file.write_text(text, encoding="utf-8")
    say(f"{file}: written; next: dcsim run {file}")
    return DONE


def _answers(flags: Flags) -> Answers:
    from dcsim.catalogue.starter import Answers

    usual, asks = Answers(), sys.stdin.isatty()
    given = {}
    for field in fields(Answers):
        found, default = getattr(flags, field.name), getattr(usual, field.name)
        if found is None:
            found = typer.prompt(_QUESTIONS[field.name], default=default, err=True) if asks else default
        given[field.name] = found
    return Answers(**given)


def _check(text: str, file: Path) -> None:
    """Refuse answers that make no scenario, such as a model that no accelerator holds, before anything is written."""
    from dcsim import simulate
    from dcsim.scenario.load import load

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / file.name
        place.write_text(text, encoding="utf-8")
        simulate.prepare(load(str(place)))
