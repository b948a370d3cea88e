"""What is written into the tables of flows when some begin, take rates that are known, or end.

Loops over the tables that :mod:`dcsim.network.refill` describes, to be compiled as its functions are; for many flows
:mod:`dcsim.network.vectors` does the same to the same bits by NumPy, which is the quicker of the two uncompiled.
"""

from __future__ import annotations

from typing import Any

from dcsim.network.refill import (
    AMOUNT,
    BYTES,
    CAP,
    DUE,
    END,
    FIRST,
    INFINITE,
    INTEGRAL,
    LEFT,
    LEVEL,
    LINK,
    LOAD,
    NONE,
    OWNER,
    PENDING,
    RATE,
    SENT,
    SHARE,
    SINCE,
    SIZE,
    TOKEN,
    WEIGHT,
    WHICH,
    Tables,
    note,
    proceed,
    publish,
)


def place(floats: Tables, ints: Tables, bundle: Any, flows: Any, at: tuple[int, int, float]) -> None:
    """Write the rows and entries of flows that begin.

    Parameters
    ----------
    floats, ints
        The tables.
    bundle
        The tables of their routes, :attr:`dcsim.network.bundle.Bundle.tables`.
    flows
        Slot, route by number and payload [B] of each.
    at
        The first free entry, the number of the transfer that is told when they end, and now [s].
    """
    (starts, _, _, _, _), (slots, which, sizes_bytes), (entry, owner, now_s) = bundle, flows, at
    for number in range(len(slots)):
        put(floats, ints, bundle, (slots[number], which[number], sizes_bytes[number]), (entry, owner, now_s))
        entry += starts[which[number] + 1] - starts[which[number]]


def put(floats: Tables, ints: Tables, bundle: Any, flow: Any, at: tuple[int, int, float]) -> None:
    """Write the row and the entries of one flow; see :func:`place`."""
    (starts, links, amounts, rates, tokens), (slot, route, size_bytes), (entry, owner, now_s) = bundle, flow, at
    rows, whole = floats[1], ints[1]
    whole[FIRST, slot], whole[SIZE, slot] = entry, starts[route + 1] - starts[route]
    whole[OWNER, slot], whole[WHICH, slot] = owner, route
    whole[TOKEN, slot], whole[TOKEN + 1, slot] = tokens[0, route], tokens[1, route]
    rows[CAP, slot], rows[WEIGHT, slot], rows[SENT, slot] = rates[0, route], rates[1, route], rates[2, route]
    rows[LEFT, slot] = rows[BYTES, slot] = size_bytes
    rows[SINCE, slot], rows[RATE, slot] = now_s, 0.0
    for of_route in range(starts[route], starts[route + 1]):
        ints[2][LINK, entry], floats[2][AMOUNT, entry] = links[of_route], amounts[of_route]
        entry += 1


def load_links(floats: Tables, loaded: Any, solution: Any, now_s: float) -> None:
    """Give links the levels and loads of a solution, and take them off the links that were ``loaded`` before."""
    links, (used, levels, loads) = floats[0], solution
    for number in range(len(used)):
        links[PENDING, used[number]] = loads[number]
    for at in loaded:
        if links[PENDING, at] == INFINITE:  # in use no longer
            links[LEVEL, at] = INFINITE
            publish(floats, at, 0.0, now_s)
    for number in range(len(used)):
        at = used[number]
        links[PENDING, at], links[LEVEL, at] = INFINITE, levels[number]
        if loads[number] != links[LOAD, at]:
            publish(floats, at, loads[number], now_s)


def share_out(floats: Tables, ints: Tables, slots: Any, shares: Any, now_s: float) -> None:
    """Give flows their level."""
    rows, changed = floats[1], 0
    for number in range(len(slots)):
        slot = slots[number]
        rows[SHARE, slot] = shares[number]
        if rows[WEIGHT, slot] * shares[number] != rows[RATE, slot]:
            changed = note(ints[1], slot, changed)
    proceed(floats, ints, changed, now_s)


def retire(floats: Tables, ints: Tables, slots: Any, now_s: float) -> float:
    """Book flows that have ended: give back to their links what was too much or too little by rounding.

    Returns
    -------
    float
        Bytes that they have put on sending links [B].
    """
    rows, flows, loads, sent = floats[1], ints[1], floats[3], 0.0
    for slot in slots:
        left = rows[LEFT, slot] - rows[RATE, slot] * (now_s - rows[SINCE, slot])
        of_level = left / rows[WEIGHT, slot]
        for entry in range(flows[FIRST, slot], flows[FIRST, slot] + flows[SIZE, slot]):
            loads[INTEGRAL, ints[2][LINK, entry]] += floats[2][AMOUNT, entry] * of_level
        sent += rows[BYTES, slot] * rows[SENT, slot]
        rows[END, slot] = rows[DUE, slot] = INFINITE
        rows[SENT, slot], flows[OWNER, slot] = 0.0, NONE  # booked
    return sent
