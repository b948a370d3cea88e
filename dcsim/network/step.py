"""What happens when flows begin or end and nothing else does, in one call: the tables, the rates and the next end.

Loops to be compiled, made of those of :mod:`dcsim.network.ledger` and :mod:`dcsim.network.refill`: between interpreted
code and compiled code every call counts, where one flow begins or ends after the other.
"""

from __future__ import annotations

from typing import Any

from dcsim.network.ledger import put, retire
from dcsim.network.refill import (
    CHANGE,
    DUE,
    END,
    FREE,
    INFINITE,
    OWNER,
    PRESENT,
    STATE,
    TOLD,
    Tables,
    change,
)


def begin(
    floats: Tables, ints: Tables, bundle: Any, flow: tuple[int, float], at: tuple[int, int, float]
) -> tuple[int, float]:
    """Let a flow, route by number and payload [B], share links from now on; see :func:`dcsim.network.ledger.place`.

    Returns
    -------
    tuple
        Corrections tried, as of :func:`dcsim.network.refill.change`, and when the first flow ends [s].
    """
    (route, size_bytes), whole = flow, ints[1]
    slot = 0
    while whole[STATE, slot] != FREE:
        slot += 1
    whole[STATE, slot], whole[CHANGE, 0] = PRESENT, slot
    put(floats, ints, bundle, (slot, route, size_bytes), at)
    slots = whole[CHANGE, :1]
    gone = len(slots) - 1  # none; but for a constant Numba would compile all of it once more
    _, _, tried = change(floats, ints, slots, gone, at[2])
    return tried, soonest(floats)


def end(floats: Tables, ints: Tables, most: int, now_s: float) -> tuple[int, int, float, float]:
    """Book the flows that have nothing left; if they are ``most`` or fewer they share links no longer from now on.

    Their slots are listed in row CHANGE, who is told in row TOLD.

    Returns
    -------
    tuple
        How many they are; corrections tried, as of :func:`dcsim.network.refill.change`; when the first of the others
        ends [s]; bytes that they have put on sending links [B].
    """
    whole, ended = ints[1], 0
    for slot in range(whole.shape[1]):
        if floats[1][DUE, slot] <= now_s:
            whole[CHANGE, ended], whole[TOLD, ended] = slot, whole[OWNER, slot]
            ended += 1
    slots = whole[CHANGE, :ended]
    sent = retire(floats, ints, slots, now_s)
    if ended == 0 or ended > most:
        return ended, 0, INFINITE, sent
    _, _, tried = change(floats, ints, slots, ended, now_s)
    for slot in slots:
        whole[STATE, slot] = FREE
    return ended, tried, soonest(floats), sent


def soonest(floats: Tables) -> float:
    """Return when the first flow ends [s], infinite if none does."""
    ends, first = floats[1][END], INFINITE
    for slot in range(len(ends)):
        first = min(first, ends[slot])
    return first
