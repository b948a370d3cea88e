"""What flows now: transfers that begin, share links, and end."""

from __future__ import annotations

import numpy as np
import simpy

from dcsim.engine import Alarm, Clock
from dcsim.network.hold import Holds
from dcsim.network.links import Links
from dcsim.network.load import Load
from dcsim.network.route import Route
from dcsim.network.sharing import NOTHING, Sharing
from dcsim.network.tree import Floats, Indices

# A flow ends when what is left is rounding: of its size, or of the clock, whose alarm at t is off by some 2e-16 t.
_SIZE_ROUNDING = 1e-12
_CLOCK_ROUNDING = 1e-14


class Flow:
    """One transfer; ``sent_share`` is bytes on sending links per byte of payload."""

    __slots__ = ("alarm", "event", "owner", "route", "sent_share", "size_bytes")

    def __init__(self, route: Route, size_bytes: float, owner: str, event: simpy.Event) -> None:
        self.route, self.size_bytes, self.owner, self.event = route, size_bytes, owner, event
        self.alarm: Alarm | None = None
        self.sent_share = 0.0


class Traffic:
    """The transfers and holds of a fabric.

    Between two changes every flow has a constant rate; arrays hold what is left of each flow at the last change. All
    changes of one instant are solved together, after the events of that instant.
    """

    def __init__(self, clock: Clock, links: Links) -> None:
        self._clock = clock
        self.capacities = links.capacities
        self._load = Load(clock, links.names)
        self.loads = self._load.levels
        self._senders, self._receivers = links.senders().astype(np.float64), np.flatnonzero(links.receivers())
        self.holds = Holds(clock, self._load, self._senders)
        self._sharing = Sharing(self.capacities)
        self._users = np.zeros(len(self.capacities), dtype=np.int64)
        self._of_owner: dict[str, dict[Flow, None]] = {}
        self._flows: list[Flow] = []
        self._left: Floats = np.empty(0)
        self._rates: Floats = np.empty(0)
        self._since_s = clock.now
        self._arrived: list[Flow] = []
        self._solution = NOTHING
        self._next: Alarm | None = None
        self._booked = 0.0

    @property
    def solves(self) -> int:
        """How often fair shares were solved afresh."""
        return self._sharing.solves

    @property
    def sent_bytes(self) -> float:
        """Bytes put on sending links: whole sizes of finished transfers, progress of the others, holds [B]."""
        self._advance()
        pairs = zip(self._flows, self._left.tolist(), strict=True)
        present = sum((flow.size_bytes - left) * flow.sent_share for flow, left in pairs)
        return float(self._booked + present + self.holds.sent_bytes)

    @property
    def received_bytes(self) -> float:
        """Integrals of the loads of receiving links [B]."""
        return float(self.loads.integrals[self._receivers].sum())

    def transfer(self, route: Route, size_bytes: float, owner: str, latency_s: float) -> simpy.Event:
        """Begin a transfer; see :meth:`Fabric.transfer`."""
        flow = Flow(route, size_bytes, owner, self._clock.event())
        self._of_owner.setdefault(owner, {})[flow] = None
        self._users[route.links] += 1
        if latency_s > 0.0:
            flow.alarm = self._clock.call_at(self._clock.now + latency_s, lambda: self._begin(flow))
        else:
            self._begin(flow)
        return flow.event

    def cancel(self, owner: str) -> None:
        """Drop the flows and holds of ``owner``."""
        for hold in self.holds.of(owner):
            hold.release()
        dropped = self._of_owner.get(owner)
        if not dropped:
            return
        self._advance()
        for flow in list(dropped):
            if flow.alarm is not None:
                flow.alarm.cancel()
            self._forget(flow)
        self._arrived = [flow for flow in self._arrived if flow.owner != owner]
        keep = np.array([flow.owner != owner for flow in self._flows], dtype=bool)
        for flow, left in zip(self._flows, self._left.tolist(), strict=True):
            if flow.owner == owner:
                self._booked += (flow.size_bytes - left) * flow.sent_share
        self._keep(keep)
        self._clock.settle(self._solve)

    def busy(self, links: Indices, owner: str) -> bool:
        """Return whether another owner has a transfer or a hold on ``links``."""
        if self.holds.foreign(links, owner):
            return True
        users = self._users[links]
        if not users.any():
            return False
        own = np.zeros_like(self._users)
        for flow in self._of_owner.get(owner, ()):
            own[flow.route.links] += 1
        return bool(np.any(users > own[links]))

    def _begin(self, flow: Flow) -> None:
        """Let a transfer flow whose latency is over."""
        flow.alarm = None
        if not len(flow.route.links) or flow.size_bytes <= 0.0:
            self._forget(flow)
            flow.event.succeed()
            return
        flow.sent_share = float(self._senders[flow.route.links] @ flow.route.share)
        self._arrived.append(flow)
        self.holds.touch(flow.route.links, flow.owner)
        self._clock.settle(self._solve)

    def _advance(self) -> None:
        """Bring what is left of each flow to this instant."""
        now = self._clock.now
        if now > self._since_s:
            # Rounding may take it a little below zero: what was too much is given back when the flow ends.
            self._left = self._left - self._rates * (now - self._since_s)
            self._since_s = now

    def _solve(self) -> None:
        """Give every flow its rate and every link its load from now on."""
        self._advance()
        self._flows += self._arrived
        self._left = np.concatenate([self._left, [flow.size_bytes for flow in self._arrived]])
        self._arrived = []
        active: dict[Route, int] = {}
        for flow in self._flows:
            active[flow.route] = active.get(flow.route, 0) + 1
        before, self._solution = self._solution, self._sharing.solve(active)
        rates = self._solution.rates
        self._rates = np.array([rates[flow.route] for flow in self._flows])
        if self._solution is not before:
            self._load.flow(before.links, self._solution.links, self._solution.loads)
        self._plan_next()

    def _plan_next(self) -> None:
        """Set the alarm for the first flow to end."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if self._flows:
            soonest = float(np.min(self._left / self._rates))
            self._next = self._clock.call_at(self._clock.now + soonest, self._finish)

    def _finish(self) -> None:
        """End the flows that have nothing left."""
        self._next = None
        self._advance()
        sizes = np.array([flow.size_bytes for flow in self._flows])
        rounding = np.maximum(_SIZE_ROUNDING * sizes, _CLOCK_ROUNDING * self._clock.now * self._rates)
        done = self._left <= rounding
        ended = [self._flows[i] for i in np.flatnonzero(done)]
        for flow, left in zip(ended, self._left[done].tolist(), strict=True):
            self.loads.credit(flow.route.links, flow.route.share * left)
        self._keep(~done)
        for flow in ended:
            self._booked += flow.size_bytes * flow.sent_share
            self._forget(flow)
            flow.event.succeed()
        self._clock.settle(self._solve)

    def _keep(self, kept: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
        self._flows = [self._flows[i] for i in np.flatnonzero(kept)]
        self._left, self._rates = self._left[kept], self._rates[kept]

    def _forget(self, flow: Flow) -> None:
        del self._of_owner[flow.owner][flow]
        self._users[flow.route.links] -= 1
