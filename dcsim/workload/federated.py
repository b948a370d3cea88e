"""Federated averaging for real: clients train on data of their own, and the mean of their weights is the model.

B. McMahan et al., "Communication-efficient learning of deep networks from decentralized data", AISTATS 2017, with a
fixed number of local steps and all clients in every round; a client's weight in the mean is its share of the data.
Optimizer states stay with their clients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dcsim.errors import InputError, RunError
from dcsim.scenario.parallel import Federated
from dcsim.workload import data, reduction
from dcsim.workload.execute import coding, residuals, take_residuals
from dcsim.workload.reduction import Move
from dcsim.workload.trainer import Arrays, Floats, Trainer, distance, followed

if TYPE_CHECKING:
    from dcsim.scenario.workload import Job, ModelSpec

Rounds = Sequence[Sequence[Move]]


class Trained(NamedTuple):
    """What a client's local steps gave: their mean loss, the change of its weights, the moments of its norms."""

    loss: float
    change: Floats
    moments: Floats


class FederatedExecution(Trainer):
    """Clients of equally many ranks; ``inner`` is the schedule by which the ranks of one sum their gradients.

    A step is a round: local steps of every client from common weights, then the mean of where they led.
    """

    def __init__(self, spec: ModelSpec, job: Job, ranks: int, seed: int, inner: Rounds) -> None:
        super().__init__(spec, job, ranks, seed)
        self._clients, self._local, self._inner = job.parallel.clients, job.parallel.local_steps, inner
        self._shares = client_shares(job)
        self.state = [self.state] * self._clients
        self._coding = coding(job, self._clients, self.elements)
        self._last: tuple[Floats, NDArray[np.float64]] | None = None

    def step(self, schedule: Rounds) -> float:
        """Take one round and return the mean loss of its local steps, weighted as the clients are [nat]."""
        found = [self._train(client) for client in range(self._clients)]
        loss = self.finite(float(np.dot([one.loss for one in found], self._shares)))
        rows = np.array([one.change * np.float32(share) for one, share in zip(found, self._shares, strict=True)])
        exact = rows.sum(axis=0, dtype=np.float64)
        change = reduction.reduce(rows, schedule, self._coding)
        self._last = (change.copy(), exact)
        self.weights = self.weights + change
        self.moments = np.asarray(np.dot(self._shares, [one.moments for one in found]), np.float32)
        self.steps_done += 1
        return loss

    def full_batch_difference(self) -> float:
        """Return how far the last mean of the clients is from the same mean in float64, relative in the L2 norm.

        Raises
        ------
        RunError
            If no round was taken since the start or the last restore.
        """
        if self._last is None:
            raise RunError("no weights were averaged yet")
        return distance(*self._last)

    def parts(self, job: Job) -> Sequence[data.Indices] | None:
        """Every client has its share of the data: a random one, or a stretch of it sorted by class."""
        federated = job.parallel.reduction
        order = self.source.sorted_places()
        if isinstance(federated, Federated) and federated.split == "random":
            order = self.streams.generator("clients", job.name).permutation(order)
        own = data.cut(order, client_shares(job))
        return [own[rank * job.parallel.clients // self.ranks] for rank in range(self.ranks)]

    def kept(self) -> Arrays:
        """Return what compressed messages have left out so far."""
        return residuals(self._coding)

    def keep(self, others: Arrays) -> None:
        """Take up what compressed messages have left out."""
        self._last = None
        take_residuals(self._coding, others)

    def _train(self, client: int) -> Trained:
        """Take the local steps of a client and return their mean loss, how far they led, and the moments then."""
        each = self.ranks // self._clients
        weights, moments, losses = self.weights, self.moments, list[float]()
        for local in range(self._local):
            number = self.steps_done * self._local + local
            batches = [self.shards.batch(number, client * each + rank, self.share) for rank in range(each)]
            found = self.kernels.gradients(weights, batches, self.micro)
            losses += found.losses
            moments = followed(moments, found.moments.mean(axis=0))
            mean = reduction.reduce(found.rows, self._inner) / np.float32(each)
            weights, self.state[client] = self.kernels.update(weights, self.state[client], mean)
        return Trained(float(np.mean(losses)), weights - self.weights, moments)


def client_shares(job: Job) -> tuple[float, ...]:
    """Return the share of the data that each client has.

    Raises
    ------
    InputError
        If the job is not federated.
    """
    federated = job.parallel.reduction
    if not isinstance(federated, Federated):
        raise InputError(f'found the job "{job.name}" without clients, expected "reduce: federated"')
    return federated.shares or (1.0 / job.parallel.clients,) * job.parallel.clients
