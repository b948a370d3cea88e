"""The load of every link, as the sum of what flows and what is held."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dcsim.engine import Clock, LevelArray
from dcsim.network.tree import Floats, Indices


class Load:
    """``levels`` [B/s] is ``flowing`` (of transfers) plus ``held`` (of holds), each of shape (links,)."""

    def __init__(self, clock: Clock, names: Sequence[str]) -> None:
        self.levels = LevelArray(clock, names, "B/s")
        self.flowing: Floats = np.zeros(len(names))
        self.held: Floats = np.zeros(len(names))

    def flow(self, before: Indices, links: Indices, loads: Floats) -> None:
        """Let transfers load ``links`` and nothing else, where before they loaded the links ``before``."""
        self.flowing[before] = 0.0
        self.flowing[links] = loads
        changed = np.zeros(len(self.flowing), dtype=bool)
        changed[before] = changed[links] = True
        self.publish(np.flatnonzero(changed))

    def publish(self, where: Indices) -> None:
        """Give the levels at ``where`` their new value."""
        self.levels.set(where, self.flowing[where] + self.held[where])
