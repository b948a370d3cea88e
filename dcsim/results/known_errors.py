"""How far off predictions were in the shipped accuracy studies, and which headline numbers of a run these cover.

The figures are those of ``docs/explanation/accuracy.md`` (grouped halves: constants fitted to the other half) and of
``docs/explanation/collectives.md`` (rows that were not fitted), which the commands named here compute anew; a test
holds the two against each other to the percent, as refits move them by less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from dcsim.results.result import Provenance, Result

_OF_STEPS: Final = ("finish", "step_time", "throughput", "token_rate", "mfu", "flop_rate")


@dataclass(frozen=True, slots=True)
class KnownError:
    """Absolute errors of a study [%], rounded: the median, and what nine of ten measurements keep."""

    of: str
    measurements: int
    median: int
    ninetieth: int
    command: str
    whole: bool = True  # else it covers a part of the number alone

    @property
    def short(self) -> str:
        """Return the errors in a few words."""
        return f"measured error {self.median} %, nine of ten within {self.ninetieth} %"

    @property
    def words(self) -> str:
        """Return the errors, what they are of, and how to compute them."""
        of = f"{self.measurements} measurements of {self.of} that no constant saw"
        return f"{self.short}, by {of} ({self.command})"


STUDIES: Final[Mapping[str, KnownError]] = MappingProxyType(
    {
        "steps": KnownError("steps of dense transformers on GPUs", 408, 4, 13, "dcsim accuracy training"),
        "steps-mixtures": KnownError("steps of mixtures of experts", 36, 15, 37, "dcsim accuracy training"),
        "steps-tpu": KnownError("steps on TPUs", 46, 4, 15, "dcsim accuracy training"),
        "collectives": KnownError("collectives across nodes", 38, 6, 23, "dcsim accuracy collectives", False),
    }
)


def known_error(result: Result, name: str) -> KnownError | None:
    """Return the study that covers the metric ``name`` of a run; None where it is from first principles alone."""
    job, _, metric = name.removeprefix("jobs.").rpartition(".")
    study = (result.manifest.get("held_against") or {}).get(job)
    return STUDIES.get(str(study)) if name.startswith("jobs.") and metric in _OF_STEPS else None


def short(found: KnownError | None, provenance: Provenance) -> str:
    """Return in a few words what a number rests on, and how far off it may be."""
    return _told(found, provenance, found.short if found else "")


def words(found: KnownError | None, provenance: Provenance) -> str:
    """Return what a number rests on, how far off it may be, and how that is known."""
    return _told(found, provenance, found.words if found else "")


def _told(found: KnownError | None, provenance: Provenance, text: str) -> str:
    rests = provenance.replace("-", " ")
    if found is None:
        return rests if provenance == "measured" else f"{rests}, no measured error"
    # What follows from a calibrated step, such as the finish, rests on more than it.
    return f"{rests}, {text}" if found.whole and provenance == "calibrated" else f"{rests}; {found.of}: {text}"
