"""Whose transfers met on links, and how much longer they took for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from dcsim.engine import Clock
from dcsim.network.route import Route, Routes
from dcsim.network.transfer import Transfer
from dcsim.network.tree import Floats

_REMEMBERED = 1_000_000  # pairs of routes


class MeetingRow(NamedTuple):
    """A row of the table of sharing: what the transfers of ``job`` took that met ``other``, and would have alone."""

    job: str
    other: str
    transfers: int
    time_s: float
    alone_s: float
    slowdown: float


class Meetings:
    """Counts, for every two owners whose transfers were on a link at one time, what that cost each of them.

    A transfer is timed from the moment at which the other came, to its end; alone is what was left of it then at the
    rate that it has with nobody else on its links. With several others at once each of them is blamed for all of it.
    Transfers of many flows at once are met, but not timed: their flows end apart.
    """

    def __init__(self, clock: Clock, capacities: Callable[[], Floats], left_bytes: Callable[[Transfer], float]) -> None:
        self._clock, self._capacities, self._left_bytes = clock, capacities, left_bytes
        self._met: dict[Transfer, dict[str, tuple[float, float]]] = {}  # owner of the other: since, alone [s]
        self._starts_s: dict[Transfer, float] = {}  # when the latency of a transfer is over
        self._sums: dict[tuple[str, str], tuple[int, float, float]] = {}
        self._common: dict[tuple[Route | Routes, Route | Routes], bool] = {}

    def begin(self, transfer: Transfer, latency_s: float, others: Iterable[Transfer]) -> None:
        """A transfer begins beside ``others`` of other owners."""
        self._met[transfer], self._starts_s[transfer] = {}, self._clock.now + latency_s
        self.look(transfer, others)

    def look(self, transfer: Transfer, others: Iterable[Transfer]) -> None:
        """Note which of ``others`` a transfer that begins, or goes another way, shares links with."""
        for other in others:
            if self._shares(transfer, other):
                self._note(transfer, other.owner)
                self._note(other, transfer.owner)

    def end(self, transfer: Transfer) -> None:
        """A transfer has ended."""
        for other, (since_s, alone_s) in self.drop(transfer).items():
            count, took_s, sum_s = self._sums.get((transfer.owner, other), (0, 0.0, 0.0))
            took_s += self._clock.now - since_s
            self._sums[transfer.owner, other] = count + 1, took_s, sum_s + alone_s

    def drop(self, transfer: Transfer) -> dict[str, tuple[float, float]]:
        """Forget a transfer, and return whom it met."""
        self._starts_s.pop(transfer, None)
        return self._met.pop(transfer, {})

    def rows(self) -> list[MeetingRow]:
        """Return what every owner's transfers took that met those of another."""
        return [
            MeetingRow(*pair, count, took_s, alone_s, took_s / alone_s)
            for pair, (count, took_s, alone_s) in sorted(self._sums.items())
            if alone_s > 0.0
        ]

    def _note(self, transfer: Transfer, other: str) -> None:
        met = self._met.get(transfer)
        if met is None or other in met or not isinstance(transfer.route, Route):
            return
        rate = float(np.min(self._capacities()[transfer.route.links] / transfer.route.share))
        if rate > 0.0:  # behind a dead link nothing takes any time alone
            now = self._clock.now
            met[other] = now, max(0.0, self._starts_s[transfer] - now) + self._left_bytes(transfer) / rate

    def _shares(self, one: Transfer, other: Transfer) -> bool:
        pair = (one.route, other.route)
        if pair not in self._common:
            if len(self._common) >= _REMEMBERED:
                self._common.clear()
            common = bool(np.isin(one.links, other.links).any())
            self._common[pair] = self._common[other.route, one.route] = common
        return self._common[pair]
