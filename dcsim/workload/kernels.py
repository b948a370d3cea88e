"""The jitted functions of an executed job over one flat array of weights, which is also what the ranks exchange."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dcsim.workload import data, runtime

if TYPE_CHECKING:
    from dcsim.scenario.workload import ModelSpec, Optimizer

Floats = NDArray[np.float32]
_THREADS = 4  # ranks computed side by side, each by one thread, so that the bits do not depend on their number
_UNROLLED = 4


class Kernels:
    """Start, gradient and update of one job."""

    def __init__(self, model: ModelSpec, optimizer: Optimizer, steps: int) -> None:
        runtime.prepare()
        import jax

        from dcsim.workload.models import family
        from dcsim.workload.optimizers import make_optimizer
        from dcsim.workload.schedules import learning_rate
        from dcsim.workload.step import Recipe, Step

        # Few layers run a quarter faster laid out, many compile faster in a loop.
        few = getattr(model, "layers", 0) <= _UNROLLED
        self._model, self._loss = model, family(model).loss
        self._jax, self._step = jax, Step(Recipe(model, layers="unrolled" if few else "loop"))
        self._optimizer = make_optimizer(optimizer, learning_rate(optimizer, steps))

        self._threads = ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1), "gradients")
        abstract = jax.eval_shape(lambda: self._step.init(jax.random.key(0))[0])
        self._shapes, self._tree = jax.tree.flatten(abstract)
        self._start = jax.jit(self._flat_start)
        self._gradient = jax.jit(partial(self._flat_gradient, self._step))
        self._whole = jax.jit(partial(self._flat_gradient, Step(Recipe(model, layers="recomputed"))))
        self._update = jax.jit(self._flat_update)
        self._judge = jax.jit(self._flat_judge)

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

    def evaluate(self, weights: Floats, batch: data.Batch) -> tuple[float, float | None]:
        """Return the mean loss of a batch, and of labels that are classes the share for which no other class has a
        lower loss: the class that the model finds most likely.
        """
        losses, found = self._judge(weights, batch)
        loss = float(np.asarray(losses, np.float64).mean())
        return loss, None if found is None else float(np.asarray(found, np.float64).mean())

    def leaves(self, state: Any) -> tuple[NDArray[Any], ...]:
        """Return copies of the arrays of an optimizer state."""
        return tuple(np.array(leaf) for leaf in self._jax.tree.leaves(state))

    def rebuilt(self, like: Any, leaves: Sequence[NDArray[Any]]) -> Any:
        """Return an optimizer state, or several, of the structure of ``like`` and made of ``leaves``."""
        return self._jax.tree.unflatten(self._jax.tree.structure(like), list(leaves))

    def _flat_start(self, seed: Any) -> tuple[Any, Any]:
        weights = self._flat(self._step.init(self._jax.random.key(seed))[0])
        return weights, self._optimizer.init(weights)

    def _flat_gradient(self, step: Any, weights: Any, batch: Any) -> tuple[Any, Any]:
        loss, gradient = step.gradient(self._tree_of(weights), batch)
        return loss, self._flat(gradient)

    def _flat_update(self, weights: Any, state: Any, gradient: Any) -> tuple[Any, Any]:
        changes, state = self._optimizer.update(gradient, state, weights)
        return weights + changes, state

    def _flat_judge(self, weights: Any, batch: Any) -> tuple[Any, Any]:
        tree, jnp = self._tree_of(weights), self._jax.numpy
        classes = getattr(self._model, "classes", None)
        if classes is None or batch["labels"].ndim > 1:
            return self._loss(tree, batch, self._model, "loop"), None

        def one(inputs: Any, label: Any) -> tuple[Any, Any]:
            # The forward pass does not depend on the class, so it is computed once for all of them.
            losses = self._jax.vmap(lambda guess: self._loss(tree, _single(inputs, guess), self._model, "loop"))(
                jnp.arange(classes, dtype=batch["labels"].dtype)
            )
            return losses[label], jnp.argmin(losses) == label

        found: tuple[Any, Any] = self._jax.vmap(one)(batch["inputs"], batch["labels"])
        return found

    def _flat(self, tree: Any) -> Any:
        return self._jax.numpy.concatenate([leaf.ravel() for leaf in self._jax.tree.leaves(tree)])

    def _tree_of(self, weights: Any) -> Any:
        stops = list(accumulate(leaf.size for leaf in self._shapes))
        parts = self._jax.numpy.split(weights, stops[:-1])
        leaves = [part.reshape(leaf.shape) for part, leaf in zip(parts, self._shapes, strict=True)]
        return self._jax.tree.unflatten(self._tree, leaves)


def _single(inputs: Any, label: Any) -> dict[str, Any]:
    return {"inputs": inputs[None], "labels": label[None]}
