"""Routes as the solver takes them: one block of entries a route, computed once for each route."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from dcsim.network.route import Route, Routes
from dcsim.network.table import Words
from dcsim.network.tree import Floats, Indices

_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Bundle:
    """Route i has ``sizes[i]`` entries from ``starts[i]`` on; ``amounts`` is the capacity that it takes per level.

    ``sent`` is bytes on sending links per byte of payload; ``tokens``, shape (2, routes), are words that no other route
    has.
    """

    starts: Indices
    sizes: Indices
    links: Indices
    share: Floats
    amounts: Floats
    weights: Floats
    caps: Floats
    sent: Floats
    tokens: Words


class Bundles:
    """The bundles of the routes in use; ``senders`` is 1 for links that send, 0 for others, shape (links,)."""

    def __init__(self, senders: Floats) -> None:
        self._senders = senders
        self._known: dict[Route | Routes, Bundle] = {}
        # Names of routes for the memory of solutions: any words that differ will do, so no result hangs on them.
        self._words = random.Random(0)

    def of(self, route: Route | Routes) -> Bundle:
        """Return the bundle of a route or of routes."""
        found = self._known.get(route)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[route] = self._single(route) if isinstance(route, Route) else self._several(route)
        return found

    def _single(self, route: Route) -> Bundle:
        size = len(route.links)
        return Bundle(
            np.array([0, size]),
            np.array([size]),
            route.links,
            route.share,
            route.share * route.weight,
            np.array([route.weight]),
            np.array([route.cap_bytes_per_s / route.weight]),
            np.array([self._senders[route.links] @ route.share]),
            self._draw(1),
        )

    def _several(self, routes: Routes) -> Bundle:
        count, sizes = len(routes), routes.sizes
        owner = np.repeat(np.arange(count), sizes)
        return Bundle(
            routes.starts,
            sizes,
            routes.links,
            routes.share,
            routes.share * routes.weights[owner],
            routes.weights,
            np.full(count, np.inf) if routes.caps_bytes_per_s is None else routes.caps_bytes_per_s / routes.weights,
            np.bincount(owner, self._senders[routes.links] * routes.share, count).astype(np.float64),
            self._draw(count),
        )

    def _draw(self, count: int) -> Words:
        return np.frombuffer(self._words.randbytes(16 * count), dtype=np.uint64).reshape(2, count)
