"""Makes routes: a hop between two ranks, a ring all-reduce, the legs of a storage transfer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dcsim.errors import RunError
from dcsim.network.collectives import ring_latency_s, ring_share
from dcsim.network.layout import FabricLayout
from dcsim.network.links import Links
from dcsim.network.rails import Rails
from dcsim.network.rings import Place, Rank, Rings, cards_beside, check_apart, rings
from dcsim.network.route import Leg, Route, RouteBuilder, Routes
from dcsim.network.routing import NO_LINK, Routing
from dcsim.network.tree import Floats, Indices
from dcsim.network.wiring import Wiring
from dcsim.parallel.waves import Wave


class Planner:
    """Lays routes over the numbered links; connections of one pair of network cards are told apart by a label."""

    def __init__(self, links: Links, router: Routing, layout: FabricLayout) -> None:
        self._links, self._router, self._boards = links, router, links.boards
        self._base_s, self._connections = layout.base_latency_s, layout.connections
        self._nics = np.array([endpoint.nics for endpoint in links.endpoints], dtype=np.int64)
        wiring = links.wiring
        local = layout.policy == "rail-local" and isinstance(wiring, Wiring) and bool(np.all(wiring.rails >= 0))
        self._rails = Rails(links, wiring.rails) if local and isinstance(wiring, Wiring) else None

    def rings(self, ranks: Sequence[Rank]) -> Rings:
        """Return the rings of an all-reduce over ``ranks``."""
        return rings(ranks, self._links.endpoints)

    def all_reduce(self, ranks: Sequence[Rank]) -> Route:
        """Return the route of a ring all-reduce; see :meth:`Fabric.all_reduce`."""
        return self.ring([ranks], 2)

    def ring(self, groups: Sequence[Sequence[Rank]], halves: int) -> Route:
        """Return the route of rings over groups of equally many ranks, all at once and coupled.

        An all-reduce takes two ``halves``, a reduce-scatter or an all-gather one of them.
        """
        builder = RouteBuilder()
        if len(groups[0]) < 2:
            return builder.build(1.0, 0.0)
        laid = [self._lay(builder, self.rings(ranks), halves / 2.0) for ranks in groups]
        weight, latency_s = min(weight for weight, _ in laid), max(latency_s for _, latency_s in laid)
        return builder.build(weight, latency_s * halves / 2.0)

    def trees(self, ranks: Sequence[Rank], inner: float) -> Route:
        """Return the route of an all-reduce whose ranks send and receive ``inner`` times the payload inside a server.

        Between two servers the payload crosses once, each way; between more, over their cards, as in a ring: a double
        tree sends about two payloads out of each server.
        """
        builder, plan = RouteBuilder(), self.rings(ranks)
        if plan.ranks < 2:
            return builder.build(1.0, 0.0)
        for visit in plan.visits:
            if len(visit.accelerators) > 1:
                out, into = self._links.ports(visit.endpoint)
                for port in (out, into):
                    builder.links(port + 2 * np.array(visit.accelerators), inner)
                chain = self._boards.gpus[visit.endpoint] + np.array(visit.accelerators)
                self._boards.meet(builder, (chain[:-1], chain[1:]), 1.0)
                self._boards.meet(builder, (chain[1:], chain[:-1]), 1.0)
        if not plan.network_hops:
            return builder.build(1.0 / inner, self._ring_latency_s(plan))
        servers = len(plan.visits)
        amount = (1.0 if servers == 2 else ring_share(servers)) / plan.channels
        path_s = self._cross(builder, plan, amount)
        return builder.build(self._connections / amount, self._ring_latency_s(plan, path_s))

    def _lay(self, builder: RouteBuilder, plan: Rings, part: float) -> tuple[float, float]:
        """Add ``part`` of a ring all-reduce; return its weight and the latency of a whole one."""
        amount = part * ring_share(plan.ranks) / plan.channels
        for endpoints, accelerators, uses in plan.inner_hops():
            out, carried = self._links.out_ports(endpoints), np.tile(amount * uses, len(endpoints))
            builder.links(np.add.outer(out, 2 * accelerators).ravel(), carried)
            builder.links(np.add.outer(out + 1, 2 * np.roll(accelerators, -1)).ravel(), carried)
            numbers = np.add.outer(self._boards.gpus[endpoints], accelerators)
            self._boards.meet(builder, (numbers.ravel(), np.roll(numbers, -1, axis=1).ravel()), carried)
        if plan.network_hops:
            path_s = self._cross(builder, plan, amount)
            return self._connections / amount, self._ring_latency_s(plan, path_s)
        return 1.0 / amount, self._ring_latency_s(plan)

    def exchange(self, ranks: Sequence[Rank], wave: Wave) -> Route:
        """Return the route of a wave of a schedule; see :meth:`Fabric.exchange`."""
        check_apart(ranks, self._links.endpoints)
        builder, amount = RouteBuilder(), wave.rounds * wave.share
        endpoints, accelerators = np.array(ranks, dtype=np.int64).T
        sources, targets = wave.sources, wave.targets
        inner = endpoints[sources] == endpoints[targets]
        for ends, side in ((sources[inner], 0), (targets[inner], 1)):
            builder.links(self._links.out_ports(endpoints[ends]) + side + 2 * accelerators[ends], amount)
        numbers = self._boards.gpus[endpoints] + accelerators
        self._boards.meet(builder, (numbers[sources[inner]], numbers[targets[inner]]), amount)
        spread, path_s = 1, 0.0
        if not inner.all():
            cards = [self._cards(*rank) for rank in ranks]
            spread = max(map(len, cards))
            hosts = np.array([[own[i % len(own)] for own in cards] for i in range(spread)])
            ends = (hosts[:, sources[~inner]].ravel(), hosts[:, targets[~inner]].ravel())
            if self._rails is not None:
                sent = np.tile(accelerators[sources[~inner]], spread), np.full(len(ends[0]), amount / spread)
                ends = self._rails.steer(builder, ends, sent), ends[1]
            gates = numbers[np.tile(sources[~inner], spread)], numbers[np.tile(targets[~inner], spread)]
            gates = (gates[0] if self._rails is None else self._boards.beside[ends[0]]), gates[1]
            self._boards.leave(builder, gates, amount / spread)
            path_s = self._connect(builder, ends, amount / spread)
        hops = [self._inner_latency_s(endpoint) for endpoint in np.unique(endpoints[sources[inner]]).tolist()]
        hop_s = max(hops, default=0.0) if inner.all() else self._base_s + path_s
        return builder.build(spread * self._connections / amount, wave.rounds * hop_s)

    def legs(self, legs: Sequence[Leg]) -> Route:
        """Return the route of a storage transfer; see :meth:`Fabric.legs`."""
        builder, apart = RouteBuilder(), [leg for leg in legs if leg.source != leg.target]
        crossed = [(link, leg.share) for leg in legs for link in (leg.source_resource, leg.target_resource)]
        resources = [(link, share) for link, share in crossed if link is not None]
        if resources:
            links, shares = zip(*resources, strict=True)
            builder.links(np.array(links, dtype=np.int64), np.array(shares))
        count, hop_s = self._spread(builder, apart) if apart else (0, 0.0)
        connections, carried = count + len(legs) - len(apart), sum(leg.share for leg in legs)
        return builder.build(connections / carried if carried else 1.0, hop_s)

    def between(self, source: Rank, target: Rank, card: int = 0, label: int = 0) -> Route:
        """Return the route of one connection from rank to rank; see :meth:`Fabric.between`."""
        return self._connection((*source, card), (*target, card), label)

    def _connection(self, start: Place, end: Place, label: int) -> Route:
        """Return the route of one connection from a network card to another, or inside an endpoint."""
        source, target = start[:2], end[:2]
        builder = RouteBuilder()
        if source == target:
            return builder.build(1.0, 0.0)
        if source[0] == target[0]:
            out, into = self._links.ports(source[0])
            builder.links(np.array([out + 2 * source[1], into + 2 * target[1]]), 1.0)
            self._boards.meet(builder, self._numbers(source, target), 1.0)
            return builder.build(1.0, self._inner_latency_s(source[0]))
        hosts = [np.array([self._links.first_nic[endpoint] + card]) for endpoint, _, card in (start, end)]
        self._boards.leave(builder, self._numbers(source, target), 1.0)
        path_s = self._router.lay(builder, (hosts[0], hosts[1]), label, np.ones(1))
        return builder.build(1.0, self._base_s + path_s)

    def connections(self, sources: Sequence[Place], targets: Sequence[Place]) -> Routes:
        """Return the routes of connections between ranks; see :meth:`Fabric.connections`."""
        (start, from_gpu, from_card), (end, to_gpu, to_card) = (
            np.array(places).reshape(-1, 3).T for places in (sources, targets)
        )
        self._check_cards(np.concatenate((start, end)), np.concatenate((from_card, to_card)))
        hosts = self._links.first_nic[start] + from_card, self._links.first_nic[end] + to_card
        # What is split over links, or crosses one twice or others than ports, is laid one by one.
        if self._router.policy in ("adaptive", "valiant", "ugal") or self._boards.used:
            ends = zip(sources, targets, range(len(start)), strict=True)
            return _merged([self._connection(*each) for each in ends])
        paths = self._router.paths(*hosts, np.arange(len(start)))
        latency_s = self._base_s + self._router.delays_s(paths)
        for i in np.flatnonzero(start == end).tolist():
            paths[i] = NO_LINK
            if from_gpu[i] != to_gpu[i]:
                out, into = self._links.ports(int(start[i]))
                paths[i, :2] = out + 2 * from_gpu[i], into + 2 * to_gpu[i]
            latency_s[i] = self._inner_latency_s(int(start[i])) if from_gpu[i] != to_gpu[i] else 0.0
        used = paths != NO_LINK
        starts = np.concatenate(([0], np.cumsum(used.sum(axis=1))))
        return Routes(starts, paths[used], np.ones(int(starts[-1])), np.ones(len(paths)), latency_s)

    def _check_cards(self, endpoints: Indices, cards: Indices) -> None:
        """Raise :class:`RunError` where an endpoint has no such network card: its number would be another's."""
        counts = self._nics[endpoints]
        wrong = np.flatnonzero((cards < 0) | (cards >= counts))
        if len(wrong):
            first = wrong[0]
            name, most = self._links.endpoints[endpoints[first]].name, counts[first] - 1
            raise RunError(f"a connection is at {name} nic {cards[first]}, expected one from nic 0 to {most}")

    def hop_s(self, endpoints: Indices, path_s: float) -> float:
        """Return the time of one hop between ranks on ``endpoints``: by a path of ``path_s`` if several [s]."""
        several = len(np.unique(endpoints)) > 1
        return self._base_s + path_s if several else self._inner_latency_s(int(endpoints[0]))

    def _cross(self, builder: RouteBuilder, plan: Rings, amount: float) -> float:
        """Let all rings cross the network; return the latency of the longest path [s]."""
        if self._boards.used:
            self._boards.leave(builder, plan.gates(self._boards.gpus), amount)
        return self._connect(builder, plan.crossings(self._links.first_nic), amount)

    def _numbers(self, *ranks: Rank) -> tuple[Indices, Indices]:
        """Return two accelerators by their number over all endpoints."""
        source, target = (np.array([self._boards.gpus[endpoint] + gpu]) for endpoint, gpu in ranks)
        return source, target

    def _cards(self, endpoint: int, accelerator: int) -> list[int]:
        """Return the hosts that are the network cards beside an accelerator."""
        first = int(self._links.first_nic[endpoint])
        return [first + card for card in cards_beside(accelerator, self._links.endpoints[endpoint])]

    def _spread(self, builder: RouteBuilder, legs: Sequence[Leg]) -> tuple[int, float]:
        """Spread legs evenly over the cards of both ends, each as many connections as the end with more cards has.

        Returns the connections and the time of the longest hop [s].
        """
        ends = np.array([(leg.source, leg.target) for leg in legs], dtype=np.int64)
        stores = [[self._links.endpoints[end].stores for end in pair] for pair in ends.tolist()]
        cards = np.array([[len(each) for each in pair] for pair in stores], dtype=np.int64)
        starts = np.array([[each.start for each in pair] for pair in stores]) + self._links.first_nic[ends]
        counts = cards.max(axis=1)
        leg_of = np.repeat(np.arange(len(legs)), counts)
        place = np.arange(len(leg_of)) - np.repeat(np.cumsum(counts) - counts, counts)
        hosts = [starts[leg_of, side] + place % cards[leg_of, side] for side in (0, 1)]
        amounts = (np.array([leg.share for leg in legs]) / counts)[leg_of]
        self._boards.store(builder, (hosts[0], hosts[1]), amounts)
        path_s = self._connect(builder, (hosts[0], hosts[1]), amounts)
        return int(counts.sum()) * self._connections, self._base_s + path_s

    def _connect(self, builder: RouteBuilder, hosts: tuple[Indices, Indices], amount: float | Floats) -> float:
        """Move ``amount``, of all or of each, between pairs of hosts, evenly over the connections of a pair.

        Returns the latency of the switches and cables on the longest path [s].
        """
        sources, targets = (np.repeat(ends, self._connections) for ends in hosts)
        labels = np.tile(np.arange(self._connections), len(hosts[0]))
        each = np.broadcast_to(np.asarray(amount, dtype=np.float64) / self._connections, hosts[0].shape)
        return self._router.lay(builder, (sources, targets), labels, np.repeat(each, self._connections))

    def _ring_latency_s(self, plan: Rings, path_s: float = 0.0) -> float:
        inner = [self._inner_latency_s(visit.endpoint) for visit in plan.visits if len(visit.accelerators) > 1]
        return ring_latency_s(plan.ranks, plan.network_hops, self._base_s + path_s, max(inner, default=0.0))

    def _inner_latency_s(self, endpoint: int) -> float:
        inner = self._links.endpoints[endpoint].inner
        return 0.0 if inner is None else inner.latency_s


def _merged(routes: Sequence[Route]) -> Routes:
    """Return separate routes as one object."""
    starts = np.cumsum([0, *(len(route.links) for route in routes)], dtype=np.int64)
    return Routes(
        starts,
        np.concatenate([route.links for route in routes]),
        np.concatenate([route.share for route in routes]),
        np.array([route.weight for route in routes]),
        np.array([route.latency_s for route in routes]),
    )
