"""Training for real, at a size that fits this machine: every rank's gradient, the simulated all-reduce, the update.

The math runs in float32 whatever the precision of the simulated job, so that the reduced gradient can be held against
that of the whole batch; gradients travel in that precision, or compressed. All ranks hold identical weights, so they
are kept once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dcsim.errors import RunError
from dcsim.workload import data, reduction
from dcsim.workload.compression import codec
from dcsim.workload.trainer import Arrays, Floats, Trainer, distance

if TYPE_CHECKING:
    from dcsim.scenario.workload import Job, ModelSpec

_RESIDUAL = "residual"


class Execution(Trainer):
    """Synchronous data parallelism: all ranks step together, from the same weights to the same weights."""

    def __init__(self, spec: ModelSpec, job: Job, ranks: int, seed: int) -> None:
        super().__init__(spec, job, ranks, seed)
        self._coding = coding(job, ranks, self.elements)
        self._last: tuple[int, Floats, Floats] | None = None

    def step(self, schedule: Sequence[Sequence[reduction.Move]]) -> float:
        """Take one training step and return its mean loss [nat]; ``schedule`` says who adds which chunk to whose."""
        batches = [self.shards.batch(self.steps_done, rank, self.share) for rank in range(self.ranks)]
        losses, rows, moments = self.kernels.gradients(self.weights, batches, self.micro)
        loss = self.finite(float(np.mean(losses)))
        self.note(moments.mean(axis=0))
        mean = reduction.reduce(rows, schedule, self._coding) / np.float32(self.ranks)
        self._last = (self.steps_done, self.weights, mean)
        self.weights, self.state = self.kernels.update(self.weights, self.state, mean)
        self.steps_done += 1
        return loss

    def full_batch_difference(self) -> float:
        """Return how far the last reduced gradient is from that of the whole batch at once, relative in the L2 norm.

        Raises
        ------
        RunError
            If no step was taken since the start or the last restore.
        """
        if self._last is None:
            raise RunError("no gradient was reduced yet")
        step, weights, reduced = self._last
        batches = [self.shards.batch(step, rank, self.share) for rank in range(self.ranks)]
        return distance(reduced, self.kernels.whole(weights, batches, self.micro))

    def parts(self, job: Job) -> Sequence[data.Indices] | None:
        """All ranks draw from the whole data set."""
        del job
        return None

    def kept(self) -> Arrays:
        """Return what compressed messages have left out so far."""
        return residuals(self._coding)

    def keep(self, others: Arrays) -> None:
        """Take up what compressed messages have left out."""
        self._last = None
        take_residuals(self._coding, others)


def coding(job: Job, senders: int, elements: int) -> reduction.Coding | None:
    """Return what becomes of the messages between ``senders``, None if they arrive as they are."""
    chosen = job.parallel.coding
    function = codec(chosen, job.precision)
    if function is None or senders == 1:
        return None
    kept = np.zeros((senders, elements), np.float32) if chosen and chosen.error_feedback else None
    return reduction.Coding(function, kept)


def residuals(coding: reduction.Coding | None) -> Arrays:
    """Return the arrays of a snapshot that hold what messages have left out."""
    return {} if coding is None or coding.residual is None else {_RESIDUAL: coding.residual}


def take_residuals(coding: reduction.Coding | None, others: Arrays) -> None:
    """Take up the residuals of a snapshot; before the first message there are none."""
    if coding is not None and coding.residual is not None:
        coding.residual[:] = others.get(_RESIDUAL, np.float32(0.0))
