"""What :mod:`dcsim.network.ledger` does, by NumPy: the quicker way for many flows where no loop is compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from dcsim.network import refill
from dcsim.network.tree import Floats, Indices


def gather(starts: Indices, which: Indices) -> Indices | slice:
    """Return the entries of routes ``which``, one route after the other."""
    if len(which) == 1:
        at = which.item()
        return slice(starts.item(at), starts.item(at + 1))
    if len(which) == len(starts) - 1 and np.array_equal(which, np.arange(len(which))):
        return slice(None)
    return _spans(starts[which], starts[which + 1] - starts[which])


def place(floats: Any, ints: Any, bundle: Any, flows: Any, at: tuple[int, int, float]) -> None:
    """Write the rows and entries of flows that begin."""
    (starts, links, amounts, rates, tokens), (slots, which, sizes_bytes), (entry, owner, now_s) = bundle, flows, at
    places, rows, whole = gather(starts, which), floats[1], ints[1]
    used = links[places]
    ints[2][refill.LINK, entry : entry + len(used)] = used
    floats[2][refill.AMOUNT, entry : entry + len(used)] = amounts[places]
    sizes = starts[which + 1] - starts[which]
    before = np.cumsum(sizes) - sizes
    if len(slots) == 1:  # one place is far faster to reach by a number
        slots, which, sizes_bytes, sizes, before = (x.item() for x in (slots, which, sizes_bytes, sizes, before))
    whole[refill.FIRST, slots], whole[refill.SIZE, slots] = entry + before, sizes
    whole[refill.OWNER, slots], whole[refill.WHICH, slots] = owner, which
    whole[refill.TOKEN, slots], whole[refill.TOKEN + 1, slots] = tokens[0, which], tokens[1, which]
    for row, rate in zip((refill.CAP, refill.WEIGHT, refill.SENT), rates, strict=True):
        rows[row, slots] = rate[which]
    rows[refill.LEFT, slots] = rows[refill.BYTES, slots] = sizes_bytes
    rows[refill.SINCE, slots], rows[refill.RATE, slots] = now_s, 0.0


def load_links(floats: Any, loaded: Indices, solution: Any, now_s: float) -> None:
    """Give links the levels and loads of a solution, and take them off the links that were ``loaded`` before."""
    (_, level, pending, load, held), (used, levels, loads) = floats[0], solution
    pending[used] = loads
    gone = loaded[pending[loaded] == np.inf]
    pending[used], level[used] = np.inf, levels
    level[gone] = np.inf
    moved = loads != load[used]
    for where, new in ((gone, np.zeros(len(gone))), (used[moved], loads[moved])):
        if len(where):
            load[where] = new
            _publish(floats[3], where, new + held[where], now_s)


def share_out(floats: Any, _ints: Any, slots: Indices, shares: Floats, now_s: float) -> None:
    """Give flows their level."""
    rows = floats[1]
    rows[refill.SHARE, slots] = shares
    rates = rows[refill.WEIGHT, slots] * shares
    changed = np.flatnonzero(rates != rows[refill.RATE, slots])
    _proceed(rows, slots[changed], rates[changed], now_s)


def retire(floats: Any, ints: Any, slots: Indices, now_s: float) -> float:
    """Book flows that have ended, and return the bytes that they have put on sending links [B]."""
    rows, flows = floats[1], ints[1]
    first, sizes = flows[refill.FIRST, slots], flows[refill.SIZE, slots]
    if len(slots) == 1:
        places: Indices | slice = slice(first.item(), first.item() + sizes.item())
    else:
        places = _spans(first, sizes)
    left = rows[refill.LEFT, slots] - rows[refill.RATE, slots] * (now_s - rows[refill.SINCE, slots])
    of_level = np.repeat(left / rows[refill.WEIGHT, slots], sizes)
    booked = floats[2][refill.AMOUNT, places] * of_level
    np.add.at(floats[3][refill.INTEGRAL], ints[2][refill.LINK, places], booked)
    sent = np.cumsum(rows[refill.BYTES, slots] * rows[refill.SENT, slots])[-1]  # one after the other, as a loop adds
    rows[refill.END, slots] = rows[refill.DUE, slots] = np.inf
    rows[refill.SENT, slots], flows[refill.OWNER, slots] = 0.0, refill.NONE
    return float(sent)


def _spans(first: Indices, sizes: Indices) -> Indices:
    """Return the ``sizes`` numbers from each ``first`` on, one after the other."""
    return np.repeat(first - (np.cumsum(sizes) - sizes), sizes) + np.arange(int(sizes.sum()))


def _publish(loads: Floats, where: Indices, values: Floats, now_s: float) -> None:
    """Do what :func:`refill.publish` does, for links that are to have ``values``."""
    value, integral, start, peak = loads
    old, elapsed_s = value[where], now_s - start[where]
    integral[where] += old * elapsed_s
    peaks = peak[where]
    peak[where] = np.where(elapsed_s > 0.0, np.maximum(peaks, old), peaks)
    start[where], value[where] = now_s, values


def _proceed(rows: Floats, slots: Indices, rates: Floats, now_s: float) -> None:
    """Do what :func:`refill.proceed` does."""
    left = rows[refill.LEFT, slots] - rows[refill.RATE, slots] * (now_s - rows[refill.SINCE, slots])
    moves = rates > 0.0
    safe = np.where(moves, rates, 1.0)
    end = np.where(moves, now_s + left / safe, np.inf)
    rounding = np.maximum(
        refill.SIZE_ROUNDING * rows[refill.BYTES, slots] / safe, refill.CLOCK_ROUNDING * np.where(moves, end, 0.0)
    )
    rows[refill.LEFT, slots], rows[refill.SINCE, slots], rows[refill.RATE, slots] = left, now_s, rates
    rows[refill.END, slots], rows[refill.DUE, slots] = end, end - rounding
