"""The tables of flows that share links: rows of numbers that NumPy, the interpreter and compiled code all work on."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from dcsim.network import refill
from dcsim.network.refill import NONE
from dcsim.network.tree import Floats, Indices

Numbers = TypeVar("Numbers", bound=NDArray[Any])

_SLOTS, _ENTRIES = 64, 512  # to begin with
_FLOATS, _INTS = 11, 11  # rows of slots
_ENTRY_INTS = 4


class Table:
    """Flows in slots, and an entry for every link that a flow uses, in one block a flow.

    ``floats`` and ``ints`` are the tables that :mod:`dcsim.network.refill` describes; ``loads`` is one of them. Numbers
    of a link or of an entry lie side by side: a correction needs most of those of few places.
    """

    def __init__(self, capacities: Floats, loads: Floats) -> None:
        links = len(capacities)
        link_floats, link_ints = np.full((5, links), np.inf, order="F"), np.zeros((3, links), dtype=np.int64, order="F")
        link_floats[refill.CAPACITY], link_floats[refill.LOAD], link_floats[refill.HELD] = capacities, 0.0, 0.0
        link_ints[refill.HEAD] = NONE
        slots, entries = np.zeros((_FLOATS, _SLOTS)), np.zeros((1, _ENTRIES))
        self.floats: tuple[Floats, Floats, Floats, Floats] = (link_floats, slots, entries, loads)
        self.ints: tuple[Indices, Indices, Indices] = (
            link_ints,
            np.zeros((_INTS, _SLOTS), dtype=np.int64),
            np.full((_ENTRY_INTS, _ENTRIES), NONE, dtype=np.int64, order="F"),
        )
        slots[refill.END] = slots[refill.DUE] = np.inf
        self._used = self._used_entries = 0
        self.count = 0  # flows present
        # Whether the links' lists hold exactly the flows that were present at the last correction.
        self.listed = False
        self._views: tuple[list[memoryview], list[memoryview]] | None = None

    def soonest_s(self) -> float:
        """Return when the first flow ends [s], infinite if none does."""
        ends = self.floats[1][refill.END]
        return float(ends[ends.argmin()])

    @property
    def slots(self) -> Floats:
        """The rows of slots, shape (rows, slots)."""
        return self.floats[1]

    @property
    def views(self) -> tuple[list[memoryview], list[memoryview]]:
        """Views of ``floats`` and ``ints``: the quick way to single numbers for the interpreter."""
        if self._views is None:
            self._views = [view(table) for table in self.floats], [view(table) for table in self.ints]
        return self._views

    @property
    def state(self) -> Indices:
        """What each slot holds: FREE, TAKEN or PRESENT, shape (slots,)."""
        state: Indices = self.ints[1][refill.STATE]
        return state

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which slots hold a flow that shares links now, shape (slots,)."""
        return np.asarray(self.state == refill.PRESENT)

    @property
    def in_use(self) -> Indices:
        """Slots that hold a flow, present or not."""
        return np.flatnonzero(self.state)

    def has_room(self, entries: int) -> bool:
        """Return whether there is room for one more flow with so many entries."""
        slots, places = self.ints[1].shape[1], self.ints[2].shape[1]
        return bool(self._used < slots and self._used_entries + entries <= places)

    def lead(self, entries: int) -> int:
        """Count a flow with so many entries, for which there is room, as present; return the first of them."""
        first = self._used_entries
        self.count, self._used, self._used_entries = self.count + 1, self._used + 1, first + entries
        return first

    def drop(self, flows: int) -> None:
        """Count so many flows no longer, whose slots are free already."""
        self.count -= flows
        self._free(flows)

    def due(self, now_s: float) -> Indices:
        """Return the slots whose flows have nothing left at ``now_s`` [s]."""
        return np.flatnonzero(self.floats[1][refill.DUE] <= now_s)

    def take(self, count: int, entries: int) -> tuple[Indices, int]:
        """Take slots for flows with so many entries in all; return the slots, the lowest free, and the first entry."""
        self._make_room(count, entries)
        state = self.state
        slots = state.argmin(axis=0, keepdims=True) if count == 1 else np.flatnonzero(state == refill.FREE)[:count]
        state[slots] = refill.TAKEN
        first = self._used_entries
        self._used, self._used_entries = self._used + count, first + entries
        return slots, first

    def remove(self, slots: Indices) -> None:
        """Free slots whose flows are no longer present."""
        if len(slots):
            self.state[slots] = refill.FREE
            self._free(len(slots))

    def appear(self, slots: Indices) -> None:
        """Let flows be present."""
        if len(slots):
            self.state[slots] = refill.PRESENT
            self.count += len(slots)

    def vanish(self, slots: Indices) -> None:
        """Let flows be present no longer."""
        if len(slots):
            self.state[slots] = refill.TAKEN
            self.count -= len(slots)

    def entries(self, slots: Indices) -> tuple[Indices, Indices]:
        """Return the entries of ``slots`` one slot after the other, and where each slot's begin, shape (slots + 1,)."""
        ints = self.ints[1]
        if len(slots) == 1:
            start, size = int(ints[refill.FIRST, slots[0]]), int(ints[refill.SIZE, slots[0]])
            return np.arange(start, start + size), np.array([0, size])
        first, sizes = ints[refill.FIRST, slots], ints[refill.SIZE, slots]
        starts = np.concatenate(([0], np.cumsum(sizes)))
        return np.repeat(first - starts[:-1], sizes) + np.arange(starts[-1]), starts

    def links_of(self, slots: Indices) -> Indices:
        """Return the links of ``slots``; one that several use comes several times."""
        links: Indices = self.ints[2][refill.LINK][self.entries(slots)[0]]
        return links

    def relist(self) -> None:
        """Write the lists of the links anew, of the flows present."""
        slots = np.flatnonzero(self.present)
        places, starts = self.entries(slots)
        head, table = self.ints[0][refill.HEAD], self.ints[2]
        head[:] = NONE
        table[refill.SLOT, places] = np.repeat(slots, np.diff(starts))
        order = places[np.argsort(table[refill.LINK, places], kind="stable")]
        links = table[refill.LINK, order]
        new = np.concatenate(([True], links[1:] != links[:-1]))[: len(links)]
        table[refill.PREVIOUS, order] = np.where(new, NONE, np.roll(order, 1))
        table[refill.NEXT, order] = np.where(np.roll(new, -1), NONE, np.roll(order, -1))
        head[links[new]] = order[new]
        self.listed = True

    def _free(self, slots: int) -> None:
        self._used -= slots
        if not self._used:
            self._used_entries = 0

    def _make_room(self, slots: int, entries: int) -> None:
        if self._used + slots > self.ints[1].shape[1]:
            self._more_slots(slots)
        capacity = self.floats[2].shape[1]
        if self._used_entries + entries > capacity:
            live = int(self.ints[1][refill.SIZE, self.in_use].sum())
            wanted = 4 * (live + entries)
            self._compact(max(capacity, wanted))

    def _more_slots(self, wanted: int) -> None:
        old = self.ints[1].shape[1]
        more = max(old, wanted)
        self.floats = (self.floats[0], _wider(self.floats[1], more), *self.floats[2:])
        self.floats[1][refill.END, old:] = self.floats[1][refill.DUE, old:] = np.inf
        self.ints = (self.ints[0], _wider(self.ints[1], more), self.ints[2])
        self._views = None

    def _compact(self, capacity: int) -> None:
        """Move the blocks of all slots in use to the front of new tables of entries."""
        slots = self.in_use
        places, starts = self.entries(slots)
        floats, ints = np.zeros((1, capacity)), np.full((_ENTRY_INTS, capacity), NONE, dtype=np.int64, order="F")
        floats[:, : len(places)] = self.floats[2][:, places]
        ints[: refill.NEXT, : len(places)] = self.ints[2][: refill.NEXT, places]
        self.ints[1][refill.FIRST, slots] = starts[:-1]
        self.floats, self.ints = (*self.floats[:2], floats, self.floats[3]), (*self.ints[:2], ints)
        self._used_entries = len(places)
        self.listed, self._views = False, None


def _wider(table: Numbers, more: int) -> Numbers:
    """Return ``table`` with ``more`` columns of zeros."""
    wider = np.zeros((*table.shape[:-1], table.shape[-1] + more), dtype=table.dtype)
    wider[..., : table.shape[-1]] = table
    return cast(Numbers, wider)


def view(table: Any) -> memoryview:
    """Return a view of an array: the quick way to single numbers for the interpreter."""
    return memoryview(table)
