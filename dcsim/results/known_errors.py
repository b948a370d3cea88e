"""How far off predictions were in the shipped accuracy studies, and which headline numbers of a run these cover.

The figures are those of ``docs/explanation/accuracy.md`` (grouped halves: constants fitted to the other half) and of
``docs/explanation/collectives.md`` (rows that were not fitted), which the commands named here compute anew; a test
holds the two against each other to the percent, as refits move them by less.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from dcsim.results.result import Metric, Provenance, Result

_OF_STEPS: Final = ("finish", "step_time", "throughput", "token_rate", "mfu", "flop_rate")
_BOUNDS: Final = "± held nine of ten measurements of such numbers, or of the named part; the rest: not measured"
_UNKNOWN: Final = "How far off such numbers are was not measured"


@dataclass(frozen=True, slots=True)
class KnownError:
    """Absolute errors of a study [%], rounded: the median, and what nine of ten measurements keep."""

    of: str
    measurements: int
    median: int
    ninetieth: int
    command: str
    part: str
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
        "steps": KnownError("steps of dense transformers on GPUs", 408, 2, 10, "dcsim accuracy training", "steps"),
        "steps-mixtures": KnownError("steps of mixtures of experts", 36, 9, 33, "dcsim accuracy training", "steps"),
        "steps-tpu": KnownError("steps on TPUs", 46, 4, 13, "dcsim accuracy training", "steps"),
        "collectives": KnownError(
            "collectives across nodes", 38, 6, 23, "dcsim accuracy collectives", "collectives", False
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Basis:
    """What a number rests on, and the study that says how far off such numbers were, None where nobody measured."""

    provenance: Provenance = "first-principles"
    error: KnownError | None = None

    @property
    def words(self) -> str:
        """Return what the number rests on, how far off it may be, and how that is known."""
        return self._told(self.error.words if self.error else "")

    @property
    def short(self) -> str:
        """Return what the number rests on and how far off it may be."""
        return self._told(self.error.short if self.error else "")

    @property
    def brief(self) -> str:
        """Return the same in two or three words for the terminal, where :data:`MEANING` explains them."""
        rests = self.provenance.replace("-", " ")
        if self.error is None:
            return rests
        return f"{rests if self._whole else self.error.part} ±{self.error.ninetieth} %"

    @property
    def _whole(self) -> bool:
        # What follows from a calibrated step, such as the finish, rests on more than it.
        return self.error is not None and self.error.whole and self.provenance == "calibrated"

    def _told(self, text: str) -> str:
        rests = self.provenance.replace("-", " ")
        if self.error is None:
            return rests if self.provenance == "measured" else f"{rests}, no measured error"
        return f"{rests}, {text}" if self._whole else f"{rests}; {self.error.of}: {text}"


def basis(name: str, metric: Metric, held_against: Mapping[str, str] | None) -> Basis:
    """Return what the metric ``name`` rests on; ``held_against`` names the study that covers a job, as manifests do."""
    job, _, last = name.removeprefix("jobs.").rpartition(".")
    covered = name.startswith("jobs.") and last in _OF_STEPS
    return Basis(metric.provenance, STUDIES.get(str((held_against or {}).get(job))) if covered else None)


def of_result(result: Result, name: str) -> Basis:
    """Return what the metric ``name`` of a run rests on."""
    return basis(name, result.metrics[name], result.manifest.get("held_against"))


def written(metrics: Mapping[str, Metric], held_against: Mapping[str, str]) -> str:
    """Return what metrics rest on as text that :func:`of_points` reads, without those of first principles alone."""
    found = {name: basis(name, metric, held_against) for name, metric in metrics.items()}
    rows = {name: [one.provenance, _name(one.error)] for name, one in found.items() if one != Basis()}
    return json.dumps(rows, separators=(",", ":")) if rows else ""


def of_points(texts: Iterable[str | None], name: str) -> tuple[Basis, ...]:
    """Return what the metric ``name`` rests on in points of a study, each once, by what was :func:`written` of them.

    Of points of earlier versions, which kept nothing, nothing is known.
    """
    kept = dict.fromkeys(text for text in texts if isinstance(text, str))
    return tuple(dict.fromkeys(_read(text, name) for text in kept))


def line_of_points(found: Mapping[str, tuple[Basis, ...]]) -> str:
    """Return in a line what metrics of points rest on, by name; of what is not known nothing."""
    return line({name: " or ".join(one.brief for one in of) for name, of in found.items() if of})


def _read(text: str, name: str) -> Basis:
    provenance, study = json.loads(text or "{}").get(name, ("first-principles", ""))
    return Basis(provenance, STUDIES.get(study))


def _name(error: KnownError | None) -> str:
    return next((name for name, study in STUDIES.items() if study is error), "")


def told(found: Mapping[str, str]) -> str:
    """Return what a number rests on that several have, by label: once if it is the same of all, else of whom it is."""
    groups = grouped(found)
    if len(groups) == 1:
        return next(iter(groups))
    return "; ".join(f"{', '.join(labels)}: {text}" for text, labels in groups.items())


def grouped(found: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the names of what has each text, in their order."""
    groups: dict[str, list[str]] = {}
    for name, text in found.items():
        groups.setdefault(text, []).append(name)
    return groups


def line(found: Mapping[str, str]) -> str:
    """Return in a line what numbers rest on, of ``brief`` by title, the largest group last; nothing of none."""
    groups = sorted(grouped(found).items(), key=lambda group: len(group[1]))
    *others, (rest, _) = groups or [("", [])]
    parts = [f"{', '.join(titles)}: {text}" for text, titles in others] + [f"{'the rest' if others else 'all'}: {rest}"]
    return f"Rests on: {'; '.join(parts)}. {meaning(found.values())}." if found else ""


def legend(found: Iterable[Basis]) -> str:
    """Return what the words of ``brief`` mean, and how each error among them is known."""
    bases = list(found)
    errors = dict.fromkeys(basis.error for basis in bases if basis.error)
    ways = [f"{error.of[:1].upper()}{error.of[1:]}: {error.words}." for error in errors]
    return " ".join([f"{meaning(basis.brief for basis in bases)}.", *ways])


def meaning(briefs: Iterable[str]) -> str:
    """Return what the words of ``brief`` mean."""
    known = any("±" in text for text in briefs)
    return _BOUNDS if known else _UNKNOWN
