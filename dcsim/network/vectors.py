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
    first, sizes = starts[which], starts[which + 1] - starts[which]
    return np.repeat(first - (np.cumsum(sizes) - sizes), sizes) + np.arange(int(sizes.sum()))


def place(floats: Any, ints: Any, bundle: Any, flows: Any, at: tuple[int, int, float]) -> None:
    """Write the rows and entries of flows that begin."""
    (starts, links, amounts, rates, tokens), (slots, which, sizes_bytes), (entry, owner, now_s) = bundle, flows, at
    places, sizes = gather(starts, which), starts[which + 1] - starts[which]
    rows, whole, ends = floats[1], ints[1], np.cumsum(sizes)
    ints[2][refill.LINK, entry : entry + int(ends[-1])] = links[places]
    floats[2][refill.AMOUNT, entry : entry + int(ends[-1])] = amounts[places]
    whole[refill.FIRST, slots], whole[refill.SIZE, slots] = entry + ends - sizes, sizes
    whole[refill.OWNER, slots], whole[refill.WHICH, slots] = owner, which
    whole[refill.TOKEN : refill.TOKEN + 2, slots] = tokens[:, which]
    rows[[[refill.CAP], [refill.WEIGHT], [refill.SENT]], slots] = rates[:, which]
    rows[refill.LEFT, slots] = rows[refill.BYTES, slots] = sizes_bytes
    rows[refill.SINCE, slots], rows[refill.RATE, slots] = now_s, 0.0


def load_links(floats: Any, loaded: Indices, solution: Any, now_s: float) -> None:
    """Give links the levels and loads of a solution, and take them off the links that were ``loaded`` before."""
    links, (used, levels, loads) = floats[0], solution
    links[refill.PENDING, used] = loads
    gone = loaded[links[refill.PENDING, loaded] == np.inf]
    links[refill.PENDING, used], links[refill.LEVEL, used] = np.inf, levels
    links[refill.LEVEL, gone] = np.inf
    moved = loads != links[refill.LOAD, used]
    where = np.concatenate((gone, used[moved]))
    links[refill.LOAD, where] = np.concatenate((np.zeros(len(gone)), loads[moved]))
    _publish(floats, where, now_s)


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
    places = np.repeat(first - (np.cumsum(sizes) - sizes), sizes) + np.arange(int(sizes.sum()))
    left = rows[refill.LEFT, slots] - rows[refill.RATE, slots] * (now_s - rows[refill.SINCE, slots])
    of_level = np.repeat(left / rows[refill.WEIGHT, slots], sizes)
    booked = floats[2][refill.AMOUNT, places] * of_level
    np.add.at(floats[3][refill.INTEGRAL], ints[2][refill.LINK, places], booked)
    sent = np.cumsum(rows[refill.BYTES, slots] * rows[refill.SENT, slots])[-1]  # one after the other, as a loop adds
    rows[refill.END, slots] = rows[refill.DUE, slots] = np.inf
    rows[refill.SENT, slots], flows[refill.OWNER, slots] = 0.0, refill.NONE
    return float(sent)


def _publish(floats: Any, where: Indices, now_s: float) -> None:
    """Do what :func:`refill.publish` does once the loads of links are set."""
    links, rows = floats[0], floats[3]
    values, elapsed_s = rows[refill.VALUE, where], now_s - rows[refill.START, where]
    rows[refill.INTEGRAL, where] += values * elapsed_s
    peaks = rows[refill.PEAK, where]
    rows[refill.PEAK, where] = np.where(elapsed_s > 0.0, np.maximum(peaks, values), peaks)
    rows[refill.START, where] = now_s
    rows[refill.VALUE, where] = links[refill.LOAD, where] + links[refill.HELD, where]


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
