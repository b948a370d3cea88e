"""The load of every link, as the sum of what flows and what is held."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from dcsim.engine import LevelArray
from dcsim.network.tree import Floats, Indices

_MANY = 1024  # places


class Load:
    """``levels`` [B/s] is ``flowing`` (of transfers) plus ``held`` (of holds), each of shape (links,)."""

    def __init__(self, levels: LevelArray, flowing: Floats, held: Floats) -> None:
        self.levels, self.flowing, self.held = levels, flowing, held

    def publish(self, where: Indices) -> None:
        """Give the levels at ``where``, each once, their new value."""
        for some in pieces(where):
            self.levels.assign(some, self.flowing[some] + self.held[some])
        self.levels.changed()


def pieces(where: Indices) -> list[Indices | slice]:
    """Return places as slices if they are many and nearly all neighbors: all links of a tier are reached far sooner
    than one by one.
    """
    if len(where) < _MANY:
        return [where]
    ends = np.flatnonzero(np.diff(where) != 1) + 1
    if len(ends) * _MANY > len(where):
        return [where]
    edges = pairwise([0, *ends.tolist(), len(where)])
    return [slice(int(where[first]), int(where[last - 1]) + 1) for first, last in edges]
