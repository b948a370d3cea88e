"""How data-parallel ranks exchange gradients and weights, where a plan says more than its software era does.

Gradients travel in buckets as the backward pass completes them, so that the last one has nothing to hide behind (S. Li
et al., "PyTorch Distributed: Experiences on accelerating data parallel training", VLDB 2020, section 3.2). Sharded
weights of a layer are gathered while the one before computes, or when they are asked for (Y. Zhao et al., "PyTorch
FSDP", VLDB 2023, section 3.3).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DataExchange:
    """Ways to exchange, every field of shape (cases,).

    Attributes
    ----------
    bucket
        Size of a message of gradients, and of weights that come back [B]; infinite as the era has it.
    prefetched
        1 where sharded weights are gathered ahead of their layer, 0 where it waits for them.
    """

    bucket: Floats = field(default_factory=lambda: np.full(1, np.inf))
    prefetched: Floats = field(default_factory=lambda: np.ones(1))

    def messages(self, size_bytes: Floats) -> Floats:
        """Return in how many messages ``size_bytes`` travel, all of one size [1]."""
        return np.asarray(np.maximum(np.ceil(size_bytes / self.bucket), 1.0))

    def unhidden(self, seconds: Floats, size_bytes: Floats) -> Floats:
        """Return the time of the one message that no computation can cover, 0 where no bucket is told [s]."""
        return np.where(np.isfinite(self.bucket), seconds / self.messages(size_bytes), 0.0)
