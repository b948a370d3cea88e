"""Routes: which links a transfer uses, and how much of it crosses each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dcsim.network.tree import Floats, Indices

_MOST_ENTRIES = 2**23  # above, what is on the same link is summed before more is laid


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """Where the payload of a transfer goes. Two routes are equal only if they are the same object.

    A transfer of B bytes of payload puts ``share[i] * B`` bytes on ``links[i]``, all at once and in proportion: its
    connections are coupled, and the payload moves at the rate of the slowest of them.

    Attributes
    ----------
    links
        Link ids, ascending, each once, shape (n,).
    share
        Bytes on the link per byte of payload, shape (n,).
    weight
        Payload rate per fair share of one connection: links are shared max-min fairly between connections [1].
    latency_s
        Time before the first byte [s].
    cap_bytes_per_s
        The highest rate of the payload [B/s].
    again
        Lays the route anew, past links that are known to be dead by then.
    """

    links: Indices
    share: Floats
    weight: float
    latency_s: float
    cap_bytes_per_s: float = float("inf")
    again: Callable[[], Route] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Routes:
    """Many routes whose flows go their own ways, each at its own rate; two are equal only if the same object.

    Attributes
    ----------
    starts
        Route i uses the entries ``starts[i]`` to ``starts[i + 1] - 1`` of ``links`` and ``share``, shape (routes + 1,).
    links, share
        As of :class:`Route`, shape (entries,).
    weights
        As of :class:`Route`, shape (routes,).
    latency_s
        Time before the first byte [s], shape (routes,).
    caps_bytes_per_s
        The highest rate of each flow [B/s], shape (routes,); none unless given.
    again
        As of :class:`Route`.
    """

    starts: Indices
    links: Indices
    share: Floats
    weights: Floats
    latency_s: Floats
    caps_bytes_per_s: Floats | None = None
    again: Callable[[], Routes] | None = None

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def sizes(self) -> Indices:
        """Links of each route, shape (routes,)."""
        return np.diff(self.starts)


@dataclass(frozen=True, slots=True)
class Leg:
    """A part of a storage transfer: ``share`` of the payload goes from endpoint ``source`` to endpoint ``target``.

    ``source_resource`` and ``target_resource`` are links of :meth:`Fabric.add_resource` that the bytes cross too
    (disks).
    """

    source: int
    target: int
    share: float
    source_resource: int | None = None
    target_resource: int | None = None


class RouteBuilder:
    """Collects the bytes that connections put on links per byte of payload."""

    def __init__(self) -> None:
        self._links: list[Indices] = []
        self._bytes: list[Floats] = []
        self._entries = 0

    def paths(self, paths: Indices, amounts: Floats | float) -> None:
        """Add connections that move ``amounts``, shape (n,), over ``paths``, shape (n, hops), below 0 if unused."""
        used = paths >= 0
        each = np.broadcast_to(np.asarray(amounts, dtype=np.float64).reshape(-1, 1), paths.shape)
        self.links(paths[used], each[used])

    def links(self, links: Indices, amounts: Floats | float) -> None:
        """Add ``amounts`` to ``links``, both shape (n,)."""
        self._links.append(links)
        self._bytes.append(np.broadcast_to(np.asarray(amounts, dtype=np.float64), links.shape))
        self._entries += len(links)
        if self._entries > _MOST_ENTRIES:
            merged, share = self._sums()
            self._links, self._bytes, self._entries = [merged], [share], len(merged)

    def build(self, weight: float, latency_s: float) -> Route:
        """Return the route; links that carry nothing are left out."""
        if not self._links:
            return Route(np.empty(0, dtype=np.int64), np.empty(0), weight, latency_s)
        links, share = self._sums()
        kept = share > 0.0
        return Route(links[kept], share[kept], weight, latency_s)

    def _sums(self) -> tuple[Indices, Floats]:
        """Return every link once, ascending, and the bytes on it."""
        links, place = np.unique(np.concatenate(self._links), return_inverse=True)
        return links, np.bincount(place, np.concatenate(self._bytes), len(links)).astype(np.float64)
