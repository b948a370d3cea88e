"""Which free servers a job gets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

Choice = Callable[[Sequence[int], Sequence[int], int], list[int]]


def rack_aware(free: Sequence[int], racks: Sequence[int], count: int) -> list[int]:
    """Return ``count`` of the ``free`` servers in as few racks as possible, ``racks`` giving the rack of every server.

    One rack that holds the whole job is taken if there is one, the fullest fit first; otherwise the racks with most
    free servers.
    """
    by_rack: dict[int, list[int]] = defaultdict(list)
    for server in sorted(free):
        by_rack[racks[server]].append(server)
    fitting = [servers for servers in by_rack.values() if len(servers) >= count]
    if fitting:
        return min(fitting, key=len)[:count]
    ordered = sorted(by_rack.values(), key=lambda servers: -len(servers))
    chosen = [server for servers in ordered for server in servers][:count]
    return sorted(chosen)


def scattered(generator: np.random.Generator) -> Choice:
    """Return a choice that deals a job's servers out at random, so that neighbors in its ring are seldom in one
    rack.
    """

    def choose(free: Sequence[int], racks: Sequence[int], count: int) -> list[int]:
        del racks
        return [int(server) for server in generator.permutation(np.array(sorted(free)))[:count]]

    return choose
