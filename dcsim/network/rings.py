"""How the ranks of a job form rings over servers and network cards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from dcsim.errors import RunError
from dcsim.network.layout import Endpoint
from dcsim.network.tree import Indices

Rank = tuple[int, int]
Place = tuple[int, int, int]  # endpoint, accelerator, network card


class Visit(NamedTuple):
    """Consecutive ranks of a ring on one endpoint: their accelerators in order, and the cards they reach, each once.

    ``cards`` are the network cards of the endpoint and ``entries`` the position in ``accelerators`` at which a ring
    that comes in by the card begins.
    """

    endpoint: int
    accelerators: tuple[int, ...]
    cards: tuple[int, ...]
    entries: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Rings:
    """The rings (channels) of an all-reduce over ``ranks`` ranks.

    A job inside one server has one ring. Otherwise there is one ring a network card, the same number at every server:
    ring c enters and leaves a server by the c-th card of its ranks, and inside the server it takes the ranks in logical
    order from the one at that card on. Each ring carries an equal part of the payload.
    """

    ranks: int
    visits: tuple[Visit, ...]
    channels: int

    @property
    def network_hops(self) -> int:
        """Edges of a ring that cross the network."""
        return len(self.visits) if len(self.visits) > 1 else 0

    def crossings(self, first_nic: Indices) -> tuple[Indices, Indices]:
        """Return the hosts that all network edges of all rings leave and enter, both shape (channels * visits,)."""
        cards = np.array([visit.cards[: self.channels] for visit in self.visits], dtype=np.int64).T
        hosts = first_nic[np.array([visit.endpoint for visit in self.visits])] + cards
        return hosts.ravel(), np.roll(hosts, -1, axis=1).ravel()

    def gates(self, gpus: Indices) -> tuple[Indices, Indices]:
        """Return the accelerators beside the cards of :meth:`crossings`, numbered from the first of each endpoint on.

        A library orders each ring so that it leaves a server, too, by a rank beside the card.
        """
        near = np.array([np.array(v.accelerators)[list(v.entries[: self.channels])] for v in self.visits]).T
        gates = gpus[np.array([visit.endpoint for visit in self.visits])] + near
        return gates.ravel(), np.roll(gates, -1, axis=1).ravel()

    def inner_hops(self) -> Iterator[tuple[Indices, Indices, Indices]]:
        """Yield the endpoints of visits that are alike, their accelerators in order, and how many rings use the hop
        from each of these to the next, in cyclic order.
        """
        alike: dict[tuple[tuple[int, ...], tuple[int, ...]], list[int]] = {}
        for visit in self.visits:
            if len(visit.accelerators) > 1:
                alike.setdefault((visit.accelerators, visit.entries), []).append(visit.endpoint)
        for (accelerators, entries), endpoints in alike.items():
            size = len(accelerators)
            uses = np.full(size, self.channels, dtype=np.int64)
            if self.network_hops:
                # A ring does not close inside a server: the hop back to where it came in is the one it lacks.
                uses -= np.bincount((np.array(entries[: self.channels]) - 1) % size, minlength=size)
            yield np.array(endpoints), np.array(accelerators), uses

    def order(self, channel: int) -> list[Place]:
        """Return (endpoint, accelerator, card) of every rank as ring ``channel`` passes them."""
        passed: list[Place] = []
        for visit in self.visits:
            start, size = visit.entries[channel], len(visit.accelerators)
            turned = [visit.accelerators[(start + i) % size] for i in range(size)]
            passed.extend((visit.endpoint, accelerator, visit.cards[channel]) for accelerator in turned)
        return passed


def rings(ranks: Sequence[Rank], endpoints: Sequence[Endpoint]) -> Rings:
    """Return the rings over ``ranks``, (endpoint, accelerator) each, in logical order.

    Raises
    ------
    RunError
        If two ranks are at one accelerator, or one is at none that there is.
    """
    check_apart(ranks, endpoints)
    runs: list[tuple[int, list[int]]] = []
    for endpoint, accelerator in ranks:
        if not runs or runs[-1][0] != endpoint:
            runs.append((endpoint, []))
        runs[-1][1].append(accelerator)
    if len(runs) > 1 and runs[0][0] == runs[-1][0]:  # The ring closes inside that endpoint.
        endpoint, last = runs.pop()
        runs[0] = (endpoint, last + runs[0][1])
    visits = tuple(_visit(endpoint, tuple(accelerators), endpoints[endpoint]) for endpoint, accelerators in runs)
    channels = min((len(visit.cards) for visit in visits), default=0) if len(visits) > 1 else 1
    return Rings(len(ranks), visits, channels)


def check_apart(ranks: Sequence[Rank], endpoints: Sequence[Endpoint]) -> None:
    """Raise :class:`RunError` where two ranks are at one accelerator, or one is at none that there is."""
    for number, (endpoint, accelerator) in enumerate(ranks):
        if not 0 <= accelerator < max(1, endpoints[endpoint].accelerators):
            most = max(1, endpoints[endpoint].accelerators) - 1
            raise RunError(
                f"rank {number} is at {endpoints[endpoint].name} gpu {accelerator}, expected one from gpu 0 to {most}"
            )
    if len(set(ranks)) == len(ranks):
        return
    place = next(place for number, place in enumerate(ranks) if place in ranks[:number])
    one, other = [number for number, each in enumerate(ranks) if each == place][:2]
    raise RunError(
        f"rank {other} is at {endpoints[place[0]].name} gpu {place[1]}, where rank {one} is already, expected an "
        "accelerator of its own for every rank"
    )


def _visit(endpoint: int, accelerators: tuple[int, ...], kind: Endpoint) -> Visit:
    return Visit(endpoint, accelerators, *_reached(accelerators, kind.accelerators, kind.rank_nics))


@lru_cache(maxsize=4096)  # the servers of a job are mostly alike
def _reached(accelerators: tuple[int, ...], count: int, nics: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the cards that ranks reach on an endpoint of so many accelerators and cards, and the entries to them."""
    entries: dict[int, int] = {}
    for position, accelerator in enumerate(accelerators):
        for card in _beside(accelerator, count, nics):
            entries.setdefault(card, position)
    cards = sorted(entries, key=lambda card: (entries[card], card))
    return tuple(cards), tuple(entries[card] for card in cards)


def cards_beside(accelerator: int, kind: Endpoint) -> range:
    """Return the network cards next to an accelerator: an even split of whichever there are more of.

    They are under its PCIe switch where switches have equal shares of both.
    """
    return _beside(accelerator, kind.accelerators, kind.rank_nics)


def _beside(accelerator: int, accelerators: int, nics: int) -> range:
    count = max(accelerators, accelerator + 1)
    first = accelerator * nics // count
    return range(first, max(first + 1, (accelerator + 1) * nics // count))


def accelerators_beside(kind: Endpoint) -> tuple[int, ...]:
    """Return the accelerator next to every card, the first of several; 0 for a card of storage traffic."""
    return _owners(kind.accelerators, kind.rank_nics) + (0,) * kind.storage_nics


@lru_cache(maxsize=4096)
def _owners(accelerators: int, nics: int) -> tuple[int, ...]:
    owners = [0] * nics
    for accelerator in reversed(range(accelerators)):
        for card in _beside(accelerator, accelerators, nics):
            owners[card] = accelerator
    return tuple(owners)
