"""Next hops through any wiring: at every node the links that lie on a shortest path to a target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dcsim.errors import RunError
from dcsim.network.tree import Floats, Indices
from dcsim.network.wiring import Wiring

if TYPE_CHECKING:
    import networkx as nx

Mask = NDArray[np.bool_]

_ROUNDING = 1.0 + 1e-12
_CHUNK = 2**20  # places of a table of candidates held at once


@dataclass(frozen=True, slots=True)
class Choices:
    """For each of n questions (node, target) the links to choose from: ``links[first[i] : first[i] + count[i]]``."""

    first: Indices
    count: Indices
    links: Indices


class NextHops:
    """Paths of least summed weight over the links that are ``alive``, all of them unless given.

    Distances to a target are found when it is first asked for, against the direction of the links: where all weights
    are whole numbers level by level (R. Dial, Communications of the ACM 12, 1969; breadth first where they are one),
    otherwise by NetworkX (E. Dijkstra, Numerische Mathematik 1, 1959).
    """

    def __init__(self, wiring: Wiring, alive: Mask | None = None) -> None:
        usable = (wiring.tails >= 0) & (wiring.heads >= 0)
        if alive is not None:
            usable &= alive
        self.wiring, self.usable, links = wiring, usable, np.flatnonzero(usable)
        self._out = _csr(wiring.tails[links], links, len(wiring.nodes))
        self._into = _csr(wiring.heads[links], links, len(wiring.nodes))
        self._known: dict[int, Floats] = {}
        self._search: Callable[[int], Floats] = self._by_levels
        if np.any(wiring.weights[links] % 1.0):
            self._search = _Dijkstra(wiring, links).distances

    def distances(self, target: int) -> Floats:
        """Return the distance of every node to ``target``, infinite where there is no path, shape (nodes,)."""
        if target not in self._known:
            self._known[target] = self._search(target)
        return self._known[target]

    def choices(self, nodes: Indices, targets: Indices) -> Choices:
        """Return the links out of each of ``nodes`` that shortest paths to its of ``targets`` take.

        Raises
        ------
        RunError
            If a target cannot be reached.
        """
        goals, row = np.unique(targets, return_inverse=True)
        far = np.stack([self.distances(int(goal)) for goal in goals]) if len(goals) else np.empty((0, 0))
        counts, links = list[Indices](), list[Indices]()
        start, offset = self._out
        width = int(np.max(offset[nodes + 1] - offset[nodes], initial=1))
        for begin in range(0, len(nodes), max(1, _CHUNK // width)):
            part = slice(begin, begin + max(1, _CHUNK // width))
            owner, candidates = _expand(nodes[part], start, offset)
            ahead, own = far[row[part][owner], self.wiring.heads[candidates]], far[row[part], nodes[part]]
            least = own[owner] * _ROUNDING
            good = np.isfinite(least) & (ahead + self.wiring.weights[candidates] <= least)
            count = np.bincount(owner[good], minlength=len(nodes[part]))
            counts.append(count)
            links.append(candidates[good])
        count = np.concatenate(counts) if counts else np.empty(0, dtype=np.int64)
        if np.any(count == 0):
            lost = int(np.flatnonzero(count == 0)[0])
            names = self.wiring.nodes
            raise RunError(f"there is no path from {names[nodes[lost]]} to {names[targets[lost]]}")
        return Choices(np.cumsum(count) - count, count, np.concatenate(links) if links else np.empty(0, dtype=np.int64))

    def _by_levels(self, target: int) -> Floats:
        wiring, distance = self.wiring, np.full(len(self.wiring.nodes), np.inf)
        distance[target] = 0.0
        levels = {0.0: [np.array([target])]}
        while levels:
            level = min(levels)
            front = np.unique(np.concatenate(levels.pop(level)))
            front = front[(distance[front] == level) & (wiring.transit[front] | (front == target))]
            _, links = _expand(front, *self._into)
            for weight in np.unique(wiring.weights[links]).tolist():
                before = np.unique(wiring.tails[links[wiring.weights[links] == weight]])
                before = before[distance[before] > level + weight]
                distance[before] = level + weight
                if len(before):
                    levels.setdefault(level + weight, []).append(before)
        return distance


class _Dijkstra:
    """Distances by NetworkX in the reversed graph of nodes; hosts hand nothing on."""

    def __init__(self, wiring: Wiring, links: Indices) -> None:
        import networkx as nx

        self._wiring = wiring
        self._graph: nx.DiGraph[int] = nx.DiGraph()
        self._graph.add_nodes_from(range(len(wiring.nodes)))
        ends = (wiring.tails[links], wiring.heads[links], wiring.weights[links])
        for tail, head, weight in zip(*(each.tolist() for each in ends), strict=True):
            kept = self._graph.get_edge_data(head, tail, {"weight": np.inf})["weight"]
            self._graph.add_edge(head, tail, weight=min(weight, kept))

    def distances(self, target: int) -> Floats:
        import networkx as nx

        def weight(tail: int, head: int, attributes: dict[str, float]) -> float | None:
            del head
            return attributes["weight"] if tail == target or self._wiring.transit[tail] else None

        found = np.full(len(self._wiring.nodes), np.inf)
        lengths = nx.single_source_dijkstra_path_length(self._graph, target, weight=weight)
        found[list(lengths)] = list(lengths.values())
        return found


def _csr(keys: Indices, links: Indices, nodes: int) -> tuple[Indices, Indices]:
    """Return ``links`` sorted by ``keys``, ties by number, and where those of each node begin, shape (nodes + 1,)."""
    order = np.argsort(keys, kind="stable")
    return links[order], np.concatenate(([0], np.cumsum(np.bincount(keys, minlength=nodes))))


def _expand(nodes: Indices, links: Indices, offset: Indices) -> tuple[Indices, Indices]:
    """Return all links of ``nodes`` one node after the other, and the position in ``nodes`` that each belongs to."""
    counts = offset[nodes + 1] - offset[nodes]
    owner = np.repeat(np.arange(len(nodes)), counts)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    return owner, links[np.repeat(offset[nodes], counts) + within]
