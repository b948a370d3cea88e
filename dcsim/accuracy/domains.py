"""The domains in which predictions are held against measurements, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcsim.accuracy import score
from dcsim.accuracy.score import Row
from dcsim.errors import InputError

DOMAINS = ("compute", "training", "collectives")


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line gives: a table of cases, a calibration, and where progress is told."""

    cases: Path | None
    calibration: Path | None
    progress: Callable[[str], None]


def score_domain(domain: str, given: Given) -> tuple[list[Row], Mapping[str, Any]]:
    """Return the rows of a domain and facts about them.

    Raises
    ------
    InputError
        For an unknown domain, or what the domain does not take.
    """
    match domain:
        case "compute":
            from dcsim.accuracy import compute

            if given.cases is not None:
                raise InputError("accuracy compute: found --cases, expected none: it measures cases of its own")
            return compute.score_machine(given.calibration, given.progress)
        case "training":
            from dcsim.accuracy.training import table

            return table.score_runs(given.cases)
        case "collectives":
            from dcsim.accuracy.collectives import table as collectives

            return collectives.score_cases(given.cases)
    raise InputError(f'accuracy: found "{domain}", expected {", ".join(DOMAINS[:-1])} or {DOMAINS[-1]}')


def shown(domain: str, rows: Sequence[Row], facts: Mapping[str, Any]) -> str:
    """Return rows and scores as text for a terminal; of collectives the scores alone, as the rows are hundreds."""
    if domain == "compute":
        from dcsim.accuracy import compute

        return compute.text(rows, facts)
    if domain == "collectives":
        from dcsim.accuracy.collectives import table

        return table.text(rows, facts)
    ignored = facts.get("ignored")
    return score.table(rows) + (f"\n\n{ignored}" if ignored else "")
