"""A collective played move by move on the fabric: what the closed forms are tested against."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dcsim.engine import Process
from dcsim.network.fabric import Fabric
from dcsim.network.rings import Place
from dcsim.parallel.schedule import Schedule


def play(fabric: Fabric, schedule: Schedule, places: Sequence[Place], size_bytes: float, owner: str) -> Process:
    """Move every chunk of ``schedule`` as a flow of its own, with a barrier after each round.

    Parameters
    ----------
    fabric
        Where it happens.
    schedule
        The rounds; their moves name positions in ``places``.
    places
        (endpoint, accelerator, network card) of each rank, as :meth:`Rings.order` gives them.
    size_bytes
        Payload of a rank [B], in as many equal chunks as there are ranks.
    owner
        Whose transfers these are.

    Yields
    ------
    simpy.Event
        The end of each round.
    """
    chunk_bytes = size_bytes / len(places)
    pairs: dict[tuple[int, int], int] = {}
    for moves in schedule:
        for move in moves:
            pairs.setdefault((move.source, move.target), len(pairs))
    routes = fabric.connections([places[a] for a, _ in pairs], [places[b] for _, b in pairs])
    for moves in schedule:
        which = np.array([pairs[move.source, move.target] for move in moves], dtype=np.int64)
        yield fabric.transfers(routes, np.full(len(which), chunk_bytes), owner, which)
