"""One finished point of a study as plain values, and as a line of a journal."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

Cell = tuple[float | None, str, float | None, float | None]


@dataclass(frozen=True, slots=True)
class Row:
    """What became of a point.

    ``changes`` are its values by path, ``wall_s`` how long it took [s], ``reason`` why it has no metrics ("" where it
    has), ``metrics`` are (value, unit, low, high) by name, None where there is no number, ``rests_on`` is
    what they rest on as :func:`dcsim.results.known_errors.written` writes it.
    """

    key: str
    number: int
    changes: dict[str, Any]
    wall_s: float
    digest: str = ""
    replications: int = 0
    reason: str = ""
    metrics: dict[str, Cell] = field(default_factory=dict)
    rests_on: str = ""

    @property
    def status(self) -> str:
        """Return "done" or "failed"."""
        return "failed" if self.reason else "done"

    def to_json(self) -> str:
        """Return the row as one line."""
        return json.dumps(asdict(self), separators=(",", ":"), ensure_ascii=False)


def from_json(line: str) -> Row:
    """Read what :meth:`Row.to_json` wrote.

    Raises
    ------
    ValueError
        If the line is torn or of another form.
    """
    try:
        read = json.loads(line)
        metrics = {str(name): (cell[0], str(cell[1]), cell[2], cell[3]) for name, cell in read.pop("metrics").items()}
        return Row(**read, metrics=metrics)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(f"no row of a study: {error}") from error
