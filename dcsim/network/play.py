"""A collective played move by move on the fabric: what the closed forms are tested against."""

from __future__ import annotations

from collections.abc import Sequence

from dcsim.engine import Process
from dcsim.network.fabric import Fabric
from dcsim.network.route import Route
from dcsim.parallel.schedule import Schedule

Place = tuple[int, int, int]


def play(fabric: Fabric, schedule: Schedule, places: Sequence[Place], size_bytes: float, owner: str) -> Process:
    """Move every chunk of ``schedule`` as a transfer of its own, with a barrier after each round.

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
    routes: dict[tuple[int, int], Route] = {}
    for moves in schedule:
        ends = []
        for move in moves:
            pair = (move.source, move.target)
            if pair not in routes:
                (*source, card), (*target, _) = places[pair[0]], places[pair[1]]
                routes[pair] = fabric.between((source[0], source[1]), (target[0], target[1]), card)
            ends.append(fabric.transfer(routes[pair], chunk_bytes, owner))
        yield fabric.clock.all_of(ends)
