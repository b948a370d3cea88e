"""Options that several verbs of the command line share, and what they do with them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcsim.command import say

if TYPE_CHECKING:
    from dcsim.results.result import Result
    from dcsim.simulate import Prepared

Argument = partial(typer.Argument, show_default=False)
Option = partial(typer.Option, show_default=False)

Settings = Annotated[
    list[str], Option("--set", metavar="PATH=VALUE", help="Change a key of the scenario; may be repeated.")
]
Seed = Annotated[int | None, Option(metavar="N", min=0, help="Replace the seed of the scenario.")]
Html = Annotated[Path | None, Option(metavar="FILE", help="Write the comparison as a page.")]
AllowCode = Annotated[bool, Option("--allow-code", help="Execute code that the scenario names as a model.")]
Json = Annotated[
    Path | None, Option("--json", metavar="FILE", help='Write the numbers as JSON; "-" is standard output.')
]
Quiet = Annotated[bool, Option("--quiet", "-q", help="Print problems only.")]


@dataclass(frozen=True)
class Reading:
    """How a scenario is read."""

    settings: Settings = field(default_factory=list)
    seed: Seed = None
    allow_code: AllowCode = False


def check_files(*paths: Path | None) -> None:
    """Refuse before simulating what could not be written after it."""
    from dcsim.results import store

    for path in paths:
        if path is not None and path != Path("-"):
            store.prepare_file(path)


def simulate_shown(prepared: Prepared, name: str, quiet: bool) -> Result:
    """Simulate and show how far it is, unless ``quiet``."""
    from dcsim import simulate
    from dcsim.report.progress import Meter, describe

    if quiet:
        return simulate.run(prepared, None)
    with Meter(name, sys.stderr, describe) as meter:
        return simulate.run(prepared, meter)


def write_text(text: str, path: Path) -> None:
    """Write to a file, or to standard output for "-"."""
    if path == Path("-"):
        say(text)
    else:
        path.write_text(text + "\n", encoding="utf-8")
