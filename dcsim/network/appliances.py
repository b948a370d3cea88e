"""Firewalls, intrusion detection and load balancers: boxes that all that goes between two pools has to pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.network.route import RouteBuilder
from dcsim.network.routing import NO_LINK, Ends, Policy, Routing
from dcsim.network.tree import Floats, Indices


@dataclass(frozen=True, slots=True)
class Appliance:
    """A box on the way between two groups of endpoints, in either direction.

    Attributes
    ----------
    name, kind
        What it is called, and whether it is a firewall, an intrusion-detection or a load-balancer.
    rate_bytes_per_s
        What passes at most, both directions together [B/s]: the lower of its rate and of its packets a second times
        their size, because small packets take as much work as large ones.
    latency_s
        Time to pass it, one way [s].
    between
        The two groups: pools of servers, the part of an endpoint's name before "/".
    """

    name: str
    kind: str
    rate_bytes_per_s: float
    latency_s: float
    between: tuple[str, str]


class Screened:
    """A routing whose connections pass appliances, each a link of its own that its users share.

    ``pools`` is the pool of every host, ``links`` the link of every appliance.
    """

    def __init__(self, inner: Routing, appliances: tuple[Appliance, ...], pools: list[str], links: list[int]) -> None:
        self._inner, self._links = inner, np.array(links, dtype=np.int64)
        self._latencies_s = np.array([appliance.latency_s for appliance in appliances])
        named = np.array(pools)
        self._first = np.stack([named == appliance.between[0] for appliance in appliances])
        self._second = np.stack([named == appliance.between[1] for appliance in appliances])

    @property
    def policy(self) -> Policy:
        """The policy of the routing."""
        return self._inner.policy

    def paths(self, sources: Indices, targets: Indices, labels: Indices | int = 0) -> Indices:
        """Return one path of each connection, the links of appliances in the last columns; see :class:`Routing`."""
        passed = self._passed(sources, targets)
        boxes = np.where(passed, self._links[:, None], NO_LINK).T
        return np.hstack((self._inner.paths(sources, targets, labels), boxes))

    def delays_s(self, paths: Indices) -> Floats:
        """Return the latency of each path, its boxes included [s]; see :class:`Routing`."""
        count = len(self._links)
        own = np.where(paths[:, -count:] != NO_LINK, self._latencies_s, 0.0).sum(axis=1)
        return np.asarray(self._inner.delays_s(paths[:, :-count]) + own)

    def lay(self, builder: RouteBuilder, ends: Ends, labels: Indices | int, amounts: Floats) -> float:
        """Add connections to a route; see :class:`Routing`."""
        passed = self._passed(*ends)
        for link, through in zip(self._links.tolist(), passed, strict=True):
            builder.links(np.full(int(through.sum()), link), amounts[through])
        own_s = float(np.max(self._latencies_s @ passed, initial=0.0))
        return self._inner.lay(builder, ends, labels, amounts) + own_s

    def _passed(self, sources: Indices, targets: Indices) -> NDArray[np.bool_]:
        """Return which connections pass which appliance, shape (appliances, connections)."""
        there = self._first[:, sources] & self._second[:, targets]
        back = self._second[:, sources] & self._first[:, targets]
        return np.asarray((there | back) & (sources != targets))
