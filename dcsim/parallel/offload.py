"""What of a plan waits in the memory of the host in place of the accelerator's.

J. Ren et al., "ZeRO-Offload: Democratizing billion-scale model training", USENIX ATC 2021: gradients go to the host,
which keeps the optimizer's states and takes its step. S. Rajbhandari et al., "ZeRO-Infinity: Breaking the GPU memory
wall for extreme scale deep learning", SC 2021: weights and activations wait there too, and come back layer by layer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def _no() -> Floats:
    return np.zeros(1)


def _at_once() -> Floats:
    return np.full(1, inf)


@dataclass(frozen=True, slots=True)
class Offload:
    """What waits with the host, every field of shape (cases,) or (1,).

    Attributes
    ----------
    optimizer, gradients, weights, activations
        1 where they do. The optimizer's step is then the host's; embedding and head stay where they are.
    rate
        To the host, and as much from it at once, while all ranks of a server move as much [B/s].
    memory_rate
        Of the host's memory, for one rank while all others of its socket take as much [B/s].
    """

    optimizer: Floats = field(default_factory=_no)
    gradients: Floats = field(default_factory=_no)
    weights: Floats = field(default_factory=_no)
    activations: Floats = field(default_factory=_no)
    rate: Floats = field(default_factory=_at_once)
    memory_rate: Floats = field(default_factory=_at_once)

    @property
    def there(self) -> bool:
        """Whether anything does."""
        return bool(np.any(self.optimizer + self.gradients + self.weights + self.activations))
