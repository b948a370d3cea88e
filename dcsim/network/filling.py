"""The full solve of :func:`dcsim.network.flows.fill` as loops, to be compiled: the same rounds, to the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from dcsim.network.refill import INFINITE, TIE

Numbers = Any  # arrays


def fill_loops(demands: Numbers, capacities: Numbers) -> tuple[Numbers, Numbers]:
    """Return what :func:`dcsim.network.flows.fill` returns; ``demands`` are starts, links, amounts and caps."""
    starts, caps = demands[0], demands[3]
    flows, count = len(caps), len(capacities)
    levels, full = np.full(flows, INFINITE), np.full(count, INFINITE)
    lowest, offers, room = np.empty(flows), np.zeros(count), capacities.copy()
    waiting, held_back = np.arange(flows), np.empty(count, dtype=np.bool_)
    left = 0
    for flow in range(flows):
        if starts[flow + 1] > starts[flow] or caps[flow] < INFINITE:
            waiting[left] = flow
            left += 1
    while left > 0:
        offer(demands, waiting[:left], room, offers)
        find_lowest(demands, waiting[:left], offers, (lowest, held_back))
        left = freeze(demands, waiting[:left], (offers, lowest, held_back), (room, levels, full))
    for flow in range(flows):
        level = caps[flow]
        for entry in range(starts[flow], starts[flow + 1]):
            level = min(level, full[demands[1][entry]])
        levels[flow] = level if level < INFINITE else levels[flow]
    return levels, full


def offer(demands: Numbers, waiting: Numbers, room: Numbers, offers: Numbers) -> None:
    """Raise the level that each link offers to the flows ``waiting``: its room over their demand."""
    starts, links, amounts, _ = demands
    demand = np.zeros(len(room))
    for flow in waiting:
        for entry in range(starts[flow], starts[flow + 1]):
            demand[links[entry]] += amounts[entry]
    for link in range(len(room)):
        if demand[link] > 0.0:
            offers[link] = max(offers[link], room[link] / demand[link])


def find_lowest(demands: Numbers, waiting: Numbers, offers: Numbers, found: Numbers) -> None:
    """Find the lowest offer to each flow, its cap included, and the links that a lower one than theirs holds back."""
    starts, links, _, caps = demands
    lowest, held_back = found
    held_back[:] = False
    for flow in waiting:
        least = caps[flow]
        for entry in range(starts[flow], starts[flow + 1]):
            least = min(least, offers[links[entry]])
        lowest[flow] = least
        for entry in range(starts[flow], starts[flow + 1]):
            if least < offers[links[entry]] * TIE:
                held_back[links[entry]] = True


def freeze(demands: Numbers, waiting: Numbers, found: Numbers, result: Numbers) -> int:
    """Freeze the flows of links that nothing holds back, take what they use, and return how many flows still wait."""
    starts, links, amounts, caps = demands
    (offers, lowest, held_back), (room, levels, full) = found, result
    taken, left = np.zeros(len(room)), 0
    for flow in waiting:
        frozen = not lowest[flow] < caps[flow] * TIE
        for entry in range(starts[flow], starts[flow + 1]):
            frozen = frozen or not held_back[links[entry]]
        if not frozen:
            waiting[left] = flow
            left += 1
            continue
        levels[flow] = lowest[flow]
        for entry in range(starts[flow], starts[flow + 1]):
            taken[links[entry]] += amounts[entry] * lowest[flow]
            if not held_back[links[entry]]:
                full[links[entry]] = offers[links[entry]]
    for link in range(len(room)):
        room[link] = max(room[link] - taken[link], 0.0)
    return left
