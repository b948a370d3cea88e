"""UGAL: minimal paths through a dragonfly or ones by a third group, whichever leaves the fuller links emptier.

J. Kim, W. Dally, S. Scott, D. Abts, "Technology-Driven, Highly-Scalable Dragonfly Topology", ISCA 2008, section 4.2: a
router compares the queues of a minimal path and of one by a random third group (L. Valiant, SIAM J. Comput. 11, 1982).
Here the choice is a split in the steady state: of what goes from one group to another the least share takes third
groups, evenly, that keeps the fullest link of the transfer as empty as it can be. The share that is best for all pairs
of groups alike is found exactly; then each pair in turn takes back what its minimal paths have room for, and the pairs
that still need third groups look again.

Valid for transfers whose flows go at once. Not modelled: queues and their noise, detours inside a group, and the load
of other transfers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dcsim.network.next_hops import Mask, NextHops
from dcsim.network.spraying import Flows, Spread, spray
from dcsim.network.tree import Floats, Indices

_TIE = 1.0 + 1e-12


class Ways(NamedTuple):
    """The minimal paths of flows, those by third groups of the flows that have such, and the pairs' shares of these."""

    least: Spread
    detour: Spread
    shares: Floats

    def laid(self) -> tuple[Indices, Floats]:
        """Return the links and what is on them."""
        kept = self.least.amounts * (1.0 - self.shares[self.least.tags])
        led = self.detour.amounts * self.shares[self.detour.tags]
        return np.concatenate((self.least.links, self.detour.links)), np.concatenate((kept, led))

    @property
    def longest_s(self) -> float:
        """The longest delay of a path that is taken [s]."""
        return max(self.least.longest_s, self.detour.longest_s if self.shares.any() else 0.0)


class Ugal:
    """Splits flows over ``tables``; ``delays_s`` are of links."""

    def __init__(self, tables: NextHops, delays_s: Floats) -> None:
        self._tables, self._delays_s = tables, delays_s
        wiring, groups = tables.wiring, tables.wiring.groups
        between = np.flatnonzero(tables.usable)
        between = between[groups[wiring.tails[between]] != groups[wiring.heads[between]]]
        # Where cables between groups arrive: from which group, in which, at which router.
        self._from, self._entry = groups[wiring.tails[between]], wiring.heads[between]

    def ways(self, flows: Flows, began_s: Floats, busiest: float) -> Ways:
        """Return how flows go, which are tagged anew by their pair of groups.

        ``busiest`` is the load of the fullest link that they take in any case, bytes per byte of payload over its
        capacity [s/B]: no detour is worth it to keep others emptier than that.
        """
        wiring, size = self._tables.wiring, len(self._tables.wiring.nodes)
        ends, place = np.unique(flows.nodes * size + flows.goals, return_inverse=True)
        groups = np.stack((wiring.groups[ends // size], wiring.groups[ends % size]))
        pairs, tags = np.unique(groups, axis=1, return_inverse=True)
        amounts = np.bincount(place, flows.amounts, len(ends)).astype(np.float64)
        merged = Flows(ends // size, ends % size, amounts, np.asarray(tags, dtype=np.int64).ravel())
        began = np.zeros(len(ends))
        np.maximum.at(began, place, began_s)
        least = spray(self._tables, self._delays_s, merged, began)
        loads = np.bincount(least.links, least.amounts, wiring.links) / wiring.capacities
        if float(np.max(loads, initial=0.0)) <= busiest * _TIE:
            return Ways(least, least._replace(amounts=0.0 * least.amounts), np.zeros(pairs.shape[1]))
        detour = self._detoured(merged, pairs, float(np.max(began, initial=0.0)))
        return Ways(least, detour, shares(Loads.of(least, detour, wiring.capacities), pairs.shape[1], busiest))

    def _detoured(self, flows: Flows, pairs: Indices, began_s: float) -> Spread:
        """Return the same flows by all third groups evenly, by all cables into one evenly."""
        owners, gates, parts = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0)]
        for tag, (source, target) in enumerate(pairs.T.tolist()):
            entries, part = self._gates(source, target)
            own = np.flatnonzero(flows.tags == tag)
            owners.append(np.repeat(own, len(entries)))
            gates.append(np.tile(entries, len(own)))
            parts.append(np.tile(part, len(own)))
        owner, gate = np.concatenate(owners), np.concatenate(gates)
        amounts, tags = flows.amounts[owner] * np.concatenate(parts), flows.tags[owner]
        there = spray(self._tables, self._delays_s, Flows(flows.nodes[owner], gate, amounts, tags), began_s)
        back = spray(self._tables, self._delays_s, Flows(gate, flows.goals[owner], amounts, tags), there.longest_s)
        links, moved = np.concatenate((there.links, back.links)), np.concatenate((there.amounts, back.amounts))
        return Spread(links, moved, np.concatenate((there.tags, back.tags)), back.longest_s)

    def _gates(self, source: int, target: int) -> tuple[Indices, Floats]:
        """Return the routers at which third groups are entered from ``source``, and the part that each takes."""
        third = self._tables.wiring.groups[self._entry]
        chosen = (self._from == source) & (third != target) & (source != target)
        groups, place, count = np.unique(third[chosen], return_inverse=True, return_counts=True)
        return self._entry[chosen], 1.0 / (len(groups) * count[place])


class Loads(NamedTuple):
    """What minimal paths and detours of pairs take of links' time for a byte of payload [s/B], entry by entry.

    Each link has one entry of a pair that uses it, pair by pair; ``links`` of all are counted by ``size``.
    """

    pairs: Indices
    links: Indices
    minimal: Floats
    detour: Floats
    size: int

    @classmethod
    def of(cls, least: Spread, detour: Spread, capacities: Floats) -> Loads:
        """Return those of what was spread."""
        size, count = len(capacities), len(least.links)
        links, tags = np.concatenate((least.links, detour.links)), np.concatenate((least.tags, detour.tags))
        keys, place = np.unique(tags * size + links, return_inverse=True)
        taken = np.concatenate((least.amounts, detour.amounts)) / capacities[links]
        sums = [np.bincount(place[part], taken[part], len(keys)) for part in (slice(count), slice(count, None))]
        return cls(keys // size, keys % size, sums[0].astype(np.float64), sums[1].astype(np.float64), size)


def shares(loads: Loads, pairs: int, busiest: float) -> Floats:
    """Return the least share of every pair's flows that has to take third groups, shape (pairs,).

    Pairs that have taken everything back make room: the share of the others is sought again while that helps.
    """
    able = np.bincount(loads.pairs, loads.detour, pairs) > 0.0
    best, least = np.zeros(pairs), np.inf
    while able.any():
        found, level = _shares(loads, able, busiest)
        if level * _TIE >= least:
            break
        best, least, stays = found, level, able & (found > 0.0)
        if stays.sum() == able.sum():
            break
        able = stays
    return best


def _shares(loads: Loads, able: Mask, busiest: float) -> tuple[Floats, float]:
    """Return the shares if pairs that are ``able`` begin with one in common, and the load of the fullest link."""
    led = np.where(able[loads.pairs], loads.detour, loads.minimal)
    zero, one = (np.bincount(loads.links, part, loads.size).astype(np.float64) for part in (loads.minimal, led))
    common = even_share(zero, one)
    level = max(busiest, float(np.max(zero + common * (one - zero))))
    common = needed_share(zero, one, np.full(loads.size, level * _TIE))
    found, total = np.where(able, common, 0.0), zero + common * (one - zero)
    first = np.searchsorted(loads.pairs, np.arange(len(able) + 1))
    for pair in np.flatnonzero(found).tolist():
        own = slice(int(first[pair]), int(first[pair + 1]))
        links, minimal, change = loads.links[own], loads.minimal[own], led[own] - loads.minimal[own]
        others = total[links] - (minimal + common * change)
        found[pair] = min(common, needed_share(minimal, led[own], level * _TIE - others))
        total[links] = others + minimal + found[pair] * change
    return found, max(busiest, float(np.max(total)))


def even_share(zero: Floats, one: Floats) -> float:
    """Return f in [0, 1] at which the largest of ``zero + f (one - zero)`` is least, exactly.

    The largest of lines is convex in f: from the steepest at either end the crossing of two lines moves to the one that
    is highest there until none is higher.
    """
    slopes = one - zero
    low, high = (int(np.lexsort((sign * slopes, ends))[-1]) for ends, sign in ((zero, 1.0), (one, -1.0)))
    if slopes[low] >= 0.0:
        return 0.0
    if slopes[high] <= 0.0:
        return 1.0
    while True:
        share = float((zero[low] - zero[high]) / (slopes[high] - slopes[low]))
        values = zero + share * slopes
        top = int(np.argmax(values))
        if values[top] <= values[low] * _TIE:
            return min(1.0, max(0.0, share))
        if slopes[top] < 0.0:
            low = top
        else:
            high = top


def needed_share(zero: Floats, one: Floats, room: Floats) -> float:
    """Return the least f in [0, 1] at which no falling line of ``zero + f (one - zero)`` is above its ``room``."""
    over = (zero > room) & (zero > one)
    return float(np.clip(np.max((zero[over] - room[over]) / (zero[over] - one[over]), initial=0.0), 0.0, 1.0))
