"""What all ways to train for real have in common: data, kernels, weights, how the model is judged, snapshots."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dcsim.engine.streams import Streams
from dcsim.errors import InputError
from dcsim.workload import data
from dcsim.workload.kernels import Kernels
from dcsim.workload.reduction import Move
from dcsim.workload.snapshot import Snapshot
from dcsim.workload.stopping import DivergedError, Evaluation, Patience

if TYPE_CHECKING:
    from dcsim.scenario.workload import Job, ModelSpec

Floats = NDArray[np.float32]
Arrays = Mapping[str, NDArray[Any]]
_PATIENCE, _MOMENTS = "patience", "moments"
_KEPT = 0.9  # of the moments of norms at each update: He et al. (CVPR 2016) leave it open; that of common libraries


class Trainer(ABC):
    """The real training of one job over ``ranks`` ranks.

    Raises
    ------
    InputError
        If the job executes nothing, its model cannot learn from its data, or its batch does not split evenly.
    """

    def __init__(self, spec: ModelSpec, job: Job, ranks: int, seed: int) -> None:
        if job.execute is None:
            raise InputError(f'found the job "{job.name}" without "execute", expected one that trains for real')
        self.ranks, self.micro = ranks, job.batch.micro
        self.share = _share(job, ranks)
        self.streams = Streams(seed)
        self._random = (seed, job.name)
        apart = job.execute.validate_.share if job.execute.validate_ else 0.0
        self.source = data.source(job.execute.data, spec, apart, self.streams.generator("held out", job.origin))
        self.kernels = Kernels(spec, job.optimizer, job.steps * updates_a_step(job, ranks))
        self.shards = data.Shards(self.source, self.streams, job.name, self.parts(job), self.kernels.seeded)
        first = self.streams.generator("weights", job.name).integers(2**31)
        self.state: Any
        self.weights, self.state = self.kernels.start(int(first))
        self.moments = self.kernels.first_moments()
        self._patience = Patience(job.execute.stop)
        self.steps_done = 0

    @abstractmethod
    def step(self, schedule: Sequence[Sequence[Move]]) -> float:
        """Take one step and return its mean loss [nat]; ``schedule`` says who adds which chunk to whose."""

    @abstractmethod
    def full_batch_difference(self) -> float:
        """Return how far what was last added up is from what it stands for, relative in the L2 norm."""

    @abstractmethod
    def parts(self, job: Job) -> Sequence[data.Indices] | None:
        """Return the places of the data that each rank has for itself, None if all share them."""

    @abstractmethod
    def kept(self) -> Arrays:
        """Return what later steps depend on beside weights, optimizer state and the number of steps."""

    @abstractmethod
    def keep(self, others: Arrays) -> None:
        """Take up what :meth:`kept` returned; what is missing begins anew."""

    @property
    def data_bytes(self) -> float:
        """Size of the data set, as it is read from storage once [B]."""
        return float(self.source.size_bytes)

    @property
    def elements(self) -> int:
        """Parameters of the model."""
        return int(self.weights.size)

    @property
    def held_out(self) -> int:
        """Samples that no one trains on."""
        return len(self.source.held_out()["labels"])

    def evaluate(self) -> Evaluation:
        """Look how well the model does on the held-out samples."""
        loss, accuracy = self.kernels.evaluate(self.weights, self.moments, self.source.held_out())
        return Evaluation(loss, accuracy, self._patience.look(loss))

    def snapshot(self) -> Snapshot:
        """Return all that is needed to go on from here."""
        others = {name: array.copy() for name, array in self.kept().items()}
        if self._patience.waited or isfinite(self._patience.lowest):
            others[_PATIENCE] = self._patience.state
        if self.moments.size:
            others[_MOMENTS] = self.moments.copy()
        return Snapshot(self.weights.copy(), self.kernels.leaves(self.state), self.steps_done, self._random, others)

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from ``snapshot``; what follows equals an uninterrupted run bit for bit.

        Raises
        ------
        InputError
            If the snapshot is of another job, seed or model.
        """
        if snapshot.random != self._random or snapshot.weights.shape != self.weights.shape:
            raise InputError("found a snapshot of another job, seed or model, expected one of this job")
        self.weights, self.steps_done = snapshot.weights.copy(), snapshot.step
        self.state = self.kernels.rebuilt(self.state, snapshot.optimizer)
        self.moments = np.array(snapshot.others.get(_MOMENTS, self.kernels.first_moments()), np.float32)
        self._patience.restore(snapshot.others.get(_PATIENCE, np.array([inf, 0.0])))
        self.keep(snapshot.others)

    def digest(self) -> str:
        """Return a digest of the weights, equal exactly where every bit of them is."""
        return blake2b(self.weights.tobytes(), digest_size=16).hexdigest()

    def note(self, moments: Floats) -> None:
        """Norms over the batch had these ``moments``, as the mean of all micro batches of all ranks."""
        self.moments = followed(self.moments, moments)

    def finite(self, loss: float) -> float:
        """Return ``loss``, or raise DivergedError if it is not finite."""
        if not np.isfinite(loss):
            raise DivergedError(f"the loss of step {self.steps_done} is {loss}; a lower learning rate may help")
        return loss


def updates_a_step(job: Job, ranks: int) -> int:
    """Return how often weights are updated in a step of the job."""
    return ranks if job.parallel.asynchronous else job.parallel.local_steps


def followed(moments: Floats, found: Floats) -> Floats:
    """Return the moving average of the moments of norms after an update that ``found`` these.

    Ioffe and Szegedy, "Batch Normalization" (ICML 2015), section 3.1. They are float32 and few: a mean and a variance a
    channel, whose way from rank to rank is not counted.
    """
    return np.float32(_KEPT) * moments + np.float32(1.0 - _KEPT) * found


def distance(found: NDArray[Any], exact: NDArray[Any]) -> float:
    """Return how far ``found`` is from ``exact``, relative in the L2 norm."""
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def _share(job: Job, ranks: int) -> int:
    """Return the samples that a rank takes for each update of weights."""
    updates = ranks * job.parallel.local_steps
    share, uneven = divmod(job.batch.global_, updates)
    if uneven or share % job.batch.micro:
        raise InputError(
            f"found a global batch of {job.batch.global_}, expected a multiple of {updates} ranks x {job.batch.micro} "
            "samples"
        )
    return share
