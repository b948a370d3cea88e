"""What jobs and the traffic of others cost each other on shared links, for the terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dcsim.report.numbers import shorten, show
from dcsim.report.terminal import Sheet, plain, table
from dcsim.results.result import Result

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_MOST = 6
_MATTERS = 1.01  # times as long; below, sharing costs nobody anything
_NAME = 24


def sharing(result: Result) -> Sheet:
    """Return who slowed whom down, the most first, and what the traffic of others got; nothing where none shared."""
    from rich.console import Group

    parts: list[Table | Text] = []
    for made in (_jobs(result), _background(result)):
        parts += [plain(""), made] if made is not None else []
    return Sheet(Group(*parts))


def _jobs(result: Result) -> Table | None:
    frame = result.table("sharing")
    frame = frame[frame["slowdown"] >= _MATTERS].sort_values("slowdown", ascending=False, kind="stable")
    if frame.empty:
        return None
    made = table(["transfers of", "beside", "number", "time", "alone", "times as long"])
    for row in frame.head(_MOST).to_dict("records"):
        texts = (str(row["job"]), str(row["other"]))
        numbers = (f"{int(row['transfers'])}", *(show(float(row[key]), "s") for key in ("time_s", "alone_s")))
        cells = (*(shorten(text, _NAME) for text in texts), *numbers, f"{float(row['slowdown']):.2f}")
        made.add_row(*map(plain, cells))
    return made


def _background(result: Result) -> Table | None:
    frame = result.table("background")
    if frame.empty:
        return None
    made = table(["traffic of others", "kind", "asked for", "moved", "mean rate", "ended", "times as long"])
    for row in frame.head(_MOST).to_dict("records"):
        slowdown = float(row["slowdown"])
        cells = (
            shorten(str(row["background"]), _NAME),
            str(row["kind"]),
            show(float(row["offered_bytes"]), "B"),
            show(float(row["moved_bytes"]), "B"),
            show(float(row["mean_bytes_per_s"]), "B/s"),
            f"{int(row['ended'])}" if row["kind"] in ("uniform", "incast") else "",
            f"{slowdown:.2f}" if math.isfinite(slowdown) else "",
        )
        made.add_row(*map(plain, cells))
    return made
