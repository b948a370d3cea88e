"""Training for real, at a size that fits this machine: every rank's gradient, the simulated all-reduce, the update.

The math runs in float32 whatever the precision of the simulated job, so that the reduced gradient can be held against
that of the whole batch; gradients travel in that precision, or compressed. All ranks hold identical weights, so they
are kept once.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dcsim.engine.streams import Streams
from dcsim.errors import InputError, RunError
from dcsim.workload import data, reduction
from dcsim.workload.compression import codec
from dcsim.workload.kernels import Kernels
from dcsim.workload.snapshot import Snapshot
from dcsim.workload.stopping import Evaluation, Patience

if TYPE_CHECKING:
    from dcsim.scenario.workload import Job, ModelSpec

Floats = NDArray[np.float32]
_RESIDUAL, _PATIENCE = "residual", "patience"


class Execution:
    """The real training of one job over ``ranks`` data-parallel ranks.

    Raises
    ------
    InputError
        If the job executes nothing, its model cannot learn from its data, or its batch does not split evenly.
    """

    def __init__(self, spec: ModelSpec, job: Job, ranks: int, seed: int) -> None:
        self.ranks, self._micro = ranks, job.batch.micro
        self._share, uneven = divmod(job.batch.global_, ranks)
        if uneven or self._share % self._micro:
            raise InputError(
                f"found a global batch of {job.batch.global_}, "
                f"expected a multiple of {ranks} ranks x {self._micro} samples"
            )
        self._random = (seed, job.name)
        self._source = _source(spec, job, Streams(seed))
        self._shards = data.Shards(self._source, Streams(seed), job.name)
        self._kernels = Kernels(spec, job.optimizer, job.steps)
        first = Streams(seed).generator("weights", job.name).integers(2**31)
        self._weights, self._state = self._kernels.start(int(first))
        self._coding = self._make_coding(job)
        self._patience = Patience(job.execute.stop if job.execute else None)
        self._last: tuple[int, Floats, Floats] | None = None
        self.steps_done = 0

    @property
    def data_bytes(self) -> float:
        """Size of the data set, as it is read from storage once [B]."""
        return float(self._source.size_bytes)

    @property
    def elements(self) -> int:
        """Parameters of the model."""
        return int(self._weights.size)

    def step(self, schedule: Sequence[Sequence[reduction.Move]]) -> float:
        """Take one training step and return its mean loss [nat]; ``schedule`` says who adds which chunk to whose."""
        batches = [self._shards.batch(self.steps_done, rank, self._share) for rank in range(self.ranks)]
        losses, rows = self._kernels.gradients(self._weights, batches, self._micro)
        loss = float(np.mean(losses))
        if not np.isfinite(loss):
            raise RunError(f"the loss of step {self.steps_done} is {loss}; a lower learning rate may help")
        mean = reduction.reduce(rows, schedule, self._coding) / np.float32(self.ranks)
        self._last = (self.steps_done, self._weights, mean)
        self._weights, self._state = self._kernels.update(self._weights, self._state, mean)
        self.steps_done += 1
        return loss

    def evaluate(self) -> Evaluation:
        """Look how well the model does on the held-out samples."""
        loss, accuracy = self._kernels.evaluate(self._weights, self._source.held_out())
        return Evaluation(loss, accuracy, self._patience.look(loss))

    @property
    def held_out(self) -> int:
        """Samples that no one trains on."""
        return len(self._source.held_out()["labels"])

    def snapshot(self) -> Snapshot:
        """Return all that is needed to go on from here."""
        others: dict[str, NDArray[Any]] = {}
        if self._coding is not None and self._coding.residual is not None:
            others[_RESIDUAL] = self._coding.residual.copy()
        if self._patience.waited or isfinite(self._patience.lowest):
            others[_PATIENCE] = self._patience.state
        return Snapshot(self._weights.copy(), self._kernels.leaves(self._state), self.steps_done, self._random, others)

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from ``snapshot``; what follows equals an uninterrupted run bit for bit.

        Raises
        ------
        InputError
            If the snapshot is of another job, seed or model.
        """
        if snapshot.random != self._random or snapshot.weights.shape != self._weights.shape:
            raise InputError("found a snapshot of another job, seed or model, expected one of this job")
        self._weights, self.steps_done, self._last = snapshot.weights.copy(), snapshot.step, None
        self._state = self._kernels.rebuilt(snapshot.optimizer)
        if self._coding is not None and self._coding.residual is not None:
            self._coding.residual[:] = snapshot.others.get(_RESIDUAL, 0.0)
        self._patience.restore(snapshot.others.get(_PATIENCE, np.array([inf, 0.0])))

    def digest(self) -> str:
        """Return a digest of the weights, equal exactly where every bit of them is."""
        return blake2b(self._weights.tobytes(), digest_size=16).hexdigest()

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
        batches = [self._shards.batch(step, rank, self._share) for rank in range(self.ranks)]
        whole = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
        exact = self._kernels.whole(weights, whole)
        return float(np.linalg.norm(reduced - exact) / np.linalg.norm(exact))

    def _make_coding(self, job: Job) -> reduction.Coding | None:
        chosen = job.parallel.coding
        function = codec(chosen, job.precision)
        if function is None or self.ranks == 1:
            return None
        kept = np.zeros((self.ranks, self.elements), np.float32) if chosen and chosen.error_feedback else None
        return reduction.Coding(function, kept)


def _source(spec: ModelSpec, job: Job, streams: Streams) -> data.Source:
    """Return the data set of an executed job; which samples are held out follows from the seed and its name."""
    if job.execute is None:
        raise InputError(f'found the job "{job.name}" without "execute", expected one that trains for real')
    apart = job.execute.validate_.share if job.execute.validate_ else 0.0
    return data.source(job.execute.data, spec, apart, streams.generator("held out", job.name))
