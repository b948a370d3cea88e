"""The jitted functions of an executed job over one flat array of weights, which is also what the ranks exchange."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dcsim.workload import data, runtime

if TYPE_CHECKING:
    from dcsim.scenario.workload import ModelSpec, Optimizer

Floats = NDArray[np.float32]
_THREADS = 4  # ranks computed side by side, each by one thread, so that the bits do not depend on their number
_UNROLLED = 4


class Passed(NamedTuple):
    """What each batch gave: its mean loss, its gradient, shape (batches, elements), and the moments that norms over the
    batch had, shape (batches, moments).
    """

    losses: list[float]
    rows: Floats
    moments: Floats


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
        self._model, self._family = model, family(model)
        self._jax, self._step = jax, Step(Recipe(model, layers="unrolled" if few else "loop"))
        self._optimizer = make_optimizer(optimizer, learning_rate(optimizer, steps))

        self._threads = ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1), "gradients")
        abstract = jax.eval_shape(lambda: self._step.init(jax.random.key(0))[0])
        self._shapes, self._tree = jax.tree.flatten(abstract)
        self._moments = self._like_moments()
        self._start = jax.jit(self._flat_start)
        self._gradient = jax.jit(self._flat_gradient)
        self._whole = jax.jit(partial(self._flat_whole, Step(Recipe(model, layers="recomputed"))))
        self._update = jax.jit(self._flat_update)
        self._judge = jax.jit(self._flat_judge)

    def start(self, seed: int) -> tuple[Floats, Any]:
        """Return (weights, optimizer state) at the beginning."""
        weights, state = self._start(np.uint32(seed))
        return np.asarray(weights), state

    @property
    def seeded(self) -> bool:
        """Whether samples need seeds, because training zeroes some of the numbers between layers."""
        return "seeds" in self._step.batch(1)

    def first_moments(self) -> Floats:
        """Return the moments that norms begin with, as if every channel were normal; none where there are no norms
        over the batch.
        """
        names = [name for name, _ in self._moments]
        sizes = [size for _, size in self._moments]
        return np.repeat(np.array([float(name == "variance") for name in names], np.float32), sizes)

    def gradients(self, weights: Floats, batches: Sequence[data.Batch], micro: int) -> Passed:
        """Return what each batch gives, taken ``micro`` samples at a time."""
        rows = np.zeros((len(batches), weights.size), np.float32)
        moments = np.zeros((len(batches), sum(size for _, size in self._moments)), np.float32)
        done = self._threads.map(
            lambda row, own, batch: self._accumulate((row, own), weights, batch, micro), rows, moments, batches
        )
        return Passed(list(done), rows, moments)

    def whole(self, weights: Floats, batches: Sequence[data.Batch], micro: int) -> Floats:
        """Return the gradient of the mean loss of all ``batches``, computed at once by another program than theirs.

        Where the loss of a sample depends on the others of its micro batch, this is the mean over the micro batches;
        elsewhere the whole is one batch. Layers are computed twice instead of kept, to save memory.
        """
        batch = {name: np.concatenate([one[name] for one in batches]) for name in batches[0]}
        if self._family.joint:
            batch = {name: array.reshape(-1, micro, *array.shape[1:]) for name, array in batch.items()}
        return np.asarray(self._whole(weights, batch))

    def _accumulate(self, rows: tuple[Floats, Floats], weights: Floats, batch: data.Batch, micro: int) -> float:
        """Add up gradients and moments of a rank's micro batches into ``rows``, by one thread, and return their mean
        loss.
        """
        parts = len(batch["labels"]) // micro
        losses = []
        for first in range(0, parts * micro, micro):
            part = {name: array[first : first + micro] for name, array in batch.items()}
            loss, gradient, moments = self._gradient(weights, part)
            for row, found in zip(rows, (gradient, moments), strict=True):
                row += np.asarray(found)
            losses.append(float(loss))
        for row in rows:
            row /= np.float32(parts)
        return sum(losses) / parts

    def update(self, weights: Floats, state: Any, gradient: Floats) -> tuple[Floats, Any]:
        """Return (weights, optimizer state) after one step of the optimizer."""
        changed, state = self._update(weights, state, gradient)
        return np.asarray(changed), state

    def evaluate(self, weights: Floats, moments: Floats, batch: data.Batch) -> tuple[float, float | None]:
        """Return the mean loss of a batch, and the share of what was to be found that the model finds most likely.

        Norms over the batch have ``moments`` in place of the batch's; nothing is dropped.
        """
        losses, found = self._judge(weights, moments, batch)
        loss = float(np.asarray(losses, np.float64).mean())
        return loss, None if found is None else float(np.asarray(found, np.float64).mean())

    def evaluate_as(
        self, change: Callable[[Any], Any], weights: Floats, moments: Floats, batch: data.Batch
    ) -> tuple[float, float | None]:
        """Return what :meth:`evaluate` does with the program that ``change`` makes of the model's."""
        losses, found = self._jax.jit(change(self._flat_judge))(weights, moments, batch)
        loss = float(np.asarray(losses, np.float64).mean())
        return loss, None if found is None else float(np.asarray(found, np.float64).mean())

    def leaves_of(self, weights: Floats) -> list[Floats]:
        """Return the arrays that flat ``weights`` are made of, in their order."""
        stops = list(accumulate(leaf.size for leaf in self._shapes))
        parts = np.split(weights, stops[:-1])
        return [part.reshape(leaf.shape) for part, leaf in zip(parts, self._shapes, strict=True)]

    def leaves(self, state: Any) -> tuple[NDArray[Any], ...]:
        """Return copies of the arrays of an optimizer state."""
        return tuple(np.array(leaf) for leaf in self._jax.tree.leaves(state))

    def rebuilt(self, like: Any, leaves: Sequence[NDArray[Any]]) -> Any:
        """Return an optimizer state, or several, of the structure of ``like`` and made of ``leaves``."""
        return self._jax.tree.unflatten(self._jax.tree.structure(like), list(leaves))

    def _flat_start(self, seed: Any) -> tuple[Any, Any]:
        weights = self._flat(self._step.init(self._jax.random.key(seed))[0])
        return weights, self._optimizer.init(weights)

    def _flat_gradient(self, weights: Any, batch: Any) -> tuple[Any, Any, Any]:
        tree, layers = self.tree_of(weights), self._step.recipe.layers
        if self._family.noted is None:
            loss, gradient = self._step.gradient(tree, batch)
            return loss, self._flat(gradient), self._jax.numpy.zeros(0)
        differentiated = self._jax.value_and_grad(self._family.noted, has_aux=True)
        (loss, moments), gradient = differentiated(tree, batch, self._model, layers)
        return loss, self._flat(gradient), self._flat(moments)

    def _flat_whole(self, step: Any, weights: Any, batch: Any) -> Any:
        if not self._family.joint:
            return self._flat(step.gradient(self.tree_of(weights), batch)[1])

        each = self._jax.lax.map(lambda part: self._flat(step.gradient(self.tree_of(weights), part)[1]), batch)
        return each.mean(axis=0)

    def _flat_update(self, weights: Any, state: Any, gradient: Any) -> tuple[Any, Any]:
        changes, state = self._optimizer.update(gradient, state, weights)
        return weights + changes, state

    def _flat_judge(self, weights: Any, moments: Any, batch: Any) -> tuple[Any, Any]:
        known = () if self._family.noted is None else (self._moments_of(moments),)
        losses, right = self._family.judge(self.tree_of(weights), batch, self._model, *known)
        return losses, right

    def _like_moments(self) -> list[tuple[str, int]]:
        """Return the moments that the norms have: which they are, and how many numbers, in the order of leaves."""
        noted, model, layers = self._family.noted, self._model, self._step.recipe.layers
        if noted is None:
            return []
        weights = self._jax.tree.unflatten(self._tree, self._shapes)
        given = weights, self._step.batch(1)
        _, moments = self._jax.eval_shape(lambda tree, batch: noted(tree, batch, model, layers), *given)
        self._moment_shapes, self._moment_tree = self._jax.tree.flatten(moments)
        paths = self._jax.tree_util.tree_flatten_with_path(moments)[0]
        return [(str(getattr(path[-1], "name", "")), leaf.size) for path, leaf in paths]

    def _moments_of(self, moments: Any) -> Any:
        return self._split(moments, self._moment_shapes, self._moment_tree)

    def _flat(self, tree: Any) -> Any:
        return self._jax.numpy.concatenate([leaf.ravel() for leaf in self._jax.tree.leaves(tree)])

    def tree_of(self, weights: Any) -> Any:
        """Return the parameters that flat ``weights`` are, real or traced."""
        return self._split(weights, self._shapes, self._tree)

    def _split(self, flat: Any, shapes: Sequence[Any], tree: Any) -> Any:
        stops = list(accumulate(leaf.size for leaf in shapes))
        parts = self._jax.numpy.split(flat, stops[:-1])
        leaves = [part.reshape(leaf.shape) for part, leaf in zip(parts, shapes, strict=True)]
        return self._jax.tree.unflatten(tree, leaves)
