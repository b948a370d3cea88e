"""Torus: every chip has a router, joined to its neighbors along two or three dimensions that close on themselves.

As in TPU pods (N. Jouppi et al., "TPU v4: An Optically Reconfigurable Supercomputer", ISCA 2023). The twist of a
twisted torus (J. Camara et al., "Twisted Torus Topologies for Enhanced Interconnection Networks", IEEE TPDS 21, 2010)
shifts the second dimension where the first closes on itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING

from dcsim.network.topologies.base import Cards, Facts, MisfitError, Plan

if TYPE_CHECKING:
    import networkx as nx

DIMENSIONS = "xyz"


@dataclass(frozen=True, slots=True)
class Torus:
    """A torus of ``sizes`` routers along each dimension, a host each; the smallest near-cube that fits unless given.

    ``dimensions`` is how many of them to choose, ``twist`` the shift of the second where the first closes.
    """

    sizes: tuple[int, ...] = ()
    dimensions: int = 3
    twist: int = 0

    def shape(self, hosts: int) -> tuple[int, ...]:
        """Return the routers along each dimension."""
        if self.sizes:
            if prod(self.sizes) < hosts:
                size = " x ".join(map(str, self.sizes))
                raise MisfitError(
                    "topology.sizes", f"{size} = {prod(self.sizes)} places", f"a product of at least {hosts}, the hosts"
                )
            return self.sizes
        return near_cube(hosts, self.dimensions)

    def facts(self, cards: Cards) -> Facts:
        """Return the closed forms; the bisection is the least of the cuts across one dimension."""
        sizes = self.shape(cards.hosts)
        places = prod(sizes)
        cut = min((self._cut(sizes, dimension) for dimension, size in enumerate(sizes) if size > 1), default=0.0)
        ends = sum(_cables(size) for size in sizes)
        bisection = min(cut, places / 2) * cards.link_bytes_per_s
        return Facts(places, 0, places * ends // 2, bisection, ends)

    def _cut(self, sizes: tuple[int, ...], dimension: int) -> float:
        """Return the cables between two halves of a dimension of k of n routers: 2 n / k, n / k where k is 2.

        A twist by t has 2 min(t, k - t) / k of the cables that close the first dimension cross a cut of the second.
        """
        size, places = sizes[dimension], prod(sizes)
        plain = places / size * _cables(size)
        if dimension != 1 or not self.twist:
            return plain
        shift = self.twist % size
        return plain + places / sizes[0] * 2 * min(shift, size - shift) / size

    def graph(self, cards: Cards) -> nx.MultiGraph[str]:
        """Return the graph; cables along x, y and z are tiers of these names, in this order at every router."""
        plan, sizes = Plan(cards), self.shape(cards.hosts)
        places = list(product(*map(range, sizes)))
        plan.switches([_name(place) for place in places], "router", kind="router")
        for host in range(cards.hosts):
            plan.host(host, _name(places[host]))
        for dimension, size in enumerate(sizes):
            for place in places:
                if size > 1 and not (size == 2 and place[dimension] == 1):
                    ends = _name(place), _name(self._next(place, dimension, sizes))
                    plan.cable(ends, DIMENSIONS[dimension], cards.link_bytes_per_s)
        return plan.graph

    def _next(self, place: tuple[int, ...], dimension: int, sizes: tuple[int, ...]) -> tuple[int, ...]:
        moved = list(place)
        moved[dimension] = (place[dimension] + 1) % sizes[dimension]
        if self.twist and dimension == 0 and moved[0] == 0:
            moved[1] = (moved[1] + self.twist) % sizes[1]
        return tuple(moved)


def near_cube(hosts: int, dimensions: int) -> tuple[int, ...]:
    """Return the sizes, no two apart by more than one step, longest last, of the smallest product that holds hosts."""
    side = 1
    while side**dimensions < hosts:
        side += 1
    sizes = [side] * dimensions
    for dimension in range(dimensions):
        if prod(sizes) // side * (side - 1) >= hosts:
            sizes[dimension] -= 1
    return tuple(sizes)


def _cables(size: int) -> int:
    """Return the cable ends of a router along a dimension."""
    return min(size - 1, 2)


def _name(place: tuple[int, ...]) -> str:
    return f"router {'.'.join(map(str, place))}"
