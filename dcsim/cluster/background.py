"""Traffic of others while the jobs run: steady flows, random payloads, bursts into one card."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import simpy

from dcsim.cluster.hall import Hall
from dcsim.engine import Process
from dcsim.network import background as cards
from dcsim.network.background import Pairs
from dcsim.network.fabric import Fabric
from dcsim.network.rings import Place
from dcsim.network.route import Routes
from dcsim.network.tree import Floats
from dcsim.scenario.background import Background as Spec
from dcsim.scenario.background import Incast, Pair, Permutation, StorageTraffic, Uniform

_FIRST_S = 60.0  # a steady flow is booked after a minute, then after ever longer times: rounding grows with its size
_FOREVER_S = 3e9
STORAGE = "storage"

Steady = Pair | Permutation | StorageTraffic


class BackgroundRow(NamedTuple):
    """A row of the table of background traffic."""

    background: str
    kind: str
    offered_bytes: float
    moved_bytes: float
    mean_bytes_per_s: float
    ended: int
    time_s: float
    alone_s: float
    slowdown: float


class Background:
    """One traffic of the scenario, and what the network has given it so far.

    Nothing of it happens between changes: a steady flow is one flow with a rate cap, a burst one transfer.
    """

    def __init__(self, hall: Hall, spec: Spec) -> None:
        self._hall, self._spec, self.owner = hall, spec, f"background {spec.name}"
        self._draws = hall.streams.generator("background", spec.name)
        self._offered = 0.0
        self._rate = 0.0  # of a steady flow, while it is there [B/s]
        self._since_s = 0.0
        self._ended, self._took_s, self._alone_s = 0, 0.0, 0.0
        self._routes: dict[tuple[Place, Place], Routes] = {}

    @property
    def name(self) -> str:
        """What the scenario calls it."""
        return self._spec.name

    @property
    def offered_bytes(self) -> float:
        """What it has asked the network to move until now [B]."""
        return self._offered + self._rate * (self._hall.clock.now - self._since_s)

    @property
    def moved_bytes(self) -> float:
        """What the network has moved of it until now [B]."""
        return self._hall.fabric.moved_bytes(self.owner)

    def row(self) -> BackgroundRow:
        """Return what it got: of a steady flow the slow-down is that of its rate, of others that of their times."""
        now, spec, moved = self._hall.clock.now, self._spec, self.moved_bytes
        there_s = max(0.0, min(now, spec.until or now) - spec.at)
        mean = (moved / there_s) if there_s else 0.0
        if isinstance(spec, Uniform | Incast):
            took, alone = (
                total / self._ended if self._ended else float("nan") for total in (self._took_s, self._alone_s)
            )
            slowdown = took / alone
        else:
            took = alone = float("nan")
            slowdown = self.offered_bytes / moved if moved else float("nan")
        return BackgroundRow(spec.name, spec.kind, self.offered_bytes, moved, mean, self._ended, took, alone, slowdown)

    def life(self) -> Process:
        """Come and go as the scenario says."""
        spec = self._spec
        if isinstance(spec, Uniform):
            return self._random(spec)
        return self._bursts(spec) if isinstance(spec, Incast) else self._steady(spec)

    def _steady(self, spec: Steady) -> Process:
        """Ask for a rate from the beginning to the end."""
        clock, fabric = self._hall.clock, self._hall.fabric
        end_s = _FOREVER_S if spec.until is None else spec.until
        pairs = self._pairs(spec)
        routes = fabric.connections(pairs.sources, pairs.targets, pairs.amounts)
        yield clock.until(spec.at)
        self._note("begins")
        span_s = _FIRST_S
        while clock.now < end_s:
            until_s = min(clock.now + span_s, end_s)
            self._rate, self._since_s = float(pairs.amounts.sum()), clock.now
            fabric.transfers(routes, pairs.amounts * (2.0 * span_s), self.owner)  # more than its caps let through
            yield clock.until(until_s)
            self._offered, self._rate = self.offered_bytes, 0.0
            fabric.cancel(self.owner)
            span_s *= 2.0
        self._note("ends")

    def _pairs(self, spec: Steady) -> Pairs:
        """Return the flows of a steady kind."""
        fabric = self._hall.fabric
        if isinstance(spec, Pair):
            return cards.pair(fabric, (self._number[spec.source], self._number[spec.target]), spec.rate, spec.card)
        if isinstance(spec, Permutation):
            return cards.permutation(fabric, self._servers, spec.load, self._draws)
        nodes = [i for i, endpoint in enumerate(fabric.endpoints) if _pool(endpoint.name) == STORAGE]
        read = cards.storage(nodes, self._servers, spec.rate, fabric)
        return read if spec.direction == "read" else Pairs(read.targets, read.sources, read.amounts)

    def _random(self, spec: Uniform) -> Process:
        """Send payloads between random cards, at random times."""
        clock, fabric, draws = self._hall.clock, self._hall.fabric, self._draws
        servers, end_s = self._servers, float("inf") if spec.until is None else spec.until
        places = [cards.at(fabric, server, card) for server in servers for card in range(fabric.endpoints[server].nics)]
        asked = spec.load * sum(float(fabric.card_rates(server).sum()) for server in servers)
        yield clock.until(spec.at)
        self._note("begins")
        while True:
            yield clock.timeout(float(draws.exponential(spec.size / asked)))
            if clock.now >= end_s:
                break
            source = places[int(draws.integers(len(places)))]
            others = [server for server in servers if server != source[0]]
            other = others[int(draws.integers(len(others)))]
            target = cards.at(fabric, other, source[2] % fabric.endpoints[other].nics)
            self._send(self._route(source, target), np.array([spec.size]))
        self._note("ends")

    def _bursts(self, spec: Incast) -> Process:
        """Let the senders send to the one card, once or again and again."""
        clock, fabric = self._hall.clock, self._hall.fabric
        target = self._number[spec.target]
        senders = [server for server in self._servers if server != target]
        if spec.senders is not None:
            senders = sorted(self._draws.choice(senders, spec.senders, replace=False).tolist())
        pairs = cards.incast(fabric, senders, (target, spec.card), spec.size)
        routes = fabric.connections(pairs.sources, pairs.targets)
        yield clock.until(spec.at)
        while spec.until is None or clock.now < spec.until:
            self._note(f"{len(senders)} to 1")
            self._send(routes, pairs.amounts)
            if spec.every is None:
                return
            yield clock.timeout(spec.every)

    def _send(self, routes: Routes, sizes_bytes: Floats) -> None:
        """Send payloads that begin together, and note how long they take."""
        clock, fabric = self._hall.clock, self._hall.fabric
        began_s, alone_s = clock.now, cards.alone_s(fabric, routes, sizes_bytes)
        self._offered += float(sizes_bytes.sum())

        def over(_: simpy.Event) -> None:
            self._ended += 1
            self._took_s += clock.now - began_s
            self._alone_s += alone_s

        event = fabric.transfers(routes, sizes_bytes, self.owner)
        event.callbacks.append(over)

    def _route(self, source: Place, target: Place) -> Routes:
        ends = (source, target)
        if ends not in self._routes:
            self._routes[ends] = self._hall.fabric.connections([source], [target])
        return self._routes[ends]

    @cached_property
    def _number(self) -> dict[str, int]:
        return {endpoint.name: i for i, endpoint in enumerate(self._hall.fabric.endpoints)}

    @cached_property
    def _servers(self) -> list[int]:
        """The servers that take part."""
        return takers(self._hall.fabric, getattr(self._spec, "servers", None))

    def _note(self, detail: str) -> None:
        self._hall.records.events.append(self._hall.clock.now, "background", self.name, detail)


def takers(fabric: Fabric, pools: Sequence[str] | None) -> list[int]:
    """Return the servers of ``pools`` by number, of all but the storage nodes unless given."""
    names = [_pool(endpoint.name) for endpoint in fabric.endpoints]
    return [i for i, name in enumerate(names) if (name != STORAGE if pools is None else name in pools)]


def _pool(name: str) -> str:
    return name.partition("/")[0]
