"""What flows now: transfers that begin, share links, and end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import simpy

from dcsim.engine import Alarm, Clock, LevelArray
from dcsim.network import refill
from dcsim.network.bundle import Bundle, Bundles
from dcsim.network.hold import Holds
from dcsim.network.links import Links
from dcsim.network.meetings import Meetings
from dcsim.network.route import Route, Routes
from dcsim.network.sharing import Sharing
from dcsim.network.stalls import Stalls
from dcsim.network.table import view
from dcsim.network.tree import Floats, Indices

_NEVER = float("inf")
_FEW = 16  # links; NumPy is quicker with more
_ONE = np.zeros(1, dtype=np.int64)


class Transfer:
    """Payload on its way over one route or over many at once; ``event`` triggers when all of it is there.

    Flow i of it moves ``sizes_bytes[i]`` over route ``which[i]`` of ``bundle``. ``waiting`` counts those that have not
    ended, ``begun_bytes`` sums up those whose latency is over; ``alarms`` ring when that of some is.
    """

    __slots__ = (
        "alarms",
        "begun_bytes",
        "bundle",
        "event",
        "links",
        "number",
        "owner",
        "route",
        "sizes_bytes",
        "waiting",
        "which",
    )

    def __init__(self, bundle: Bundle, which: Indices, sizes_bytes: Floats, owner: str) -> None:
        self.bundle, self.which, self.sizes_bytes, self.owner = bundle, which, sizes_bytes, owner
        self.event: simpy.Event
        self.route: Route | Routes
        self.number, self.begun_bytes = 0, 0.0
        self.alarms: list[Alarm] = []
        self.waiting = len(which)
        self.links = bundle.links_of(which)


class Traffic:
    """The transfers and holds of a fabric.

    Between two changes every flow has a constant rate. All changes of one instant are solved together, after the events
    of that instant.
    """

    def __init__(self, clock: Clock, links: Links) -> None:
        self._clock = clock
        self.capacities = links.capacities
        self.loads = LevelArray(clock, links.names, "B/s")
        senders, self._receivers = links.senders().astype(np.float64), np.flatnonzero(links.receivers())
        self._sharing = Sharing(self.loads, self.capacities)
        self.holds = Holds(clock, self._sharing.load, senders)
        self._bundles = Bundles(senders)
        self._table = self._sharing.table
        self._users = np.zeros(len(self.capacities), dtype=np.int64)
        self._users_view = view(self._users)
        self._of_owner: dict[str, dict[Transfer, None]] = {}
        self._open_transfers: dict[int, Transfer] = {}
        self._opened = 0
        self._next: Alarm | None = None
        self._next_s = _NEVER
        self._booked = 0.0
        self._moved: dict[str, float] = {}
        self.meetings: Meetings | None = None  # counted from when someone asks for them
        self.stalls = Stalls(clock, self._table, lambda number: self._open_transfers[number].owner)

    @property
    def solves(self) -> int:
        """How often fair shares were solved afresh or corrected."""
        return self._sharing.solves

    @property
    def sent_bytes(self) -> float:
        """Bytes put on sending links: whole sizes of finished transfers, progress of the others, holds [B]."""
        return self._booked + self._sent(self._table.in_use) + self.holds.sent_bytes

    @property
    def received_bytes(self) -> float:
        """Integrals of the loads of receiving links [B]."""
        return float(self.loads.integrals[self._receivers].sum())

    def transfer(self, route: Route, size_bytes: float, owner: str, latency_s: float) -> simpy.Event:
        """Begin a transfer; see :meth:`Fabric.transfer`."""
        transfer = self._open(route, _ONE, np.array([size_bytes]), owner)
        if self.meetings is not None:
            self.meetings.begin(transfer, latency_s, self._foreign(owner))
        self._after(latency_s, transfer, None)
        return transfer.event

    def transfers(self, routes: Routes, sizes_bytes: Floats, owner: str, which: Indices | None = None) -> simpy.Event:
        """Begin many flows at once; see :meth:`Fabric.transfers`."""
        chosen = np.arange(len(routes)) if which is None else which
        transfer = self._open(routes, chosen, np.array(sizes_bytes, dtype=np.float64), owner)
        if self.meetings is not None:
            self.meetings.begin(transfer, 0.0, self._foreign(owner))
        if len(chosen) == 1:
            self._after(float(routes.latency_s[chosen[0]]), transfer, None)
        else:
            latencies_s = routes.latency_s[chosen]
            for latency_s in np.unique(latencies_s).tolist():
                self._after(latency_s, transfer, np.flatnonzero(latencies_s == latency_s))
        if not len(chosen):
            self._ended(transfer, 0)
        return transfer.event

    def cancel(self, owner: str) -> None:
        """Drop the flows and holds of ``owner``."""
        for hold in self.holds.of(owner):
            hold.release()
        dropped = list(self._of_owner.get(owner, ()))
        if not dropped:
            return
        self._moved[owner] = self._moved.get(owner, 0.0) + self._progress(dropped)
        for transfer in dropped:
            for alarm in transfer.alarms:
                alarm.cancel()
            if self.meetings is not None:
                self.meetings.drop(transfer)
            self._forget(transfer)
        slots = self._table.in_use
        slots = slots[np.isin(self._table.ints[1][refill.OWNER, slots], [transfer.number for transfer in dropped])]
        if len(slots):
            self._booked += self._sent(slots)
            self._release(slots)

    def moved_bytes(self, owner: str) -> float:
        """Return the payload that the transfers of ``owner``, those under way included, have moved until now [B]."""
        return self._moved.get(owner, 0.0) + self._progress(list(self._of_owner.get(owner, ())))

    def _progress(self, transfers: list[Transfer]) -> float:
        """Return the payload that ``transfers`` under way have moved until now [B]."""
        slots, rows = self._table.in_use, self._table.slots
        slots = slots[np.isin(self._table.ints[1][refill.OWNER, slots], [each.number for each in transfers])]
        left = rows[refill.LEFT, slots] - rows[refill.RATE, slots] * (self._clock.now - rows[refill.SINCE, slots])
        return sum(each.begun_bytes for each in transfers) - float(left.sum())

    @property
    def present_capacities(self) -> Floats:
        """Capacity of each link as it is now [B/s], shape (links,)."""
        capacities: Floats = self._table.floats[0][refill.CAPACITY]
        return capacities

    def alter(self, links: Indices, capacities: Floats) -> None:
        """Give links other capacities from now on [B/s], 0 where nothing passes."""
        self.holds.touch(links, "")
        self._sharing.alter(links, capacities)
        self._clock.settle(self._solve)

    def reroute(self, remake: Callable[[Route | Routes], Route | Routes]) -> int:
        """Move the flows under way to other routes where ``remake`` gives others; return how many transfers moved."""
        moved = 0
        for transfer in list(self._open_transfers.values()):
            route = remake(transfer.route)
            if route is not transfer.route:
                self._move(transfer, route)
                moved += 1
        return moved

    def _move(self, transfer: Transfer, route: Route | Routes) -> None:
        """Let what is left of a transfer go on by another route; what has been sent stays booked."""
        slots = self._table.in_use
        slots = slots[self._table.ints[1][refill.OWNER, slots] == transfer.number]
        rows = self._table.slots
        left = rows[refill.LEFT, slots] - rows[refill.RATE, slots] * (self._clock.now - rows[refill.SINCE, slots])
        which = self._table.ints[1][refill.WHICH, slots]
        if len(slots):  # none while its latency lasts
            self._booked += self._sent(slots)
            self._release(slots)
        self._use(transfer, -1)
        transfer.route, transfer.bundle = route, self._bundles.of(route)
        transfer.links = transfer.bundle.links_of(transfer.which)
        self._use(transfer, 1)
        if self.meetings is not None:
            self.meetings.look(transfer, self._foreign(transfer.owner))
        if len(slots):
            self._admit(transfer, which, np.maximum(left, 0.0))

    def count_meetings(self) -> Meetings:
        """Count from now on which owners' transfers meet on links."""
        self.meetings = Meetings(self._clock, lambda: self.present_capacities, self._left_bytes)
        return self.meetings

    def _left_bytes(self, transfer: Transfer) -> float:
        """Return the payload of a transfer that has not been moved [B]."""
        return float(transfer.sizes_bytes.sum()) - self._progress([transfer])

    def _foreign(self, owner: str) -> Iterator[Transfer]:
        """Yield the transfers of other owners that are under way."""
        for other, transfers in self._of_owner.items():
            if other != owner:
                yield from transfers

    def busy(self, links: Indices, owner: str) -> bool:
        """Return whether another owner has a transfer or a hold on ``links``."""
        if self.holds.foreign(links, owner):
            return True
        users = self._users[links]
        if not users.any():
            return False
        own = np.zeros_like(self._users)
        for transfer in self._of_owner.get(owner, ()):
            np.add.at(own, transfer.links, 1)
        return bool(np.any(users > own[links]))

    def _open(self, route: Route | Routes, which: Indices, sizes_bytes: Floats, owner: str) -> Transfer:
        transfer = Transfer(self._bundles.of(route), which, sizes_bytes, owner)
        transfer.event, transfer.number, transfer.route = self._clock.event(), self._opened, route
        self._opened += 1
        self._open_transfers[transfer.number] = transfer
        self._of_owner.setdefault(owner, {})[transfer] = None
        self._use(transfer, 1)
        return transfer

    def _use(self, transfer: Transfer, change: int) -> None:
        if len(transfer.which) == 1 and len(transfer.links) <= _FEW:
            for link in transfer.links.tolist():
                self._users_view[link] += change
        elif len(transfer.which) == 1:
            self._users[transfer.links] += change
        else:
            np.add.at(self._users, transfer.links, change)

    def _after(self, latency_s: float, transfer: Transfer, flows: Indices | None) -> None:
        """Begin ``flows`` of a transfer, all of them if None, when their latency is over."""
        if latency_s > 0.0:
            begin = self._beginning(transfer, flows)
            transfer.alarms.append(self._clock.call_at(self._clock.now + latency_s, begin))
        else:
            self._begin(transfer, flows)

    def _beginning(self, transfer: Transfer, flows: Indices | None) -> Callable[[], None]:
        return lambda: self._begin(transfer, flows, rung=True)

    def _begin(self, transfer: Transfer, flows: Indices | None, *, rung: bool = False) -> None:
        """Let flows share links whose latency is over, ``rung`` if an alarm calls, which does nothing else."""
        bundle = transfer.bundle
        which, sizes_bytes = transfer.which, transfer.sizes_bytes
        if flows is not None:
            which, sizes_bytes = which[flows], sizes_bytes[flows]
        transfer.begun_bytes += float(sizes_bytes.sum())
        if len(which) == 1:
            moving = bool(sizes_bytes[0] > 0.0 and len(transfer.links) > 0)
        else:
            moving = bool(sizes_bytes.all() and bundle.sizes[which].all())
        if not moving:
            moves, count = (sizes_bytes > 0.0) & (bundle.sizes[which] > 0), len(which)
            which, sizes_bytes = which[moves], sizes_bytes[moves]
            self._ended(transfer, count - len(which))
        if len(which):
            self._admit(transfer, which, sizes_bytes, rung=rung)

    def _admit(self, transfer: Transfer, which: Indices, sizes_bytes: Floats, *, rung: bool = False) -> None:
        """Let flows share links from now on."""
        bundle, table = transfer.bundle, self._table
        links = transfer.links if which is transfer.which else bundle.links_of(which)
        slots, first = table.take(len(which), len(links))
        loops, floats, ints = self._sharing.kernel.ledger(table, len(links))
        at = first, transfer.number, self._clock.now
        loops.place(floats, ints, bundle.tables, (slots, which, sizes_bytes), at)
        self.holds.touch(transfer.links, transfer.owner)
        self._sharing.come(slots)
        self._settle(rung and self._clock.idle)

    def _settle(self, at_once: bool) -> None:
        """Solve after the events that are due at this instant; ``at_once`` if none is, which saves an event."""
        if at_once:
            self._solve()
        else:
            self._clock.settle(self._solve)

    def _solve(self) -> None:
        """Give every flow its rate and every link its load from now on."""
        self._sharing.solve(self._clock.now)
        self._plan_next()
        self.stalls.watch()

    def _plan_next(self) -> None:
        """Set the alarm for the first flow to end."""
        soonest_s = self._table.soonest_s()
        if soonest_s == self._next_s:
            return
        if self._next is not None:
            self._next.cancel()
        self._next_s = soonest_s
        self._next = None if soonest_s == _NEVER else self._clock.call_at(soonest_s, self._finish)

    def _finish(self) -> None:
        """End the flows that have nothing left."""
        self._next, self._next_s, now_s = None, _NEVER, self._clock.now
        (slots,) = (self._table.slots[refill.DUE] <= now_s).nonzero()
        if not len(slots):  # dropped at this very instant
            return
        owners = self._table.ints[1][refill.OWNER, slots].tolist()
        self._booked += self._sharing.retire(slots, now_s)
        self._sharing.go(slots)
        alone = self._clock.idle
        # In the order in which they began: slots are used again, so theirs depends on what was there before.
        for number, count in sorted(Counter(owners).items()) if len(owners) > 1 else [(owners[0], 1)]:
            self._ended(self._open_transfers[number], count)
        self._settle(alone)

    def _release(self, slots: Indices) -> None:
        rows = self._table.slots
        rows[refill.END, slots] = rows[refill.DUE, slots] = _NEVER
        rows[refill.SENT, slots] = 0.0  # booked
        self._table.ints[1][refill.OWNER, slots] = refill.NONE
        self._sharing.go(slots)
        self._clock.settle(self._solve)

    def _ended(self, transfer: Transfer, flows: int) -> None:
        """Count flows that have ended; with the last the transfer is over."""
        transfer.waiting -= flows
        if not transfer.waiting:
            self._forget(transfer)
            if self.meetings is not None:
                self.meetings.end(transfer)
            self._moved[transfer.owner] = self._moved.get(transfer.owner, 0.0) + transfer.begun_bytes
            transfer.event.succeed()

    def _forget(self, transfer: Transfer) -> None:
        del self._of_owner[transfer.owner][transfer], self._open_transfers[transfer.number]
        self._use(transfer, -1)

    def _sent(self, slots: Indices) -> float:
        """Return the bytes that the flows in ``slots`` have put on sending links until now [B]."""
        rows, now_s = self._table.slots, self._clock.now
        left = rows[refill.LEFT, slots] - rows[refill.RATE, slots] * (now_s - rows[refill.SINCE, slots])
        return float((rows[refill.BYTES, slots] - left) @ rows[refill.SENT, slots])
