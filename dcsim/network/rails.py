"""Staying on a rail: a rank hands what is for another rail to a neighbor in its server whose network card is on it.

As NCCL does under the name PXN: the hop inside the server replaces one through the spine.
"""

from __future__ import annotations

import numpy as np

from dcsim.network.links import Links
from dcsim.network.rings import accelerators_beside
from dcsim.network.route import RouteBuilder
from dcsim.network.tree import Floats, Indices

_NONE = -1


class Rails:
    """Which network card of which server is on which rail, ``rails`` giving the rail of every host."""

    def __init__(self, links: Links, rails: Indices) -> None:
        self._links, self._rails = links, rails
        counts = [endpoint.nics for endpoint in links.endpoints]
        self._endpoint = np.repeat(np.arange(len(counts)), counts)
        self._card = np.full((len(counts), int(rails.max(initial=0)) + 1), _NONE, dtype=np.int64)
        # Of several cards on a rail the first is taken.
        self._card[self._endpoint[::-1], rails[::-1]] = np.arange(len(rails))[::-1]
        self._owner = np.array([gpu for kind in links.endpoints for gpu in accelerators_beside(kind)], dtype=np.int64)

    def steer(self, builder: RouteBuilder, ends: tuple[Indices, Indices], sent: tuple[Indices, Floats]) -> Indices:
        """Return the cards that sources take to stay on the rails of their targets, and lay the hops to them.

        ``ends`` are the cards beside source and target, ``sent`` the accelerators at the sources and the bytes each
        sends per byte of payload.
        """
        sources, targets = ends
        accelerators, amounts = sent
        endpoints = self._endpoint[sources]
        steered = self._card[endpoints, self._rails[targets]]
        steered = np.where(steered == _NONE, sources, steered)
        owners = self._owner[steered]
        moved = (steered != sources) & (owners != accelerators)
        joined = np.array([self._joined(endpoint) for endpoint in endpoints[moved].tolist()], dtype=bool)
        steered[np.flatnonzero(moved)[~joined]] = sources[moved][~joined]
        moved[np.flatnonzero(moved)[~joined]] = False
        ports = np.array([self._links.ports(each) for each in endpoints[moved].tolist()], np.int64).reshape(-1, 2)
        builder.links(ports[:, 0] + 2 * accelerators[moved], amounts[moved])
        builder.links(ports[:, 1] + 2 * owners[moved], amounts[moved])
        return steered

    def _joined(self, endpoint: int) -> bool:
        kind = self._links.endpoints[endpoint]
        return kind.inner is not None and kind.accelerators > 1
