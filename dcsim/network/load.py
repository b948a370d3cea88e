"""The load of every link, as the sum of what flows and what is held."""

from __future__ import annotations

from dcsim.engine import LevelArray
from dcsim.network.tree import Floats, Indices

_MOST = 4  # where one link in so many or more changes, giving all their value is faster


class Load:
    """``levels`` [B/s] is ``flowing`` (of transfers) plus ``held`` (of holds), each of shape (links,)."""

    def __init__(self, levels: LevelArray, flowing: Floats, held: Floats) -> None:
        self.levels, self.flowing, self.held = levels, flowing, held

    def flow(self, where: Indices, loads: Floats) -> None:
        """Let transfers load the links ``where`` with ``loads`` [B/s], the others as before."""
        self.flowing[where] = loads
        if len(where) * _MOST < len(self.flowing):
            self.publish(where)
        else:
            self.levels.set(slice(None), self.flowing + self.held)

    def publish(self, where: Indices) -> None:
        """Give the levels at ``where`` their new value."""
        self.levels.set(where, self.flowing[where] + self.held[where])
