"""Training for real, at a size that fits this machine: every rank's gradient, the simulated all-reduce, the update.

The math runs in float32 whatever the precision of the simulated job, so that the reduced gradient can be held against
that of the whole batch. All ranks hold identical weights, so they are kept once.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import blake2b
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dcsim.engine.streams import Streams
from dcsim.errors import InputError, RunError
from dcsim.workload import data, reduction, runtime
from dcsim.workload.snapshot import Snapshot

if TYPE_CHECKING:
    from dcsim.scenario.workload import Job, ModelSpec

Floats = NDArray[np.float32]
_THREADS = 4  # ranks computed side by side, each by one thread, so that the bits do not depend on their number
_UNROLLED = 4


class Execution:
    """The real training of one job over ``ranks`` data-parallel ranks.

    Raises
    ------
    InputError
        If the job executes nothing, its model cannot learn from its data, or its batch does not split evenly.
    """

    def __init__(self, spec: ModelSpec, job: Job, ranks: int, seed: int) -> None:
        if job.execute is None:
            raise InputError(f'found the job "{job.name}" without "execute", expected one that trains for real')
        context = data.check(job.execute.data, spec)
        self.ranks, self._micro = ranks, job.batch.micro
        self._share, uneven = divmod(job.batch.global_, ranks)
        if uneven or self._share % self._micro:
            raise InputError(
                f"found a global batch of {job.batch.global_}, "
                f"expected a multiple of {ranks} ranks x {self._micro} samples"
            )
        self._random = (seed, job.name)
        self._shards = data.Shards(data.load(job.execute.data), context, Streams(seed), job.name)
        self._kernels = _Kernels(spec, job.optimizer.name, job.optimizer.learning_rate)
        first = Streams(seed).generator("weights", job.name).integers(2**31)
        self._weights, self._state = self._kernels.start(int(first))
        self._last: tuple[int, Floats, Floats] | None = None
        self.steps_done = 0

    @property
    def data_bytes(self) -> float:
        """Size of the data set, as it is read from storage once [B]."""
        return float(self._shards.size_bytes)

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
        mean = reduction.reduce(rows, schedule) / np.float32(self.ranks)
        self._last = (self.steps_done, self._weights, mean)
        self._weights, self._state = self._kernels.update(self._weights, self._state, mean)
        self.steps_done += 1
        return loss

    def snapshot(self) -> Snapshot:
        """Return all that is needed to go on from here."""
        return Snapshot(self._weights.copy(), self._kernels.leaves(self._state), self.steps_done, self._random)

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


class _Kernels:
    """The jitted functions of a job over one flat array of weights, which is also what the all-reduce moves."""

    def __init__(self, model: ModelSpec, optimizer: str, learning_rate: float) -> None:
        runtime.prepare()
        import jax

        from dcsim.workload.step import Recipe, Step, make_optimizer

        # Few layers run a quarter faster laid out, many compile faster in a loop.
        few = getattr(model, "layers", 0) <= _UNROLLED
        self._jax, self._step = jax, Step(Recipe(model, layers="unrolled" if few else "loop"))
        self._optimizer = make_optimizer(optimizer, learning_rate)

        self._threads = ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1), "gradients")
        abstract = jax.eval_shape(lambda: self._step.init(jax.random.key(0))[0])
        self._shapes, self._tree = jax.tree.flatten(abstract)
        self._start = jax.jit(self._flat_start)
        self._gradient = jax.jit(partial(self._flat_gradient, self._step))
        self._whole = jax.jit(partial(self._flat_gradient, Step(Recipe(model, layers="recomputed"))))
        self._update = jax.jit(self._flat_update)

    def start(self, seed: int) -> tuple[Floats, Any]:
        """Return (weights, optimizer state) at the beginning."""
        weights, state = self._start(np.uint32(seed))
        return np.asarray(weights), state

    def gradients(self, weights: Floats, batches: Sequence[data.Batch], micro: int) -> tuple[list[float], Floats]:
        """Return mean loss and gradient of each batch, taken ``micro`` samples at a time; shape (batches, elements)."""
        rows = np.zeros((len(batches), weights.size), np.float32)
        done = self._threads.map(lambda row, batch: self._accumulate(row, weights, batch, micro), rows, batches)
        return list(done), rows

    def whole(self, weights: Floats, batch: data.Batch) -> Floats:
        """Return the gradient of a batch at once; layers are computed twice instead of kept, to save memory."""
        return np.asarray(self._whole(weights, batch)[1])

    def _accumulate(self, row: Floats, weights: Floats, batch: data.Batch, micro: int) -> float:
        """Add up the gradients of a rank's micro batches into ``row``, by one thread, and return their mean loss."""
        parts = len(batch["labels"]) // micro
        losses = []
        for first in range(0, parts * micro, micro):
            part = {name: array[first : first + micro] for name, array in batch.items()}
            loss, gradient = self._gradient(weights, part)
            row += np.asarray(gradient)
            losses.append(float(loss))
        row /= np.float32(parts)
        return sum(losses) / parts

    def update(self, weights: Floats, state: Any, gradient: Floats) -> tuple[Floats, Any]:
        """Return (weights, optimizer state) after one step of the optimizer."""
        changed, state = self._update(weights, state, gradient)
        return np.asarray(changed), state

    def leaves(self, state: Any) -> tuple[NDArray[Any], ...]:
        """Return copies of the arrays of an optimizer state."""
        return tuple(np.array(leaf) for leaf in self._jax.tree.leaves(state))

    def rebuilt(self, leaves: Sequence[NDArray[Any]]) -> Any:
        """Return the optimizer state made of ``leaves``."""
        shape = self._jax.eval_shape(self._start, np.uint32(0))[1]
        return self._jax.tree.unflatten(self._jax.tree.structure(shape), list(leaves))

    def _flat_start(self, seed: Any) -> tuple[Any, Any]:
        weights = self._flat(self._step.init(self._jax.random.key(seed))[0])
        return weights, self._optimizer.init(weights)

    def _flat_gradient(self, step: Any, weights: Any, batch: Any) -> tuple[Any, Any]:
        loss, gradient = step.gradient(self._tree_of(weights), batch)
        return loss, self._flat(gradient)

    def _flat_update(self, weights: Any, state: Any, gradient: Any) -> tuple[Any, Any]:
        changes, state = self._optimizer.update(gradient, state, weights)
        return weights + changes, state

    def _flat(self, tree: Any) -> Any:
        return self._jax.numpy.concatenate([leaf.ravel() for leaf in self._jax.tree.leaves(tree)])

    def _tree_of(self, weights: Any) -> Any:
        stops = list(accumulate(leaf.size for leaf in self._shapes))
        parts = self._jax.numpy.split(weights, stops[:-1])
        leaves = [part.reshape(leaf.shape) for part, leaf in zip(parts, self._shapes, strict=True)]
        return self._jax.tree.unflatten(self._tree, leaves)
