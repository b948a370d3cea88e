"""Clicks that are made up by a stated rule, since no data set of clicks comes with a package.

Every category of every table, and the numbers together, have a hidden vector of four numbers; the logit of a click is
the sum of the products of all pairs of a sample's vectors (a factorization machine: S. Rendle, ICDM 2010), scaled to a
deviation of 2. A click is drawn with that probability, so no model can be right always: the mean entropy of the draws
is the lowest loss there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import numpy as np
from numpy.typing import NDArray

from dcsim.workload.datasets.base import Batch, Indices

if TYPE_CHECKING:
    from dcsim.scenario.models import ModelSpec, RecommenderModel

SAMPLES: Final = 20_000
_HIDDEN: Final = 4
_SPREAD: Final = 2.0


class Clicks:
    """Numbers, categories, and whether there was a click; ``chances`` are the true probabilities."""

    def __init__(self, spec: RecommenderModel, held_out: float, draws: np.random.Generator) -> None:
        self._numbers = draws.normal(size=(SAMPLES, spec.numbers)).astype(np.float32)
        # Popular categories are common: the square of a uniform draw.
        uniform = draws.random((SAMPLES, len(spec.tables))) ** 2
        self._categories = (uniform * np.array(spec.tables)).astype(np.int32)
        self.chances = self._chances(spec, draws)
        self._labels = (draws.random(SAMPLES) < self.chances).astype(np.int32)
        order = draws.permutation(SAMPLES)
        apart = round(held_out * SAMPLES)
        self._apart, self._train = order[:apart], order[apart:]
        self.places = len(self._train)

    @property
    def size_bytes(self) -> int:
        """Size of all samples: numbers and categories of 32 bits, and the label [B]."""
        return int(self._numbers.nbytes + self._categories.nbytes + SAMPLES)

    def samples(self, places: Indices, draws: np.random.Generator | None = None) -> Batch:
        """Return the training samples number ``places``."""
        del draws
        return self._batch(self._train[places])

    def held_out(self) -> Batch:
        """Return the samples that no one trains on."""
        return self._batch(self._apart)

    def sorted_places(self) -> Indices:
        """Return all places, those without a click first."""
        return np.asarray(np.argsort(self._labels[self._train], kind="stable"), np.int64)

    def lowest_loss(self) -> float:
        """Return the mean entropy of the held-out samples [nat]: no model does better on average."""
        chances = self.chances[self._apart]
        return float(-np.mean(chances * np.log(chances) + (1 - chances) * np.log1p(-chances)))

    def _chances(self, spec: RecommenderModel, draws: np.random.Generator) -> NDArray[np.float64]:
        vectors = [self._numbers @ draws.normal(size=(spec.numbers, _HIDDEN)) / np.sqrt(spec.numbers)]
        for place, rows in enumerate(spec.tables):
            vectors.append(draws.normal(size=(rows, _HIDDEN))[self._categories[:, place]])
        stacked = np.stack(vectors)
        # The products of all pairs: half of the square of the sum less the sum of the squares.
        logits = (np.square(stacked.sum(axis=0)) - np.square(stacked).sum(axis=0)).sum(axis=1) / 2
        logits = _SPREAD * (logits - logits.mean()) / logits.std()
        found: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-logits))
        return found

    def _batch(self, rows: Indices) -> Batch:
        return {"inputs": self._numbers[rows], "categories": self._categories[rows], "labels": self._labels[rows]}


def clicks(model: ModelSpec, held_out: float, draws: np.random.Generator) -> Clicks:
    """Return clicks as a recommender takes them."""
    return Clicks(cast("RecommenderModel", model), held_out, draws)
