"""Which network cards the traffic of others joins, and at which rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dcsim.network.fabric import Fabric
from dcsim.network.rings import Place, accelerators_beside
from dcsim.network.route import Routes
from dcsim.network.tree import Floats


@dataclass(frozen=True, slots=True)
class Pairs:
    """Connections between network cards, and what each asks for [B/s] or moves [B], shape (pairs,)."""

    sources: tuple[Place, ...]
    targets: tuple[Place, ...]
    amounts: Floats


def at(fabric: Fabric, endpoint: int, card: int) -> Place:
    """Return a network card with the accelerator beside it."""
    return endpoint, accelerators_beside(fabric.endpoints[endpoint])[card], card


def permutation(fabric: Fabric, servers: Sequence[int], load: float, draws: np.random.Generator) -> Pairs:
    """Return a flow from every card to the same card of another server, by a random cycle of the servers a card.

    A cycle, so that every card is the target of one, and no server sends to itself. Each asks for ``load`` times what
    its card can send.
    """
    sources, targets, amounts = list[Place](), list[Place](), list[float]()
    for card in range(max(fabric.endpoints[server].nics for server in servers)):
        cycle = [servers[i] for i in draws.permutation(len(servers)) if fabric.endpoints[servers[i]].nics > card]
        if len(cycle) < 2:
            continue
        sources += [at(fabric, server, card) for server in cycle]
        targets += [at(fabric, server, card) for server in [*cycle[1:], cycle[0]]]
        amounts += [load * float(fabric.card_rates(server)[card]) for server in cycle]
    return Pairs(tuple(sources), tuple(targets), np.array(amounts))


def pair(fabric: Fabric, ends: tuple[int, int], rate_bytes_per_s: float, card: int | None) -> Pairs:
    """Return flows from one endpoint to another: by all cards, as many flows as the end with more has, or by one."""
    counts = [fabric.endpoints[end].nics for end in ends]
    cards = range(max(counts)) if card is None else [card]
    sources, targets = ([at(fabric, end, c % count) for c in cards] for end, count in zip(ends, counts, strict=True))
    return Pairs(tuple(sources), tuple(targets), np.full(len(cards), rate_bytes_per_s / len(cards)))


def incast(fabric: Fabric, senders: Sequence[int], target: tuple[int, int], size_bytes: float) -> Pairs:
    """Return a flow of ``size_bytes`` from every sender to ``target``, an endpoint and its card."""
    endpoint, card = target
    sources = [at(fabric, sender, card % fabric.endpoints[sender].nics) for sender in senders]
    return Pairs(tuple(sources), (at(fabric, endpoint, card),) * len(sources), np.full(len(sources), size_bytes))


def storage(nodes: Sequence[int], servers: Sequence[int], rate_bytes_per_s: float, fabric: Fabric) -> Pairs:
    """Return flows from every storage node to the cards of every server in turn, which ask for a rate together."""
    sources, targets = list[Place](), list[Place]()
    for number, server in enumerate(servers):
        for place, node in enumerate(nodes):
            for end, ends in ((node, sources), (server, targets)):
                stores = fabric.endpoints[end].stores
                ends.append(at(fabric, end, stores[(number + place) % len(stores)]))
    return Pairs(tuple(sources), tuple(targets), np.full(len(sources), rate_bytes_per_s / len(sources)))


def alone_s(fabric: Fabric, routes: Routes, sizes_bytes: Floats) -> float:
    """Return the time of flows that begin together when nobody else is there and every link is shared evenly [s].

    The longest latency, and the time of the link that has most to carry for its rate: N x size / rate of the target's
    card in an incast.
    """
    carried = np.bincount(routes.links, routes.share * np.repeat(sizes_bytes, routes.sizes), len(fabric.capacities))
    return float(routes.latency_s.max() + np.max(carried / fabric.capacities))
