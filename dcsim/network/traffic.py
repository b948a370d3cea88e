"""What flows now: transfers that begin, share links, and end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import simpy

from dcsim.engine import Alarm, Clock, LevelArray
from dcsim.network import refill
from dcsim.network.bundle import Bundles
from dcsim.network.hold import Holds
from dcsim.network.links import Links
from dcsim.network.meetings import Meetings
from dcsim.network.route import Route, Routes
from dcsim.network.sharing import Sharing
from dcsim.network.stalls import Stalls
from dcsim.network.transfer import Transfer
from dcsim.network.tree import Floats, Indices
from dcsim.network.users import Users

_NEVER = float("inf")
_ONE = np.zeros(1, dtype=np.int64)


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
        self._users = Users(len(self.capacities))
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
            self._after(routes.latency_s.item(chosen.item()), transfer, None)
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
        self._users.remove(transfer)
        transfer.route, transfer.bundle = route, self._bundles.of(route)
        self._users.add(transfer)
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
        counts = self._users.counts
        users = counts[links]
        if not users.any():
            return False
        own = np.zeros_like(counts)
        for transfer in self._of_owner.get(owner, ()):
            np.add.at(own, transfer.links, 1)
        return bool(np.any(users > own[links]))

    def _open(self, route: Route | Routes, which: Indices, sizes_bytes: Floats, owner: str) -> Transfer:
        transfer = Transfer(self._bundles.of(route), which, sizes_bytes, owner)
        transfer.event, transfer.number, transfer.route = self._clock.event(), self._opened, route
        self._opened += 1
        self._open_transfers[transfer.number] = transfer
        self._of_owner.setdefault(owner, {})[transfer] = None
        self._users.add(transfer)
        return transfer

    def _after(self, latency_s: float, transfer: Transfer, flows: Indices | None) -> None:
        """Begin ``flows`` of a transfer, all of them if None, when their latency is over."""
        if latency_s > 0.0:
            begin = partial(self._begin, transfer, flows, rung=True)
            transfer.alarms.append(self._clock.call_at(self._clock.now + latency_s, begin))
        else:
            self._begin(transfer, flows)

    def _begin(self, transfer: Transfer, flows: Indices | None, *, rung: bool = False) -> None:
        """Let flows share links whose latency is over, ``rung`` if an alarm calls, which does nothing else."""
        which, sizes_bytes, entries = transfer.which, transfer.sizes_bytes, transfer.bundle.sizes
        if flows is not None:
            which, sizes_bytes = which[flows], sizes_bytes[flows]
        if len(which) == 1:
            size_bytes = sizes_bytes.item()
            moving = size_bytes > 0.0 and entries.item(which.item()) > 0
        else:
            size_bytes = float(sizes_bytes.sum())
            moving = bool(sizes_bytes.all() and entries[which].all())
        transfer.begun_bytes += size_bytes
        if not moving:
            moves, count = (sizes_bytes > 0.0) & (entries[which] > 0), len(which)
            which, sizes_bytes = which[moves], sizes_bytes[moves]
            self._ended(transfer, count - len(which))
        if len(which):
            self._admit(transfer, which, sizes_bytes, rung=rung)

    def _admit(self, transfer: Transfer, which: Indices, sizes_bytes: Floats, *, rung: bool = False) -> None:
        """Let flows share links from now on."""
        bundle, now_s = transfer.bundle, self._clock.now
        if self.holds.present:
            self.holds.touch(transfer.links, transfer.owner)
        at_once = rung and self._clock.idle
        entries = bundle.sizes.item(which.item()) if len(which) == 1 else int(bundle.sizes[which].sum())
        at = entries, transfer.number, now_s
        self._sharing.begin(bundle.tables, (which, sizes_bytes), at, at_once=at_once)
        self._settle(at_once)

    def _settle(self, solved: bool) -> None:
        """Solve after the events that are due at this instant; if none is, all has been ``solved``, which saves one."""
        if solved:
            self._follow()
        else:
            self._clock.settle(self._solve)

    def _solve(self) -> None:
        """Give every flow its rate and every link its load from now on."""
        self._sharing.solve(self._clock.now)
        self._follow()

    def _follow(self) -> None:
        """Await what the rates that flows have been given lead to."""
        self._plan_next()
        self.stalls.watch()

    def _plan_next(self) -> None:
        """Set the alarm for the first flow to end."""
        soonest_s = self._sharing.soonest_s
        if soonest_s == self._next_s:
            return
        if self._next is not None:
            self._next.cancel()
        self._next_s = soonest_s
        self._next = None if soonest_s == _NEVER else self._clock.call_at(soonest_s, self._finish)

    def _finish(self) -> None:
        """End the flows that have nothing left."""
        self._next, self._next_s, now_s = None, _NEVER, self._clock.now
        alone = self._clock.idle
        owners, sent_bytes = self._sharing.end(now_s, at_once=alone)
        if not owners:  # dropped at this very instant
            return
        self._booked += sent_bytes
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
        self._users.remove(transfer)

    def _sent(self, slots: Indices) -> float:
        """Return the bytes that the flows in ``slots`` have put on sending links until now [B]."""
        rows, now_s = self._table.slots, self._clock.now
        left = rows[refill.LEFT, slots] - rows[refill.RATE, slots] * (now_s - rows[refill.SINCE, slots])
        return float((rows[refill.BYTES, slots] - left) @ rows[refill.SENT, slots])
