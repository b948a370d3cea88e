"""The fabric of a running simulation: transfers share its links, and every link's load is a level."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple, TypeVar, cast

import numpy as np
import simpy

from dcsim.engine import Clock, LevelArray, Streams
from dcsim.errors import RunError
from dcsim.network.appliances import Screened
from dcsim.network.detour import Detour
from dcsim.network.graph_routing import GraphRouter
from dcsim.network.groups import GroupPlanner
from dcsim.network.hold import Hold
from dcsim.network.layout import Endpoint, FabricLayout
from dcsim.network.links import Links
from dcsim.network.meetings import Meetings
from dcsim.network.next_hops import NextHops
from dcsim.network.outage import Outage
from dcsim.network.planner import Planner
from dcsim.network.rings import Place, Rank, Rings
from dcsim.network.route import Leg, Route, Routes
from dcsim.network.routing import Router, Routing
from dcsim.network.saturation import Saturation
from dcsim.network.traffic import Traffic
from dcsim.network.tree import Floats, Indices, Tree
from dcsim.network.wiring import Wiring
from dcsim.parallel.waves import Wave
from dcsim.workload.operation import Group

AnyRoute = TypeVar("AnyRoute", Route, Routes)


class LinkRow(NamedTuple):
    """A row of the table of links; utilization is load over payload capacity [1], saturated is the time at capacity."""

    link: str
    tier: str
    capacity_bytes_per_s: float
    bytes: float
    mean_utilization: float
    peak_utilization: float
    saturated_s: float


class TierRow(NamedTuple):
    """A row of the table of tiers: what it joins, how many ends of either kind, and the loads of its links."""

    tier: str
    low: str
    high: str
    low_count: int
    high_count: int
    links: int
    capacity_bytes_per_s: float
    bytes: float
    mean_utilization: float
    busiest_utilization: float
    peak_utilization: float
    saturated_s: float


class Fabric:
    """Network cards joined by a network, ports inside servers, and resources such as disks that transfers cross.

    Modelled: every transfer is a fluid that pays its latency and then flows at its weighted max-min fair share of the
    links on its route, re-solved whenever a transfer begins or ends; the connections of a route are coupled, so a ring
    moves at the rate of its slowest edge. Not modelled: packets, congestion control, losses, buffers, head-of-line
    blocking, and the start-up of a flow beyond the latency of its path.

    Resources must be added before the first transfer, hold, or look at loads and rates.
    """

    def __init__(self, clock: Clock, layout: FabricLayout, streams: Streams) -> None:
        self.clock = clock
        self._links = Links(layout)
        seed = int(streams.generator("network", layout.policy).integers(2**63))
        self._detour = Detour(_inner(layout, self._links, seed), self._links.wiring.links)
        self._planner = Planner(self._links, _screened(self._detour, layout, self._links), layout)
        self._start_s, self._layout = clock.now, layout
        self._connections = layout.connections

    @property
    def wiring(self) -> Tree | Wiring:
        """The switches and cables that join the network cards."""
        return self._links.wiring

    @property
    def tiers(self) -> dict[str, Indices]:
        """The links of each tier: host, edge (to aggregation), core, nvlink, and those of resources."""
        tiers = np.array(self._links.tiers)
        return {str(tier): np.flatnonzero(tiers == tier) for tier in dict.fromkeys(self._links.tiers)}

    @property
    def capacities(self) -> Floats:
        """Payload capacity of each link, line rate times efficiency [B/s], shape (links,)."""
        return self._traffic.capacities

    @property
    def loads(self) -> LevelArray:
        """Payload on each link [B/s]; its integrals are the bytes that have crossed it [B]."""
        return self._traffic.loads

    @property
    def sent_bytes(self) -> float:
        """Bytes that transfers and holds have sent out of network cards and ports, by their own account [B]."""
        return self._traffic.sent_bytes

    @property
    def received_bytes(self) -> float:
        """Bytes that have come in by network cards and ports, by the integrals of the links' loads [B]."""
        return self._traffic.received_bytes

    @property
    def solves(self) -> int:
        """How often fair shares were solved afresh."""
        return self._traffic.solves

    def add_resource(self, name: str, tier: str, capacity_bytes_per_s: float) -> int:
        """Add something else that transfers share, such as the disks of a node, and return its link id."""
        if "_traffic" in self.__dict__:
            raise RunError(f"resource {name!r} was added to a fabric already in use")
        return self._links.add(name, tier, capacity_bytes_per_s)

    def all_reduce(self, ranks: Sequence[Rank]) -> Route:
        """Return the route of a ring all-reduce over ``ranks``, (endpoint, accelerator) each, in logical order.

        The payload is the bytes that every rank contributes. Over several servers there is one ring a network card of a
        server: ring c leaves and enters each server by its c-th card and carries an equal part of the payload; it takes
        the ranks inside the server by the links between accelerators, beginning at the one next to the card. The flows
        of all rings are coupled: they move at the rate of the slowest edge of any ring, as the chunks that a rank waits
        for make them. One rank has an empty route.
        """
        return _repeatable(lambda: self._planner.all_reduce(ranks))

    def trees(self, ranks: Sequence[Rank], inner: float) -> Route:
        """Return the route of an all-reduce by trees between servers over ``ranks``.

        Inside a server every rank sends and receives ``inner`` times the payload: 1 + 1 / g of g ranks where the switch
        adds and multicasts, 2 (g - 1) / g along a chain up and down. All flows are coupled.
        """
        return self._planner.trees(ranks, inner)

    def exchange(self, ranks: Sequence[Rank], wave: Wave) -> Route:
        """Return the route of a wave over ``ranks``, (endpoint, accelerator) each, in logical order.

        The payload is the bytes that every rank contributes to the collective. A pair on one endpoint takes the links
        between its accelerators; another is spread evenly over the network cards beside both ends. The pairs of a round
        are coupled: it lasts as long as its fullest link takes, and the rounds follow one another.
        """
        return _repeatable(lambda: self._planner.exchange(ranks, wave))

    def rings(self, ranks: Sequence[Rank]) -> Rings:
        """Return the rings that :meth:`all_reduce` lays."""
        return self._planner.rings(ranks)

    def collective(self, ranks: Sequence[Rank], groups: Indices, group: Group) -> Route:
        """Return the route of a collective of several groups of ranks at once, such as those along an axis of a mesh.

        All-reduce, all-gather and reduce-scatter are rings, one a network card as in :meth:`all_reduce`; in an
        all-to-all every rank sends straight to every other of its group, in a permutation to the one it is paired with.
        All flows of all groups are coupled: they move at the rate of the slowest.

        Parameters
        ----------
        ranks
            (endpoint, accelerator) of every rank, in logical order.
        groups
            The ranks of each group by number, shape (groups, ranks of a group).
        group
            The kind; pairs of a permutation are places within a group. The payload is what a rank gives, of an
            all-gather what it ends up with [B].
        """
        planner = GroupPlanner(self._planner, self._links, self._connections, self._detour)
        return _repeatable(lambda: planner.route(ranks, groups, group))

    def legs(self, legs: Sequence[Leg]) -> Route:
        """Return the route of a transfer between servers and storage nodes.

        Each leg moves its share of the payload, spread evenly over the network cards of both ends, one connection for
        each card of the end with more of them. All legs are coupled; give legs that should finish apart to transfers of
        their own. A leg within one endpoint crosses only its resources.
        """
        return _repeatable(lambda: self._planner.legs(legs))

    def between(self, source: Rank, target: Rank, card: int = 0, label: int = 0) -> Route:
        """Return the route of one connection between two ranks.

        Between two endpoints it takes network card ``card`` of both. ``label`` tells connections of one pair of cards
        apart, as a port number does.
        """
        return _repeatable(lambda: self._planner.between(source, target, card, label))

    def alone_rate(self, route: Route) -> float:
        """Return the payload rate of ``route`` when nobody else is there [B/s], infinite for an empty route, 0 for one
        that crosses a dead link.
        """
        return _slowest(self._traffic.present_capacities, route)

    def dead(self, links: Indices) -> bool:
        """Return whether one of ``links`` lets nothing pass now."""
        still = self._traffic.present_capacities == 0.0
        return bool(still.any()) and bool(still[links].any())

    def planned_rate(self, route: Route) -> float:
        """Return the rate that :meth:`alone_rate` does, for a dead route that with all links whole [B/s]: one plans as
        if it were not dead, and waits for it.
        """
        return self.alone_rate(route) or self.whole_rate(route)

    def whole_rate(self, route: Route) -> float:
        """Return the rate that :meth:`alone_rate` does with all links whole [B/s]."""
        return _slowest(self.capacities, route)

    def transfer(self, route: Route, size_bytes: float, owner: str, latency_s: float | None = None) -> simpy.Event:
        """Move ``size_bytes`` of payload: after the latency it flows at its fair share of the links until it is there.

        Parameters
        ----------
        route
            Where it goes; nothing flows over an empty route, which takes the latency alone.
        size_bytes
            Payload [B], 0 or more.
        owner
            Whose transfer this is, for :meth:`busy`, :meth:`hold` and :meth:`cancel`.
        latency_s
            Time before the first byte [s]; the route's unless given.

        Returns
        -------
        simpy.Event
            Triggers when the last byte has arrived.
        """
        latency_s = route.latency_s if latency_s is None else latency_s
        return self._traffic.transfer(self.current(route), size_bytes, owner, latency_s)

    def connections(
        self, sources: Sequence[Place], targets: Sequence[Place], caps_bytes_per_s: Floats | None = None
    ) -> Routes:
        """Return the routes of many connections between ranks, each as of :meth:`between`.

        Connection i goes from ``sources[i]`` to ``targets[i]``, (endpoint, accelerator, network card) each, has label
        i, and is never faster than ``caps_bytes_per_s[i]`` [B/s]. Between two endpoints it takes the cards, within one
        the links between accelerators.
        """
        return _repeatable(
            lambda: replace(self._planner.connections(sources, targets), caps_bytes_per_s=caps_bytes_per_s)
        )

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Servers and storage nodes, in the order of their numbers."""
        return self._links.endpoints

    def card_rates(self, endpoint: int) -> Floats:
        """Return the payload that each network card of an endpoint can send [B/s], shape (cards,)."""
        first = self.wiring.host_links[0] + int(self._links.first_nic[endpoint])
        return self.capacities[first : first + self.endpoints[endpoint].nics]

    def moved_bytes(self, owner: str) -> float:
        """Return the payload that the transfers of ``owner``, those under way included, have moved until now [B]."""
        return self._traffic.moved_bytes(owner)

    def transfers(self, routes: Routes, sizes_bytes: Floats, owner: str, which: Indices | None = None) -> simpy.Event:
        """Move many payloads at once, each over its own route and at its own fair share.

        Parameters
        ----------
        routes
            Where they go.
        sizes_bytes
            Payload of each flow [B], 0 or more, shape (flows,).
        owner
            As of :meth:`transfer`.
        which
            The route of each flow by its number in ``routes``, shape (flows,); all in order unless given.

        Returns
        -------
        simpy.Event
            Triggers when the last byte of the last flow has arrived.
        """
        return self._traffic.transfers(self.current(routes), sizes_bytes, owner, which)

    @property
    def outage(self) -> Outage:
        """The state of the links: which are down or slow, and which of them routing avoids."""
        return self._outage

    def current(self, route: AnyRoute) -> AnyRoute:
        """Return the route that a connection along ``route`` takes now: itself unless a link of it is known dead."""
        return cast(AnyRoute, self._outage.current(route)) if "_outage" in self.__dict__ else route

    def cable(self, name: str) -> Indices:
        """Return both directions of the cable or port that the link ``name`` of the table of links is one of.

        Raises
        ------
        KeyError
            If no link has that name.
        """
        return self._links.cable(name)

    def of_switch(self, name: str) -> Indices:
        """Return the links into and out of the switch ``name``, such as "edge 0.1".

        Raises
        ------
        KeyError
            If there is no such switch.
        """
        return self._links.of_switch(name)

    def give_up(self, told: Callable[[str, str], None]) -> None:
        """Call ``told(owner, link)`` when a flow of an owner has stood still too long at a dead link."""
        self._traffic.stalls.limit_s = self._layout.stall_limit_s
        self._traffic.stalls.told = lambda owner, link: told(owner, self._links.names[link])

    @property
    def stalls(self) -> list[tuple[str, str, float, float]]:
        """Whose flows stood still at which dead link, from when to when [s]."""
        return [(each.owner, self._links.names[each.link], *each[2:]) for each in self._traffic.stalls.periods]

    def cancel(self, owner: str) -> None:
        """Drop all transfers and holds of ``owner``, whose job died; bytes moved stay booked, events never trigger."""
        self._traffic.cancel(owner)

    def busy(self, links: Indices, owner: str) -> bool:
        """Return whether another owner has a transfer (in its latency, too) or a hold on ``links``."""
        return self._traffic.busy(links, owner)

    def hold(self, owner: str, links: Indices, loads: tuple[Indices, Floats], touched: Callable[[], None]) -> Hold:
        """Put the mean load of an owner that skips its transfers on the links of its routes.

        Parameters
        ----------
        owner
            Who holds.
        links
            The links that are watched, ascending, each once.
        loads
            Link ids, each once and among ``links``, and the mean load of each [B/s].
        touched
            Called once, at the instant at which a flow of another owner begins on one of ``links`` and before rates
            are solved. The owner then releases the hold and starts what it has in flight as transfers (with no latency
            left).

        Raises
        ------
        RunError
            If the links are :meth:`busy`.
        """
        if self._traffic.busy(links, owner):
            raise RunError(f"{owner} cannot hold links on which others are busy")
        return self._traffic.holds.begin(owner, links, loads, touched)

    def link_table(self) -> list[LinkRow]:
        """Return bytes, mean and peak utilization of every link since the start."""
        names, tiers, *columns = self.link_columns()
        return [LinkRow(*row) for row in zip(names, tiers, *(each.tolist() for each in columns), strict=True)]

    def link_columns(self) -> tuple[list[str], list[str], Floats, Floats, Floats, Floats, Floats]:
        """Return the columns of :meth:`link_table`, each of shape (links,)."""
        elapsed = self.clock.now - self._start_s
        moved, peaks, capacities = self.loads.integrals, self.loads.peaks, self.capacities
        mean = moved / capacities / elapsed if elapsed > 0.0 else np.zeros_like(moved)
        names, tiers = self._links.names, self._links.tiers
        return names, tiers, capacities, moved, mean, peaks / capacities, self.saturation.seconds

    def tier_table(self) -> list[TierRow]:
        """Return what each tier joins, and the mean over its links, the busiest link and the peak of any."""
        rows, elapsed, capacities = list[TierRow](), self.clock.now - self._start_s, self.capacities
        moved, peaks, saturated = self.loads.integrals, self.loads.peaks, self.saturation.seconds
        for tier, links in self.tiers.items():
            mean = moved[links] / capacities[links] / elapsed if elapsed > 0.0 else np.zeros(len(links))
            numbers = (
                float(capacities[links].max()),
                float(moved[links].sum()),
                float(mean.mean()),
                float(mean.max()),
                float((peaks[links] / capacities[links]).max()),
                float(saturated[links].max()),
            )
            rows.append(TierRow(tier, *self._ends(links), len(links), *numbers))
        return rows

    def _ends(self, links: Indices) -> tuple[str, str, int, int]:
        """Return the kinds of nodes that links join, and how many there are of each; a lone end has no other."""
        known = self.wiring.names
        names = [known[link] for link in links.tolist() if link < len(known)]
        if not names:
            return "", "", 0, 0
        nodes = set(" > ".join(name.partition(" #")[0] for name in names).split(" > "))
        counts = Counter(node.split()[0] for node in nodes)
        low = names[0].split()[0]
        high = min(counts.keys() - {low}, default="")
        return low, high or low, counts[low], counts[high]

    @cached_property
    def saturation(self) -> Saturation:
        """How long links were full, counted from when this is first asked for."""
        return Saturation(self.clock, self.loads, self.capacities)

    @cached_property
    def meetings(self) -> Meetings:
        """Whose transfers met on links and what it cost them, counted from when this is first asked for."""
        return self._traffic.count_meetings()

    @cached_property
    def _outage(self) -> Outage:
        return Outage(self.clock, self._traffic, self._detour, self._layout.detection_s)

    @cached_property
    def _traffic(self) -> Traffic:
        return Traffic(self.clock, self._links)


def router(layout: FabricLayout, links: Links, seed: int) -> Routing:
    """Return what chooses routes over ``links`` by the policy of ``layout``, through its appliances."""
    return _screened(_inner(layout, links, seed), layout, links)


def _inner(layout: FabricLayout, links: Links, seed: int) -> Routing:
    wiring = links.wiring
    if isinstance(wiring, Tree):
        return Router(wiring, layout.policy, seed, layout.passing_latency_s)
    return GraphRouter(NextHops(wiring), layout.policy, seed, layout.passing_latency_s)


def _screened(chosen: Routing, layout: FabricLayout, links: Links) -> Routing:
    """Return a routing whose connections pass the appliances of ``layout``, if it has any."""
    if not layout.appliances:
        return chosen
    return Screened(chosen, layout.appliances, layout.pools, links.appliances)


def _repeatable(lay: Callable[[], AnyRoute]) -> AnyRoute:
    """Return a route that knows how to be laid again."""
    return replace(lay(), again=lambda: _repeatable(lay))


def _slowest(capacities: Floats, route: Route) -> float:
    return float(np.min(capacities[route.links] / route.share)) if len(route.links) else float("inf")
