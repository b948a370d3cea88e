"""Asynchronous updates for real: every gradient is of the weights that its rank had pulled, however old they are now.

F. Niu et al., "Hogwild!", NeurIPS 2011; J. Dean et al., "Large scale distributed deep networks", NeurIPS 2012. Who
pushes when is told by the simulated time of compute and transfers, so the staleness is that of the simulated cluster.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dcsim.errors import RunError
from dcsim.workload import data
from dcsim.workload.execute import coding, residuals, take_residuals
from dcsim.workload.reduction import Move
from dcsim.workload.trainer import Arrays, Floats, Trainer, distance

if TYPE_CHECKING:
    from dcsim.scenario.workload import Job, ModelSpec


class AsynchronousExecution(Trainer):
    """A server's weights, and what each rank pulled of them last.

    Attributes
    ----------
    staleness
        Updates by others between the pull of a gradient's weights and its push, summed over all gradients.
    updates
        Gradients applied.
    """

    def __init__(self, spec: ModelSpec, job: Job, ranks: int, seed: int) -> None:
        super().__init__(spec, job, ranks, seed)
        self._coding = coding(job, ranks, self.elements)
        self.staleness = self.updates = 0
        self._last: tuple[Floats, data.Batch, Floats] | None = None
        self._begin()

    def pull(self, rank: int) -> None:
        """The server's weights of now arrive at ``rank``."""
        self._pulled[rank], self._versions[rank] = self.weights, self.updates

    def push(self, rank: int, step: int) -> None:
        """The gradient of ``rank`` for its batch of ``step``, at the weights it pulled, arrives at the server."""
        batch = self.shards.batch(step, rank, self.share)
        losses, rows, moments = self.kernels.gradients(self._pulled[rank], [batch], self.micro)
        self._losses += losses
        self.note(moments[0])
        gradient = self._coded(rank, rows[0])
        self._last = (self.weights, batch, gradient)
        self.weights, self.state = self.kernels.update(self.weights, self.state, gradient)
        self.staleness += self.updates - self._versions[rank]
        self.updates += 1

    def step(self, schedule: Sequence[Sequence[Move]]) -> float:
        """Return the mean loss of as many pushes as there are ranks, which make a step [nat]."""
        del schedule
        loss = self.finite(float(np.mean(self._losses[: self.ranks])))
        del self._losses[: self.ranks]
        self.steps_done += 1
        return loss

    def full_batch_difference(self) -> float:
        """Return how far the last gradient applied is from that of the same samples at the weights it changed.

        Raises
        ------
        RunError
            If nothing was pushed since the start or the last restore.
        """
        if self._last is None:
            raise RunError("no gradient was pushed yet")
        weights, batch, gradient = self._last
        return distance(gradient, self.kernels.whole(weights, [batch], self.micro))

    def parts(self, job: Job) -> Sequence[data.Indices] | None:
        """All ranks draw from the whole data set."""
        del job
        return None

    def kept(self) -> Arrays:
        """Return what compressed messages have left out so far; ranks meet before a snapshot, so none is on its way."""
        return residuals(self._coding)

    def keep(self, others: Arrays) -> None:
        """Take up what compressed messages have left out; every rank pulls anew."""
        take_residuals(self._coding, others)
        self._begin()

    def _begin(self) -> None:
        self._pulled = np.tile(self.weights, (self.ranks, 1))
        self._versions = [self.updates] * self.ranks
        self._losses: list[float] = []
        self._last = None

    def _coded(self, rank: int, gradient: Floats) -> Floats:
        if self._coding is None:
            return gradient
        residual = self._coding.residual
        wanted = gradient if residual is None else gradient + residual[rank]
        sent = self._coding.codec(wanted)
        if residual is not None:
            residual[rank] = wanted - sent
        return sent
