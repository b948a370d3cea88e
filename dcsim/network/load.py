"""The load of every link, as the sum of what flows and what is held."""

from __future__ import annotations

from dcsim.engine import LevelArray
from dcsim.network.tree import Floats, Indices


class Load:
    """``levels`` [B/s] is ``flowing`` (of transfers) plus ``held`` (of holds), each of shape (links,)."""

    def __init__(self, levels: LevelArray, flowing: Floats, held: Floats) -> None:
        self.levels, self.flowing, self.held = levels, flowing, held

    def publish(self, where: Indices) -> None:
        """Give the levels at ``where`` their new value."""
        self.levels.set(where, self.flowing[where] + self.held[where])
