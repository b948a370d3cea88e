"""When a job that learns has learned enough: early stopping by the loss on held-out samples.

L. Prechelt, "Early stopping - but when?", Neural Networks: Tricks of the Trade (1998), third class of criteria: stop
when the held-out loss has not fallen for a number of looks in a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dcsim.errors import RunError

if TYPE_CHECKING:
    from dcsim.scenario.learning import Stop


class DivergedError(RunError):
    """A loss is not finite."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Mean loss on the held-out samples, share of them whose class was found (None where there are no classes), and
    whether that is the sign to stop.
    """

    loss: float
    accuracy: float | None
    stop: bool = False


class Patience:
    """The lowest held-out loss so far, and how many looks since then brought none lower."""

    def __init__(self, stop: Stop | None) -> None:
        self._stop, self.lowest, self.waited = stop, inf, 0

    def look(self, loss: float) -> bool:
        """Note a held-out loss and return whether patience is at its end."""
        if self._stop is None or self._stop.patience is None:
            return False
        if loss < self.lowest * (1.0 - self._stop.improvement):
            self.lowest, self.waited = loss, 0
        else:
            self.waited += 1
        return self.waited >= self._stop.patience

    @property
    def state(self) -> NDArray[np.float64]:
        """All that later looks depend on."""
        return np.array([self.lowest, self.waited])

    def restore(self, state: NDArray[np.float64]) -> None:
        """Go on from ``state``."""
        self.lowest, self.waited = float(state[0]), int(state[1])
