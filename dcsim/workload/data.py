"""What each rank of an executed job trains on in each step: by (step, rank) alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dcsim.engine.streams import Streams
from dcsim.errors import InputError
from dcsim.workload.datasets import Batch, Indices, Source, source

__all__ = ["Batch", "Indices", "Shards", "Source", "cut", "source"]


class Shards:
    """What each rank trains on in each step: samples at random places, drawn with replacement by (step, rank) alone.

    ``parts`` are the places of each rank where ranks have data of their own; otherwise all draw from everything. With
    ``seeds`` every sample brings a number, by which dropout decides what it zeroes.
    """

    def __init__(
        self,
        source: Source,
        streams: Streams,
        name: str,
        parts: Sequence[Indices] | None = None,
        seeds: bool = False,
    ) -> None:
        self._source, self._streams, self._name, self._parts, self._seeds = source, streams, name, parts, seeds

    def batch(self, step: int, rank: int, samples: int) -> Batch:
        """Return the ``samples`` samples of ``rank`` in ``step``."""
        draws = self._streams.generator("data", self._name, step, rank)
        if self._parts is None:
            places = draws.integers(self._source.places, size=samples)
        else:
            own = self._parts[rank]
            places = own[draws.integers(len(own), size=samples)]
        seeds = {"seeds": draws.integers(2**32, size=samples, dtype=np.uint32)} if self._seeds else {}
        return self._source.samples(places, draws) | seeds


def cut(order: Indices, shares: Sequence[float]) -> list[Indices]:
    """Cut ``order`` into parts of the ``shares`` of it.

    Raises
    ------
    InputError
        If a part would be empty.
    """
    stops = np.rint(np.cumsum(shares) * len(order)).astype(np.int64)
    parts = np.split(order, stops[:-1])
    if min(len(part) for part in parts) == 0:
        raise InputError(f"found a client without a sample, expected a larger share of the {len(order)} samples")
    return parts
