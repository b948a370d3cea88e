"""Exact weighted max-min fair sharing: who gets which rate when flows compete for links.

Every flow r has a level x_r and takes amount_lr * x_r of each link l it uses. An allocation is max-min fair if no level
can be raised without lowering one that is not higher (D. Bertsekas, R. Gallager, "Data Networks", 2nd ed., section
6.5.2); equivalently, every flow is at its cap or has a bottleneck: a full link on which no flow has a higher level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_TIE = 1.0 - 1e-12  # Levels this close are one: freezing ties together saves rounds and moves no rate by more.


@dataclass(frozen=True, slots=True)
class Demands:
    """Who asks for what: flow r uses the entries ``starts[r]`` to ``starts[r + 1] - 1`` of ``links`` and ``amounts``.

    Attributes
    ----------
    starts
        Shape (flows + 1,).
    links
        Link ids, each at most once a flow, shape (entries,).
    amounts
        Capacity taken per unit of level, above zero, shape (entries,).
    caps
        The highest level a flow may have, infinite if none, shape (flows,).
    """

    starts: Indices
    links: Indices
    amounts: Floats
    caps: Floats


def max_min(starts: Indices, links: Indices, amounts: Floats, capacities: Floats) -> Floats:
    """Return the max-min fair level of every flow without caps, shape (flows,); infinite for one without links.

    ``capacities`` are those of the links, shape (links,); for the others see :class:`Demands`.
    """
    return fill(Demands(starts, links, amounts, np.full(len(starts) - 1, np.inf)), capacities)[0]


def fill(demands: Demands, capacities: Floats) -> tuple[Floats, Floats]:
    """Return the max-min fair level of every flow and of every link, by rounds of local bottlenecks.

    A round freezes the flows of every link that is the tightest one for all its flows. Freezing a flow at or below a
    link's level never lowers that link's level, so such a link fills up exactly at its present level whatever happens
    elsewhere; the globally tightest link is always one of them. Symmetric traffic takes one round. A cap is a link that
    its flow has for itself.

    Returns
    -------
    tuple of ndarray
        Levels of the flows, shape (flows,), each the lowest of its links' and its cap; levels of the links, shape
        (links,), infinite where a link does not hold its flows back.
    """
    count = len(capacities)
    starts, links, amounts, room = _with_caps(demands, capacities)
    levels = np.full(len(starts) - 1, np.inf)
    flow = np.repeat(np.arange(len(levels)), np.diff(starts))
    link_levels, full = np.zeros_like(room), np.full_like(room, np.inf)
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
        ends = links[leaves][tight[links[leaves]]]
        full[ends] = link_levels[ends]
        room -= np.bincount(links[leaves], amounts[leaves] * of_entry[leaves], len(room))
        np.maximum(room, 0.0, out=room)
        stays = ~leaves
        flow, links, amounts = flow[stays], links[stays], amounts[stays]
    return _lowest(demands, full[:count], levels), full[:count]


def _with_caps(demands: Demands, capacities: Floats) -> tuple[Indices, Indices, Floats, Floats]:
    """Return starts, links, amounts and capacities with a link of its own for every flow that has a cap."""
    capped = np.flatnonzero(np.isfinite(demands.caps))
    room = capacities.astype(np.float64)
    if not capped.size:
        return demands.starts, demands.links, demands.amounts, room
    ends = demands.starts[1:][capped]
    starts = demands.starts + np.concatenate(([0], np.cumsum(np.isfinite(demands.caps))))
    links = np.insert(demands.links, ends, len(room) + np.arange(len(capped)))
    return starts, links, np.insert(demands.amounts, ends, 1.0), np.concatenate((room, demands.caps[capped]))


def _lowest(demands: Demands, full: Floats, levels: Floats) -> Floats:
    """Return the lowest level of each flow's links and its cap: ``levels`` up to what counts as a tie."""
    used = np.flatnonzero(np.diff(demands.starts))
    lowest = demands.caps.copy()
    if used.size:
        of_links = np.minimum.reduceat(full[demands.links], demands.starts[:-1][used])
        lowest[used] = np.minimum(lowest[used], of_links)
    # A flow whose only tight link was its cap has finite levels throughout; one without links keeps its own.
    return np.where(np.isfinite(lowest), lowest, levels)


def max_min_reference(
    flows: Sequence[Mapping[int, float]], capacities: Sequence[float], caps: Sequence[float] | None = None
) -> list[float]:
    """Return what :func:`fill` does by filling one link after the other: slow, simple, the oracle of the tests.

    ``flows`` maps, for each flow, the link to the amount taken per unit of level; ``caps`` bound the levels.
    """
    room = list(capacities)
    wanted = [dict(flow) for flow in flows]
    for r, cap in enumerate(caps or ()):
        if cap < float("inf"):
            wanted[r][len(room)] = 1.0
            room.append(cap)
    levels = [float("inf")] * len(flows)
    waiting = {r for r, flow in enumerate(wanted) if flow}
    while waiting:
        demand: dict[int, float] = {}
        for r in waiting:
            for link, amount in wanted[r].items():
                demand[link] = demand.get(link, 0.0) + amount
        tightest = min(demand, key=lambda link: room[link] / demand[link])
        level = room[tightest] / demand[tightest]
        for r in [r for r in waiting if tightest in wanted[r]]:
            levels[r] = level
            waiting.remove(r)
            for link, amount in wanted[r].items():
                room[link] = max(0.0, room[link] - amount * level)
    return levels
