"""Schedules in short: what the rounds put on the network, for any number of ranks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.parallel.schedule import Schedule, owner, tree_levels

Ranks = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Wave:
    """``rounds`` rounds alike, one after the other.

    In each, rank ``sources[i]`` sends ``share`` of the payload to rank ``targets[i]``, all at once; shapes (pairs,).
    """

    sources: Ranks
    targets: Ranks
    share: float
    rounds: int = 1

    @property
    def sent(self) -> float:
        """Bytes that all ranks send together per byte of payload [1]."""
        return self.rounds * len(self.sources) * self.share


def tree(ranks: int) -> tuple[Wave, ...]:
    """Return the waves of :func:`dcsim.parallel.schedule.tree_all_reduce`."""
    up = []
    for level in tree_levels(ranks):
        low, far = np.array(level, dtype=np.int64).T
        up.append(Wave(low + far, low, 1.0))
    return (*up, *(Wave(wave.targets, wave.sources, 1.0) for wave in reversed(up)))


def hierarchical(ranks: int, group: int) -> tuple[Wave, ...]:
    """Return the waves of :func:`dcsim.parallel.schedule.hierarchical_all_reduce`."""
    groups, every = ranks // group, np.arange(ranks, dtype=np.int64)
    found = []
    if group > 1:
        inside = Wave(every, every // group * group + (every + 1) % group, 1.0 / group, group - 1)
        found = [inside, inside]
    if groups > 1:
        found.insert(len(found) // 2, Wave(every, (every + group) % ranks, 1.0 / ranks, 2 * (groups - 1)))
    return tuple(found)


def parameter_server(ranks: int, shards: int) -> tuple[Wave, ...]:
    """Return the waves of :func:`dcsim.parallel.schedule.parameter_server`."""
    servers = np.repeat([owner(shard, ranks, shards) for shard in range(shards)], ranks).astype(np.int64)
    workers = np.tile(np.arange(ranks, dtype=np.int64), shards)
    apart = servers != workers
    if not apart.any():
        return ()
    workers, servers = workers[apart], servers[apart]
    return Wave(workers, servers, 1.0 / shards), Wave(servers, workers, 1.0 / shards)


def federated(ranks: int, clients: int) -> tuple[Wave, ...]:
    """Return the waves by which ``clients`` groups of ranks average their weights.

    The first rank of each sends to that of the first client, which sends the mean back; then it goes down a binomial
    tree inside every client.
    """
    each, first = ranks // clients, np.arange(clients, dtype=np.int64) * (ranks // clients)
    found = []
    if clients > 1:
        others, server = first[1:], np.zeros(clients - 1, dtype=np.int64)
        found = [Wave(others, server, 1.0), Wave(server, others, 1.0)]
    for level in reversed(tree_levels(each)):
        low, far = np.array(level, dtype=np.int64).T
        sources = (first[:, None] + low).ravel()
        found.append(Wave(sources, sources + np.tile(far, clients), 1.0))
    return tuple(found)


def waves_of(schedule: Schedule, chunks: int) -> tuple[Wave, ...]:
    """Return the waves of any schedule over ``chunks`` equal chunks, equal neighboring rounds joined.

    Raises
    ------
    ValueError
        If the pairs of a round send different amounts.
    """
    rounds = [Counter((move.source, move.target) for move in moves) for moves in schedule]
    found: list[Wave] = []
    for index, pairs in enumerate(rounds):
        if index and pairs == rounds[index - 1]:
            last = found.pop()
            found.append(Wave(last.sources, last.targets, last.share, last.rounds + 1))
            continue
        amounts = set(pairs.values())
        if len(amounts) != 1:
            raise ValueError("the pairs of a round send different amounts")
        sources, targets = np.array(sorted(pairs), dtype=np.int64).T
        found.append(Wave(sources, targets, amounts.pop() / chunks))
    return tuple(found)
