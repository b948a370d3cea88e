"""Every collective of a step: how it is done, how long it takes, and how much of that no kernel covers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dcsim.estimate.step import Busy, Move, Span, Stage, spans


class CollectiveRow(NamedTuple):
    """Collectives alike of a step, alone on their links.

    ``ideal_s`` is the time of the bytes at the full rate of the links on their way, with no latency; ``exposed_s`` is
    the part of the time in which no kernel runs. They and ``time_s`` are of one of ``times``, in the mean [s].
    """

    label: str
    algorithm: str
    times: int
    size_bytes: float
    time_s: float
    ideal_s: float
    exposed_s: float


def collective_rows(stages: Sequence[Stage], named: str) -> list[CollectiveRow]:
    """Return a row for every kind of collective of a step: those of one label, algorithm and size together.

    ``named`` is the algorithm of those for which no library chose one.
    """
    timed = spans(stages, 1.0)
    kernels = [(span.start_s, span.finish_s) for span in timed if isinstance(span.stage, Busy)]
    found: dict[tuple[str, str, float], list[Span]] = {}
    for span in timed:
        if isinstance(span.stage, Move) and not span.stage.fetch:
            label = span.stage.label.rstrip(" 0123456789")
            found.setdefault((label, span.stage.algorithm or named, span.stage.size_bytes), []).append(span)
    return [
        CollectiveRow(
            label,
            algorithm,
            len(alike),
            size,
            sum(span.finish_s - span.start_s for span in alike) / len(alike),
            sum(_ideal_s(span.stage) for span in alike) / len(alike),
            sum(exposed_s(span, kernels) for span in alike) / len(alike),
        )
        for (label, algorithm, size), alike in found.items()
    ]


class SpanRow(NamedTuple):
    """When something of a step runs, alone on its links, from the step's start on [s].

    ``stream`` is "kernels", "collectives" or "samples": they run beside one another.
    """

    stream: str
    label: str
    start_s: float
    end_s: float


def span_rows(stages: Sequence[Stage]) -> list[SpanRow]:
    """Return what a step is made of, stretches of kernels of one label together; what takes no time is left out."""
    found: list[SpanRow] = []
    for span in spans(stages, 1.0):
        if isinstance(span.stage, Busy):
            _extend(found, SpanRow("kernels", span.stage.label, span.start_s, span.finish_s))
        elif isinstance(span.stage, Move) and span.finish_s > span.start_s:
            stream = "samples" if span.stage.fetch else "collectives"
            found.append(SpanRow(stream, span.stage.label, span.start_s, span.finish_s))
    return [row for row in found if row.end_s > row.start_s]


def _extend(found: list[SpanRow], row: SpanRow) -> None:
    """Add a stretch of kernels, to the one before it where that has the same label and nothing began in between."""
    if found and found[-1][:2] == row[:2] and found[-1].end_s == row.start_s:
        row = found.pop()._replace(end_s=row.end_s)
    found.append(row)


def exposed_s(span: Span, kernels: Sequence[tuple[float, float]]) -> float:
    """Return the part of a span that no kernel covers [s]; ``kernels`` follow one another."""
    covered = sum(max(0.0, min(span.finish_s, finish) - max(span.start_s, start)) for start, finish in kernels)
    return max(0.0, span.finish_s - span.start_s - covered)


def _ideal_s(stage: Stage) -> float:
    return stage.size_bytes / stage.rate_bytes_per_s if isinstance(stage, Move) and stage.size_bytes else 0.0
