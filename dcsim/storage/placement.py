"""Where the copies of an object are kept, and which legs its bytes travel.

An object is cut into chunks. Its name, hashed with the scenario's seed, puts the nodes in an order of its own; chunk
``i`` has its primary copy on node ``order[i mod n]`` and its further copies on the nodes that follow in that order:
chained declustering (H. Hsiao, D. DeWitt, ICDE 1990). Copies of a chunk lie on distinct nodes, and the load of any two
nodes differs by at most one chunk for the primaries, and by at most ``replicas`` chunks for all copies.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.engine import Streams

Floats = NDArray[np.float64]

CHUNK_BYTES = float(4 * 2**20)  # the default object size of a Ceph block device
_MANY = 2**40


@dataclass(frozen=True, slots=True)
class Leg:
    """A part of a transfer: for every byte of payload, ``share`` bytes go from endpoint ``source`` to ``target``.

    ``source_disk`` is the storage node (0, 1, ...) whose disks are read, ``target_disk`` the one whose disks are
    written; None where the bytes come from or stay in memory.
    """

    source: int
    target: int
    share: float
    source_disk: int | None = None
    target_disk: int | None = None


@dataclass(frozen=True)
class Layout:
    """Where the chunks of one object lie: ``chunks[i]`` is how many have their primary copy on node ``order[i]``."""

    order: tuple[int, ...]
    chunks: tuple[int, ...]
    replicas: int

    def copies(self, position: int) -> tuple[int, ...]:
        """Return the nodes that hold the chunks of ``position`` in the order, the primary copy first."""
        return tuple(self.order[(position + copy) % len(self.order)] for copy in range(self.replicas))

    def parts(self) -> list[tuple[int, float]]:
        """Return (position, share of the object's bytes) of every position that holds chunks."""
        total = sum(self.chunks)
        return [(position, count / total) for position, count in enumerate(self.chunks) if count]

    def node_shares(self) -> Floats:
        """Return the bytes each node keeps per byte of the object, shape (nodes,); they sum to ``replicas``."""
        shares = np.zeros(len(self.order))
        for position, share in self.parts():
            shares[list(self.copies(position))] += share
        return shares


def layout(name: str, nodes: int, replicas: int, streams: Streams, size_bytes: float | None = None) -> Layout:
    """Return where the object ``name`` lies; without a size it counts as large and its chunks lie evenly on all nodes.

    Raises
    ------
    ValueError
        If there are more replicas than nodes.
    """
    if not 1 <= replicas <= nodes:
        raise ValueError(f"{replicas} replicas need as many nodes, found {nodes}")
    order = streams.generator("storage", "placement", name).permutation(nodes)
    return Layout(tuple(int(node) for node in order), _chunks(nodes, size_bytes), replicas)


def read_legs(where: Layout, targets: Sequence[int], first_endpoint: int) -> list[Leg]:
    """Return the legs of a read that every one of ``targets`` takes an equal part of; their shares sum to 1.

    The targets take turns at the replicas, so that a small object read by many is served by all its copies.
    """
    legs: dict[tuple[int, int], float] = {}
    for number, target in enumerate(targets):
        for position, share in where.parts():
            node = where.copies(position)[number % where.replicas]
            legs[node, target] = legs.get((node, target), 0.0) + share / len(targets)
    return [Leg(first_endpoint + node, target, share, source_disk=node) for (node, target), share in legs.items()]


def write_legs(where: Layout, sources: Sequence[int], first_endpoint: int) -> list[Leg]:
    """Return the legs of a write to which every one of ``sources`` gives an equal part.

    The sources send to the primary copies (shares that sum to 1); each copy but the last passes the bytes on to the
    next (chain replication, R. van Renesse, F. Schneider, OSDI 2004; shares that sum to replicas - 1).
    """
    legs: dict[tuple[int, int], float] = {}
    for source in sources:
        for position, share in where.parts():
            primary = where.copies(position)[0]
            legs[source, primary] = legs.get((source, primary), 0.0) + share / len(sources)
    for position, share in where.parts():
        chain = where.copies(position)
        for sender, receiver in itertools.pairwise(chain):
            link = (first_endpoint + sender, receiver)
            legs[link] = legs.get(link, 0.0) + share
    return [Leg(source, first_endpoint + node, share, target_disk=node) for (source, node), share in legs.items()]


def _chunks(nodes: int, size_bytes: float | None) -> tuple[int, ...]:
    """How many chunks begin at each position; equal counts where the size is unknown and so taken as large."""
    count = nodes if size_bytes is None else max(1, min(_MANY, math.ceil(size_bytes / CHUNK_BYTES)))
    return tuple((count - position + nodes - 1) // nodes for position in range(nodes))
