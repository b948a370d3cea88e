"""One published measurement of a collective, read from a row of a table whatever its state."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Final

from dcsim.errors import InputError

Row = Mapping[str, str]

_SIZES: Final = ("message_bytes", "gpus", "nodes", "gpus_per_node")
_NOT_STATED: Final = frozenset(("", "-", "n/a", "na", "nan", "none", "null", "unknown", "?"))

_REQUIRED: Final = ("id", "collective", "metric", "value")
_METRICS: Final = re.compile(r"(latency|time|busbw|algbw|bandwidth)[ _]*\(?(us|ms|s|ns|gbps|gbit/s|gb/s|mb/s|mbps)?\)?")
_SECONDS: Final = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_RATES: Final = {"gbps": 1e9, "gb/s": 1e9, "mbps": 1e6, "mb/s": 1e6, "gbit/s": 1.25e8}
_FAULTS: Final = (
    "fault case",
    "as too low",
    "suspiciously low",
    "expected value",
    "approximate",
    "cut excerpt",
    "untuned",
)


@dataclass(frozen=True, slots=True)
class Case:
    """A row of the table; what it does not state is "" or None."""

    row: Row
    id: str
    metric: str
    value: float
    scale: float
    size_bytes: float | None
    gpus: int | None
    nodes: int | None
    gpus_per_node: int | None
    place: str = ""
    """The table and the line in it."""
    faulty: bool = False
    """Whether most rows of its system in its source are flagged: then the fault is in the system, not in a size."""

    def text(self, *columns: str) -> str:
        """Return some columns as one text in lower case."""
        return " ".join(self.row.get(column) or "" for column in columns).lower()

    def number(self, column: str) -> float | None:
        """Return the number in a column, None if there is none above zero."""
        return _number(self.row.get(column))

    @property
    def slips(self) -> str:
        """What is written for a size that is none, and where; "" if there is no such thing."""
        found = ((column, (self.row.get(column) or "").strip()) for column in _SIZES)
        wrong = [f'{column}: found "{text}", expected a number above zero' for column, text in found if _slip(text)]
        return f"{self.place}: {'; '.join(wrong)}" if wrong else ""

    @property
    def timed(self) -> bool:
        """Whether a time was measured rather than a rate."""
        return self.metric in ("latency", "time")

    @property
    def flagged(self) -> bool:
        """Whether it is taken for a fault, an estimate, or recalled, by its own note or those of most of its system.

        Reported apart.
        """
        note = self.text("note", "source", "flag")
        return self.faulty or any(word in note for word in _FAULTS) or self.text("verified") == "memory"

    @property
    def key(self) -> tuple[str, ...]:
        """What makes a measurement the same in another table."""
        columns = ("source", "collective", "message_bytes", "gpus", "metric", "value")
        return tuple((self.row.get(column) or "").strip() for column in columns)


def read(path: Path | None) -> list[Case]:
    """Return the cases of a table, CSV; the shipped one if none is given.

    Raises
    ------
    InputError
        If it cannot be read, lacks a column that none can do without, or has a value that is no number above zero.
    """
    name = str(path or "the shipped cases")
    try:
        text = (path or resources.files("dcsim.accuracy.cases") / "collectives.csv").read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{name}: cannot be read: {error}") from None
    rows = list(csv.DictReader(text.splitlines()))
    missing = [column for column in _REQUIRED if not rows or column not in rows[0]]
    if missing:
        raise InputError(f"{name}: found no column {', '.join(missing)}, expected those of dcsim/accuracy/cases")
    problems = [f"{name}:{line}: {problem}" for line, row in enumerate(rows, 2) for problem in _problems(row)]
    if problems:
        raise InputError("\n".join(problems))
    return _with_faults([_case(row, f"{name}:{line}") for line, row in enumerate(rows, 2)])


def _with_faults(cases: Sequence[Case]) -> list[Case]:
    """Return the cases, those of a system and source most of whose rows are flagged marked as faulty."""
    keys = [(case.text("system"), case.text("source")) for case in cases]
    all_of, flagged = Counter(keys), Counter(key for key, case in zip(keys, cases, strict=True) if case.flagged)
    return [
        replace(case, faulty=bool(key[0]) and 2 * flagged[key] > all_of[key])
        for key, case in zip(keys, cases, strict=True)
    ]


def fitted_keys() -> frozenset[tuple[str, ...]]:
    """Return the keys of the shipped cases on which a parameter was fitted."""
    return frozenset(case.key for case in read(None) if case.text("fitted") == "yes")


def _case(row: Row, place: str) -> Case:
    metric, scale = _metric(row["metric"])
    return Case(
        row=row,
        id=row["id"],
        metric=metric,
        value=float(row["value"]),
        scale=scale,
        size_bytes=_number(row.get("message_bytes")),
        gpus=_count(row.get("gpus")),
        nodes=_count(row.get("nodes")),
        gpus_per_node=_count(row.get("gpus_per_node")),
        place=place,
    )


def _problems(row: Row) -> Iterator[str]:
    if _number(row["value"]) is None:
        yield f'value: found "{row["value"]}", expected a number above zero'
    if _METRICS.fullmatch((row["metric"] or "").strip().lower()) is None:
        yield f'metric: found "{row["metric"]}", expected latency_us, busbw_GBps or algbw_GBps'


def _metric(text: str) -> tuple[str, float]:
    """Return what was measured and its unit in SI."""
    found = _METRICS.fullmatch(text.strip().lower())
    name, unit = found.groups() if found else ("", "")
    if name in ("latency", "time"):
        return name, _SECONDS.get(unit or "us", 1e-6)
    return "algbw" if name == "bandwidth" else name, _RATES.get(unit or "gbps", 1e9)


def _slip(text: str) -> bool:
    """Return whether a text says something, but no number; zero is what tables write where there is nothing."""
    return text.lower() not in _NOT_STATED and text.replace(",", "").strip("0.") != "" and _number(text) is None


def _number(text: str | None) -> float | None:
    try:
        value = float((text or "").replace(",", "").strip())
    except ValueError:
        return None
    return value if 0.0 < value < float("inf") else None


def _count(text: str | None) -> int | None:
    value = _number(text)
    return None if value is None else int(value)
