"""Packet spraying: what goes from node to node, split over all shortest paths by the capacities of the links."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dcsim.network.next_hops import NextHops
from dcsim.network.tree import Floats, Indices


class Flows(NamedTuple):
    """What goes from nodes to goals, bytes per byte of payload, in classes of a number each (tags); shapes (flows,)."""

    nodes: Indices
    goals: Indices
    amounts: Floats
    tags: Indices


class Spread(NamedTuple):
    """What ends up on links, entry by entry, with its class, and the longest delay of a path [s]."""

    links: Indices
    amounts: Floats
    tags: Indices
    longest_s: float


class _Front(NamedTuple):
    """What is at a node on its way: (tag x nodes + node) x nodes + goal, amounts, longest delay until there [s]."""

    keys: Indices
    amounts: Floats
    delays_s: Floats


def spray(tables: NextHops, delays_s: Floats, flows: Flows, began_s: Floats | float = 0.0) -> Spread:
    """Split flows at every node over its links to the goal; ``delays_s`` are of links, ``began_s`` of the way before.

    Flows of one class that meet go on as one.
    """
    size, capacities = len(tables.wiring.nodes), tables.wiring.capacities
    first = (flows.tags * size + flows.nodes) * size + flows.goals
    front = _merged(first, flows.amounts, np.broadcast_to(np.asarray(began_s, dtype=np.float64), first.shape))
    laid, longest_s = [(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))], 0.0
    while True:
        nodes, goals = front.keys // size % size, front.keys % size
        moving = nodes != goals
        longest_s = max(longest_s, float(np.max(front.delays_s[~moving], initial=0.0)))
        if not moving.any():
            links, amounts, tags = (np.concatenate(parts) for parts in zip(*laid, strict=True))
            return Spread(links, amounts, tags, longest_s)
        keys, found = front.keys[moving], tables.choices(nodes[moving], goals[moving])
        owner, links = np.repeat(np.arange(len(keys)), found.count), found.links
        moved = front.amounts[moving][owner] * capacities[links] / np.bincount(owner, capacities[links])[owner]
        tags = keys[owner] // size**2
        laid.append((links, moved, tags))
        ahead = (tags * size + tables.wiring.heads[links]) * size + keys[owner] % size
        front = _merged(ahead, moved, front.delays_s[moving][owner] + delays_s[links])


def _merged(keys: Indices, amounts: Floats, delays_s: Floats) -> _Front:
    different, place = np.unique(keys, return_inverse=True)
    longest_s = np.zeros(len(different))
    np.maximum.at(longest_s, place, delays_s)
    return _Front(different, np.bincount(place, amounts, len(different)).astype(np.float64), longest_s)
