"""One published run as its table states it: read from CSV, blanks kept as blanks."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from dcsim.errors import InputError

REQUIRED = ("device", "n_devices")
"""Columns without which a file is no table of runs."""

NUMBERS = (
    "params_b", "layers", "hidden", "heads", "kv_heads", "ffn", "vocab", "seq", "n_experts", "experts_per_token",
    "n_devices", "node_size", "tp", "pp", "dp", "cp", "ep", "micro_batch", "global_batch", "value", "step_s",
)  # fmt: skip
"""Columns that hold numbers, or nothing."""

_BLANK = frozenset({"", "-", "?", "nan", "none stated", "n/a", "na", "not stated", "unknown", "null"})
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:[,_' \u00a0\u2009\u202f]\d{3})+(?:\.\d+)?")
_UNIT = re.compile(r"\s*(?:%|s|sec|seconds)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Case:
    """A row of the table: texts by column name."""

    texts: Mapping[str, str]

    def text(self, column: str) -> str:
        """Return what a column says, "" where it is blank or absent."""
        found = (self.texts.get(column) or "").strip()
        return "" if found.lower() in _BLANK else found

    def number(self, column: str) -> float | None:
        """Return the number in a column, None where it is blank, absent or no finite number.

        Thousands may be apart, "1,024", and a percent sign or seconds may follow.
        """
        text = _UNIT.sub("", self.text(column))
        if _THOUSANDS.fullmatch(text):
            text = re.sub(r"[^\d.+-]", "", text)
        elif re.fullmatch(r"[+-]?\d+,\d+", text):
            text = text.replace(",", ".")  # where decimals have a comma
        try:
            found = float(text)
        except ValueError:
            return None
        return found if isfinite(found) else None

    def misread(self) -> list[str]:
        """Return the columns of numbers that hold something else, which counts as blank."""
        return [column for column in NUMBERS if self.text(column) and self.number(column) is None]

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
        If the file cannot be read, lacks a required column, or has no runs.
    """
    try:
        head, *rows = _lines(path) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV: {error}") from None
    columns = [re.sub(r"[\s-]+", "_", name.strip().lower()) for name in head]
    missing = [column for column in REQUIRED if column not in columns]
    if missing:
        raise InputError(f"{path}: found no column {', '.join(missing)}, expected a table of runs with one run a row")
    if not rows:
        raise InputError(f"{path}: found column names and no rows, expected one run a row")
    return [_case(dict(zip(columns, row, strict=False)), number) for number, row in enumerate(rows, 1)]


def _lines(path: Path) -> list[list[str]]:
    """Return the cells of every row that has any, whatever the program that wrote them puts between them."""
    data = path.read_bytes()
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("cp1252")  # of older spreadsheets
    first = next((line for line in text.splitlines() if line.strip()), "")
    mark = max(",;\t", key=first.count)
    return [row for row in csv.reader(text.splitlines(keepends=True), delimiter=mark) if any(map(str.strip, row))]


def _case(texts: dict[str, str], number: int) -> Case:
    """Return a run; one without a name goes by its place in the table."""
    name = texts.get("id", "").strip()
    return Case({**texts, "id": name or f"run {number}"})


def misread(cases: Sequence[Case]) -> str:
    """Say in words how many cells of numbers hold something else, and which is the first; "" where none does."""
    found = [(case, column) for case in cases for column in case.misread()]
    if not found:
        return ""
    case, column = found[0]
    first = f'{column} "{case.text(column)}" of {case.id}'
    return f"{len(found)} cells that are no numbers were taken as blank, the first is {first}"
