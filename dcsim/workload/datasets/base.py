"""What every data set offers: samples to train on by their place, and samples that are held out."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
Batch = dict[str, NDArray[Any]]


class Source(Protocol):
    """A data set: ``places`` where training samples begin, and held-out samples."""

    places: int

    @property
    def size_bytes(self) -> int:
        """Size of the whole data set [B]."""

    def samples(self, places: Indices, draws: np.random.Generator | None = None) -> Batch:
        """Return the training samples at ``places``; ``draws`` decide what is random about them."""

    def held_out(self) -> Batch:
        """Return the samples that no one trains on, none if nothing is held out."""

    def sorted_places(self) -> Indices:
        """Return all places, those of one class together."""
