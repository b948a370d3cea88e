"""Fair shares after a small change: only what the change reaches is solved again.

The max-min fair allocation is the one fixed point of two rules. A link's level L is where it is full: the sum over its
flows of amount * min(u, L) is its capacity, with u the level that the flow's other links and its cap leave it; it is
infinite if the link cannot be filled. A flow's level is the lowest of its links' and its cap. A link's rule does not
depend on levels above its own, so what changes at some level moves upward only: links are corrected in ascending order
of level, most of them once, and where a corrected level is the old one nothing beyond it is looked at. (The fixed point
is that of distributed rate allocation: A. Charny, D. Clark, R. Jain, "Congestion control with explicit rate
indication", ICC 1995. The order of correction is that of Dijkstra's shortest paths.) No sum is carried from one change
to the next, so nothing drifts.

The functions below are plain Python over tables of numbers and are also compiled by Numba as they stand, to the same
bits; see :mod:`dcsim.network.compiled`. ``floats`` are the tables of links, flows ("slots"), entries (a flow on a link)
and loads (:attr:`dcsim.engine.LevelArray.rows`), ``ints`` those of links, slots and entries; their rows are named here.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any

TIE = 1.0 - 1e-12  # levels this close are one, as in the full solver
SAME = 1e-13  # a correction below this is rounding
TRIES = 8  # corrections a link on average, after which a full solve is cheaper
# A flow ends when what is left is rounding: of its size, or of the clock, whose alarm at t is off by some 2e-16 t.
SIZE_ROUNDING, CLOCK_ROUNDING = 1e-12, 1e-14

CAPACITY, LEVEL, PENDING, LOAD, HELD = range(5)  # floats of links; LOAD is of flows, HELD of all else
MARK, LIST = range(2)  # integers of links and of slots: whether a place is on the list, and the list
HEAD = 2  # integers of links
# floats of slots: level, its upper bound, scratch, rate per level; payload left [B] since [s] at a rate [B/s]; when it
# ends [s], and from when on it counts as ended; whole payload [B], bytes on sending links per byte of payload
SHARE, CAP, OTHER, WEIGHT, LEFT, SINCE, RATE, END, DUE, BYTES, SENT = range(11)
# integers of slots: the first of its entries and how many, who is told when it ends, which of the routes it is, the
# first of two words that name that route; whether it holds a flow; lists: of slots that change and of who is told that
FIRST, SIZE, OWNER, WHICH, TOKEN = range(2, 7)
STATE, CHANGE, TOLD = range(8, 11)
FREE, TAKEN, PRESENT = range(3)  # states; a flow that is about to share links, or does no longer, is not present
AMOUNT = 0  # floats of entries
LINK, SLOT, NEXT, PREVIOUS = range(4)  # integers of entries
VALUE, INTEGRAL, START, PEAK = range(4)  # rows of loads
NONE = -1
INFINITE = float("inf")

Tables = Any  # two-dimensional, each: arrays when compiled, memory views when not


def change(floats: Tables, ints: Tables, slots: Any, ended: int, now_s: float) -> tuple[int, int, int]:
    """Let the flows of the first ``ended`` of ``slots`` be gone and those of the others be there from ``now_s`` on.

    Returns
    -------
    tuple
        Links whose load was summed up again and flows whose rate was set, listed in row LIST of their tables;
        corrections tried, negative if there were so many that the levels must be solved from the start.
    """
    leave(ints, slots[:ended])
    enter(ints, slots[ended:])
    return correct(floats, ints, slots, ended, now_s)


def leave(ints: Tables, slots: Any) -> None:
    """Take the entries of ``slots`` out of their links' lists."""
    links, flows, entries = ints
    for slot in slots:
        for entry in range(flows[FIRST, slot], flows[FIRST, slot] + flows[SIZE, slot]):
            after, before = entries[NEXT, entry], entries[PREVIOUS, entry]
            if before == NONE:
                links[HEAD, entries[LINK, entry]] = after
            else:
                entries[NEXT, before] = after
            if after != NONE:
                entries[PREVIOUS, after] = before


def enter(ints: Tables, slots: Any) -> None:
    """Put the entries of ``slots`` at the head of their links' lists."""
    links, flows, entries = ints
    for slot in slots:
        for entry in range(flows[FIRST, slot], flows[FIRST, slot] + flows[SIZE, slot]):
            after = links[HEAD, entries[LINK, entry]]
            entries[NEXT, entry] = after
            entries[PREVIOUS, entry] = NONE
            entries[SLOT, entry] = slot
            if after != NONE:
                entries[PREVIOUS, after] = entry
            links[HEAD, entries[LINK, entry]] = entry


def allowed(floats: Tables, ints: Tables, slot: int, without: int) -> float:
    """Return the lowest of a flow's cap and the levels of its links other than ``without``."""
    links, entries = floats[0], ints[2]
    first = ints[1][FIRST, slot]
    lowest: float = floats[1][CAP, slot]
    for entry in range(first, first + ints[1][SIZE, slot]):
        at = entries[LINK, entry]
        if at != without and links[LEVEL, at] < lowest:
            lowest = links[LEVEL, at]
    return lowest


def water_level(floats: Tables, ints: Tables, at: int) -> float:
    """Return the level at which link ``at`` is full, infinite if its flows are all held lower elsewhere."""
    slots, amounts, entries = floats[1], floats[2], ints[2]
    head, own = ints[0][HEAD, at], floats[0][LEVEL, at]
    demand, load, entry = 0.0, 0.0, head
    while entry != NONE:
        slot = entries[SLOT, entry]
        share = slots[SHARE, slot]
        slots[OTHER, slot] = share if share < own else allowed(floats, ints, slot, at)
        demand += amounts[AMOUNT, entry]
        entry = entries[NEXT, entry]
    level, held, counted = INFINITE, 0, NONE
    while counted != held and demand > 0.0:
        counted, held = held, 0
        level = (floats[0][CAPACITY, at] - load) / demand
        load, demand, entry = 0.0, 0.0, head
        while entry != NONE:
            other = slots[OTHER, entries[SLOT, entry]]
            if other < level * TIE:
                load += amounts[AMOUNT, entry] * other
                held += 1
            else:
                demand += amounts[AMOUNT, entry]
            entry = entries[NEXT, entry]
    return level if demand > 0.0 else INFINITE


def correct(floats: Tables, ints: Tables, slots: Any, ended: int, now_s: float) -> tuple[int, int, int]:
    """Restore the fixed point after flows have left and entered; see :func:`change`."""
    links, flows = floats[0], ints[1]
    heap = [(0.0, 0)]
    heap.pop()
    touched = changed = tried = 0
    for place in range(len(slots)):
        slot = slots[place]
        if place >= ended:
            floats[1][SHARE, slot] = allowed(floats, ints, slot, NONE)
            changed = note(ints[1], slot, changed)
        for entry in range(flows[FIRST, slot], flows[FIRST, slot] + flows[SIZE, slot]):
            at = ints[2][LINK, entry]
            touched = note(ints[0], at, touched)
            # A flow that is gone changes a link at its level or above, and none that was not full.
            low = links[LEVEL, at] if place < ended else 0.0
            if low < links[PENDING, at]:
                links[PENDING, at] = low
                heappush(heap, (low, at))
    limit = TRIES * links.shape[1]
    while len(heap) > 0 and tried < limit:
        key, at = heappop(heap)
        if key != links[PENDING, at]:
            continue
        tried += 1
        links[PENDING, at] = INFINITE
        old, new = links[LEVEL, at], water_level(floats, ints, at)
        if old == new or (old < INFINITE and abs(new - old) <= SAME * old):
            continue
        lowest = min(old, new)
        if len(heap) > 0 and heap[0][0] < lowest:  # something below may still change this
            links[PENDING, at] = lowest
            heappush(heap, (lowest, at))
            continue
        links[LEVEL, at] = new
        touched, changed = pass_on(floats, ints, heap, (at, touched, changed), old)
    settle(floats, ints, touched, now_s)
    proceed(floats, ints, changed, now_s)
    return touched, changed, tried if tried < limit else -tried


def pass_on(floats: Tables, ints: Tables, heap: Any, state: tuple[int, int, int], old: float) -> tuple[int, int]:
    """Give the flows of a corrected link their new levels, and put their other links on the heap where that matters."""
    (at, touched, changed), links, flows, entries = state, floats[0], ints[1], ints[2]
    new, entry = links[LEVEL, at], ints[0][HEAD, at]
    while entry != NONE:
        slot = entries[SLOT, entry]
        was = floats[1][SHARE, slot]
        now = new if new < was else (allowed(floats, ints, slot, NONE) if was == old else was)
        if now != was:
            floats[1][SHARE, slot] = now
            changed = note(flows, slot, changed)
            low = min(was, now)
            for place in range(flows[FIRST, slot], flows[FIRST, slot] + flows[SIZE, slot]):
                other = entries[LINK, place]
                touched = note(ints[0], other, touched)
                level = links[LEVEL, other]
                # Nor is a link that was not full any the fuller for a flow that slows down.
                if other != at and low < level and low < links[PENDING, other] and (level < INFINITE or now > was):
                    links[PENDING, other] = low
                    heappush(heap, (low, other))
        entry = entries[NEXT, entry]
    return touched, changed


def note(table: Any, place: int, noted: int) -> int:
    """Put a link on the list of those touched, or a slot on that of those changed, once; return how many are there."""
    if table[MARK, place] != 0:
        return noted
    table[MARK, place] = 1
    table[LIST, noted] = place
    return noted + 1


def settle(floats: Tables, ints: Tables, touched: int, now_s: float) -> None:
    """Sum up the loads of the links that were touched, book what the old ones came to, and forget the marks."""
    amounts, entries = floats[2], ints[2]
    for place in range(touched):
        at = ints[0][LIST, place]
        ints[0][MARK, at] = 0
        load, entry = 0.0, ints[0][HEAD, at]
        while entry != NONE:
            load += amounts[AMOUNT, entry] * floats[1][SHARE, entries[SLOT, entry]]
            entry = entries[NEXT, entry]
        publish(floats, at, load, now_s)


def publish(floats: Tables, at: int, load: float, now_s: float) -> None:
    """Let flows load a link with ``load`` from now on, and book what the old load came to."""
    links, loads = floats[0], floats[3]
    links[LOAD, at] = load
    value, elapsed_s = loads[VALUE, at], now_s - loads[START, at]
    if elapsed_s > 0.0:
        loads[INTEGRAL, at] += value * elapsed_s
        loads[PEAK, at] = max(loads[PEAK, at], value)
        loads[START, at] = now_s
    loads[VALUE, at] = load + links[HELD, at]


def proceed(floats: Tables, ints: Tables, changed: int, now_s: float) -> None:
    """Bring the flows whose level changed to this instant, give them their new rate, and forget the marks."""
    slots, flows = floats[1], ints[1]
    for place in range(changed):
        slot = flows[LIST, place]
        flows[MARK, slot] = 0
        left = slots[LEFT, slot] - slots[RATE, slot] * (now_s - slots[SINCE, slot])
        rate = slots[WEIGHT, slot] * slots[SHARE, slot]
        end, rounding = INFINITE, 0.0
        if rate > 0.0:
            end = now_s + left / rate
            rounding = max(SIZE_ROUNDING * slots[BYTES, slot] / rate, CLOCK_ROUNDING * end)
        slots[LEFT, slot], slots[SINCE, slot], slots[RATE, slot] = left, now_s, rate
        slots[END, slot], slots[DUE, slot] = end, end - rounding
