"""The time of one step of a program on a placement, in closed form, while nobody else touches its links.

The compute stream runs kernels in program order; the communication stream runs collectives in program order, each as
soon as the compute before it is done; a join holds the compute stream until the communication stream is idle. Samples
for the next step are fetched meanwhile. ``play`` of a job's step by events follows the same stages, so both agree
where links are not shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dcsim.network.route import Route

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Busy:
    """The accelerator computes for ``seconds``."""

    label: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Move:
    """Bytes cross the network: a collective, or (``fetch``) the samples of the next step.

    ``rate_bytes_per_s`` is what the route carries when nobody else is there, ``algorithm`` how a collective is done.
    """

    label: str
    route: Route
    size_bytes: float
    latency_s: float
    rate_bytes_per_s: float
    fetch: bool = False
    algorithm: str = ""

    @property
    def seconds(self) -> float:
        """Time from start to completion, alone on the route [s]."""
        return self.latency_s + (self.size_bytes / self.rate_bytes_per_s if self.size_bytes else 0.0)


@dataclass(frozen=True, slots=True)
class Join:
    """The compute stream waits for the communication stream."""


Stage = Busy | Move | Join


@dataclass(frozen=True, slots=True)
class StepTimes:
    """Times of one step or, as arrays, of many: its duration, and what of it no computation covered [s]."""

    duration_s: Floats
    compute_s: Floats
    exposed_s: Floats
    stall_s: Floats
    separate: bool


@dataclass(frozen=True, slots=True)
class Span:
    """When a stage runs, relative to the step's start [s]."""

    stage: Stage
    start_s: float
    finish_s: float


def evaluate(stages: Sequence[Stage], scale: Floats) -> StepTimes:
    """Return the times of steps whose kernels take ``scale`` times their nominal time, shape of ``scale``.

    ``separate`` is false where a fetch still runs when a collective begins: the two may then share links, and the
    closed form does not hold.
    """
    compute = np.zeros_like(scale)
    busy, wire, fetched, first_move = compute, compute, compute, np.full_like(scale, np.inf)
    for stage in stages:
        if isinstance(stage, Busy):
            busy = busy + stage.seconds * scale
            compute = compute + stage.seconds * scale
        elif isinstance(stage, Join):
            busy = np.maximum(busy, wire)
        elif stage.fetch:
            fetched = np.full_like(scale, stage.seconds)
        else:
            first_move = np.minimum(first_move, busy)
            wire = np.maximum(busy, wire) + stage.seconds
    ended = np.maximum(busy, wire)
    duration = np.maximum(ended, fetched)
    return StepTimes(duration, compute, ended - compute, duration - ended, bool(np.all(fetched <= first_move)))


def spans(stages: Sequence[Stage], scale: float) -> list[Span]:
    """Return when each stage of one step runs, in program order."""
    busy = wire = 0.0
    found: list[Span] = []
    for stage in stages:
        if isinstance(stage, Busy):
            start, busy = busy, busy + stage.seconds * scale
            found.append(Span(stage, start, busy))
        elif isinstance(stage, Join):
            busy = max(busy, wire)
            found.append(Span(stage, busy, busy))
        elif stage.fetch:
            found.append(Span(stage, 0.0, stage.seconds))
        else:
            start = max(busy, wire)
            wire = start + stage.seconds
            found.append(Span(stage, start, wire))
    return found


def remaining(stages: Sequence[Stage], scale: float, elapsed_s: float) -> tuple[Stage, ...]:
    """Return what is left of a step ``elapsed_s`` [s] after it began, kernels already scaled."""
    left: list[Stage] = []
    for span in spans(stages, scale):
        if isinstance(span.stage, Join):
            left.append(span.stage)
        elif span.finish_s > elapsed_s:
            left.append(_rest(span, max(0.0, elapsed_s - span.start_s)))
    return tuple(left)


def _rest(span: Span, done_s: float) -> Stage:
    stage = span.stage
    if isinstance(stage, Busy):
        return Busy(stage.label, span.finish_s - span.start_s - done_s)
    if isinstance(stage, Move) and done_s > 0.0:
        sent = max(0.0, done_s - stage.latency_s) * stage.rate_bytes_per_s
        return replace(
            stage, latency_s=max(0.0, stage.latency_s - done_s), size_bytes=max(0.0, stage.size_bytes - sent)
        )
    return stage
