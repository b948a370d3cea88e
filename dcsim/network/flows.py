"""Exact weighted max-min fair sharing: who gets which rate when flows compete for links.

Every flow r has a level x_r and takes amount_lr * x_r of each link l it uses. An allocation is max-min fair if no level
can be raised without lowering one that is not higher (D. Bertsekas, R. Gallager, "Data Networks", 2nd ed., section
6.5.2); equivalently, every flow has a bottleneck: a full link on which no flow has a higher level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_TIE = 1.0 - 1e-12  # Levels this close are one: freezing ties together saves rounds and moves no rate by more.


def max_min(starts: Indices, links: Indices, amounts: Floats, capacities: Floats) -> Floats:
    """Return the max-min fair level of every flow by rounds of local bottlenecks.

    A round freezes the flows of every link that is the tightest one for all its flows. Freezing a flow at or below a
    link's level never lowers that link's level, so such a link fills up exactly at its present level whatever happens
    elsewhere; the globally tightest link is always one of them. Symmetric traffic takes one round.

    Parameters
    ----------
    starts
        Flow r uses the entries ``starts[r]`` to ``starts[r + 1] - 1`` of ``links`` and ``amounts``, shape (flows + 1,).
    links
        Link ids, each at most once a flow, shape (entries,).
    amounts
        Capacity taken per unit of level, above zero, shape (entries,).
    capacities
        Capacity of each link, shape (links,).

    Returns
    -------
    ndarray
        Levels, shape (flows,); infinite for a flow without links.
    """
    levels = np.full(len(starts) - 1, np.inf)
    flow = np.repeat(np.arange(len(levels)), np.diff(starts))
    room = capacities.astype(np.float64)
    link_levels = np.zeros_like(room)
    while flow.size:
        demand = np.bincount(links, amounts, len(room))
        # A link's level never falls; taking the maximum keeps rounding from making it.
        offer = np.divide(room, demand, out=np.full_like(room, np.inf), where=demand > 0.0)
        link_levels = np.maximum(link_levels, offer)
        offered = link_levels[links]
        first = np.flatnonzero(np.concatenate(([True], flow[1:] != flow[:-1])))
        sizes = np.diff(np.append(first, flow.size))
        lowest = np.minimum.reduceat(offered, first)
        of_entry = np.repeat(lowest, sizes)
        tight = np.ones(len(room), dtype=bool)
        tight[links[of_entry < offered * _TIE]] = False
        frozen = np.logical_or.reduceat(tight[links], first)
        levels[flow[first][frozen]] = lowest[frozen]
        leaves = np.repeat(frozen, sizes)
        room -= np.bincount(links[leaves], amounts[leaves] * of_entry[leaves], len(room))
        np.maximum(room, 0.0, out=room)
        stays = ~leaves
        flow, links, amounts = flow[stays], links[stays], amounts[stays]
    return levels


def max_min_reference(flows: Sequence[Mapping[int, float]], capacities: Sequence[float]) -> list[float]:
    """Return what :func:`max_min` does by filling one link after the other: slow, simple, the oracle of the tests.

    ``flows`` maps, for each flow, the link to the amount taken per unit of level.
    """
    levels = [float("inf")] * len(flows)
    waiting = {r for r, flow in enumerate(flows) if flow}
    room = list(capacities)
    while waiting:
        demand: dict[int, float] = {}
        for r in waiting:
            for link, amount in flows[r].items():
                demand[link] = demand.get(link, 0.0) + amount
        tightest = min(demand, key=lambda link: room[link] / demand[link])
        level = room[tightest] / demand[tightest]
        for r in [r for r in waiting if tightest in flows[r]]:
            levels[r] = level
            waiting.remove(r)
            for link, amount in flows[r].items():
                room[link] = max(0.0, room[link] - amount * level)
    return levels
