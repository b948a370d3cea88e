"""Options that several verbs of the command line share, and what they do with them."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcsim.command import say
from dcsim.errors import InputError

if TYPE_CHECKING:
    from dcsim.report.capacity import Outlook
    from dcsim.results.result import Result
    from dcsim.simulate import Prepared

Argument = partial(typer.Argument, show_default=False)
Option = partial(typer.Option, show_default=False)

Settings = Annotated[
    list[str], Option("--set", metavar="PATH=VALUE", help="Change a key of the scenario; may be repeated.")
]
Seed = Annotated[int | None, Option(metavar="N", min=0, help="Replace the seed of the scenario.")]
Html = Annotated[Path | None, Option(metavar="FILE", help="Write the comparison as a page.")]
Growths = Annotated[
    list[str],
    Option(metavar="RATE", help='How demand grows, such as "30 %/year" or "high: 5 %/month linear"; repeatable.'),
]
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


def outlook_of(growth: list[str], percentile: float = 95.0) -> Outlook:
    """Return how demand is taken to grow on a page; examples where nothing is given.

    Raises
    ------
    InputError
        For a growth that cannot be read, or a percentile that is none.
    """
    from dcsim.report.capacity import Outlook
    from dcsim.results.growth import EXAMPLES, parse

    if not 0.0 < percentile <= 100.0:
        raise InputError(f"--percentile: found {percentile:g}, expected a number above 0 and at most 100, such as 95")
    return Outlook(tuple(map(parse, growth)) if growth else EXAMPLES, percentile)


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


def refuse_unwritable(path: Path | None) -> None:
    """Refuse a file that cannot be written, before work is done whose result it is to hold.

    Raises
    ------
    InputError
        If it is a folder, or its folder does not exist or cannot be written to.
    """
    if path is None or path == Path("-"):
        return
    if path.is_dir():
        raise InputError(f"{path}: found a folder, expected the name of a file")
    if not path.parent.is_dir():
        raise InputError(f"{path}: found no folder {path.parent}, expected one that exists")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InputError(f"{path}: found no permission to write, expected a file that can be written")


def write_result(text: str, path: Path) -> None:
    """Write what took long to find, whole or not at all; where that fails, to standard output, so that it is not lost.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    try:
        write_text(text, path)
    except OSError:
        say(text)
        raise


def write_text(text: str, path: Path) -> None:
    """Write to a file, whole or not at all, or to standard output for "-"."""
    if path == Path("-"):
        say(text)
    else:
        from dcsim.results import whole

        whole.write(path, text + "\n")
