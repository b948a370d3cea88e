"""Routes as the solver takes them: one block of entries a route, computed once for each route."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from dcsim.network.route import Route, Routes
from dcsim.network.tree import Floats, Indices
from dcsim.network.vectors import gather

_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Bundle:
    """Route i has ``sizes[i]`` entries from ``starts[i]`` on; ``amounts`` is the capacity that it takes per level.

    The rows of ``rates``, shape (3, routes), are its highest level, its weight, and the bytes on sending links per byte
    of payload; ``tokens``, shape (2, routes), are words that no other route has.
    """

    starts: Indices
    sizes: Indices
    links: Indices
    amounts: Floats
    rates: Floats
    tokens: Indices

    @property
    def tables(self) -> tuple[Indices, Indices, Floats, Floats, Indices]:
        """The tables that :mod:`dcsim.network.ledger` reads."""
        return self.starts, self.links, self.amounts, self.rates, self.tokens

    def links_of(self, which: Indices) -> Indices:
        """Return the links of routes ``which``, one route after the other."""
        return self.links[gather(self.starts, which)]


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
        size, sent = len(route.links), float(self._senders[route.links] @ route.share)
        return Bundle(
            np.array([0, size]),
            np.array([size]),
            route.links,
            route.share * route.weight,
            np.array([[route.cap_bytes_per_s / route.weight], [route.weight], [sent]]),
            self._draw(1),
        )

    def _several(self, routes: Routes) -> Bundle:
        count, sizes = len(routes), routes.sizes
        owner, caps = np.repeat(np.arange(count), sizes), routes.caps_bytes_per_s
        highest = np.full(count, np.inf) if caps is None else caps / routes.weights
        sent = np.bincount(owner, self._senders[routes.links] * routes.share, count)
        return Bundle(
            routes.starts,
            sizes,
            routes.links,
            routes.share * routes.weights[owner],
            np.stack((highest, routes.weights, sent)),
            self._draw(count),
        )

    def _draw(self, count: int) -> Indices:
        return np.frombuffer(bytearray(self._words.randbytes(16 * count)), dtype=np.int64).reshape(2, count)
