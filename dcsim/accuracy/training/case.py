"""One published run as its table states it: read from CSV, blanks kept as blanks."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from dcsim.errors import InputError

REQUIRED = ("id", "device", "n_devices")
"""Columns without which a file is no table of runs."""

_BLANK = frozenset({"", "-", "nan", "none stated", "n/a", "not stated"})


@dataclass(frozen=True, slots=True)
class Case:
    """A row of the table: texts by column name."""

    texts: Mapping[str, str]

    def text(self, column: str) -> str:
        """Return what a column says, "" where it is blank or absent."""
        found = (self.texts.get(column) or "").strip()
        return "" if found.lower() in _BLANK else found

    def number(self, column: str) -> float | None:
        """Return the number in a column, None where it is blank, absent or no finite number."""
        try:
            found = float(self.text(column))
        except ValueError:
            return None
        return found if isfinite(found) else None

    def positive(self, column: str) -> float | None:
        """Return the number in a column where it is above zero, else None."""
        found = self.number(column)
        return found if found is not None and found > 0.0 else None

    @property
    def id(self) -> str:
        """The name of the run."""
        return self.text("id")


def read(path: Path) -> list[Case]:
    """Return the runs of a CSV file.

    Raises
    ------
    InputError
        If the file cannot be read, or lacks a required column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV: {error}") from None
    found = set(rows[0]) if rows else set()
    missing = [column for column in REQUIRED if column not in found]
    if missing:
        raise InputError(f"{path}: found no column {', '.join(missing)}, expected a table of runs with one run a row")
    return [Case({key: value for key, value in row.items() if isinstance(key, str)}) for row in rows]
