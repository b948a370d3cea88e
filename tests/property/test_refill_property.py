"""Corrections after small changes are what a full solve finds, interpreted and compiled, whatever comes and goes."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.engine import Clock, LevelArray
from dcsim.network import refill
from dcsim.network.compiled import INTERPRETED, Kernel, Loops, compile_kernel
from dcsim.network.filling import fill_loops
from dcsim.network.flows import Demands, fill, max_min_reference
from dcsim.network.table import Table

LINKS = 7
_AMOUNT = st.one_of(st.just(1.0), st.floats(0.01, 100.0))
_FLOW = st.tuples(
    st.dictionaries(st.integers(0, LINKS - 1), _AMOUNT, min_size=1, max_size=4),
    st.one_of(st.just(float("inf")), st.floats(0.01, 10.0)),
)
_CAPACITIES = st.lists(st.one_of(st.just(1.0), st.floats(0.0, 100.0)), min_size=LINKS, max_size=LINKS)
# Which of the flows are there after each change.
_SETS = st.lists(st.sets(st.integers(0, 11), max_size=12), min_size=1, max_size=6)

Flow = tuple[dict[int, float], float]


@settings(max_examples=100, deadline=None)
@given(st.lists(_FLOW, min_size=1, max_size=20), _CAPACITIES)
def test_the_full_solve_is_the_reference_with_caps_too(flows: list[Flow], capacities: list[float]) -> None:
    starts = np.cumsum([0, *(len(links) for links, _ in flows)])
    links = np.array([link for used, _ in flows for link in used], dtype=np.int64)
    amounts = np.array([amount for used, _ in flows for amount in used.values()])
    caps = [cap for _, cap in flows]
    levels, of_links = fill(Demands(starts, links, amounts, np.array(caps)), np.array(capacities))
    assert levels.tolist() == pytest.approx(
        max_min_reference([used for used, _ in flows], capacities, caps), rel=1e-9, abs=1e-12
    )
    for (used, cap), level in zip(flows, levels, strict=True):
        assert level == min([cap, *of_links[list(used)]])


def place(table: Table, kernel: Kernel, flow: Flow, now_s: float) -> np.ndarray:
    used, cap = flow
    route = np.array([0, len(used)]), np.array(list(used)), np.array(list(used.values()))
    slots, first = table.take(1, len(used))
    loops, floats, ints = kernel.ledger(table, len(used))
    bundle = *route, np.array([[cap], [2.0], [1.0]]), np.zeros((2, 1), dtype=np.int64)
    loops.place(floats, ints, bundle, (slots, np.zeros(1, dtype=np.int64), np.full(1, 5.0)), (first, 0, now_s))
    return slots


def levels_after(kernel: Kernel, flows: list[Flow], capacities: list[float], sets: list[set[int]]) -> list[np.ndarray]:
    """Let the sets of flows be there one after the other; return their levels, ends and the links' loads each time."""
    table = Table(np.array(capacities), LevelArray(Clock(), [str(i) for i in range(LINKS)], "B/s").rows)
    table.relist()
    slots: dict[int, int] = {}
    found = []
    for now_s, present in enumerate(sets):
        went = [slots.pop(i) for i in set(slots) - present]
        table.vanish(np.array(went, dtype=np.int64))
        came = []
        for i in sorted(present - set(slots)):
            (slot,) = place(table, kernel, flows[i], float(now_s)).tolist()
            slots[i] = slot
            came.append(slot)
        table.appear(np.array(came, dtype=np.int64))
        changes = np.array([*went, *came], dtype=np.int64)
        _, _, tried = kernel.change(*kernel.rows(table), changes, len(went), float(now_s))
        assert tried >= 0
        table.remove(np.array(went, dtype=np.int64))
        order = [slots[i] for i in sorted(slots)]
        found += [table.slots[[refill.SHARE, refill.END, refill.RATE]][:, order], table.floats[0][refill.LOAD].copy()]
    return found


@settings(max_examples=100, deadline=None)
@given(st.lists(_FLOW, min_size=12, max_size=12), _CAPACITIES, _SETS)
def test_corrections_are_the_reference_after_every_change(
    flows: list[Flow], capacities: list[float], sets: list[set[int]]
) -> None:
    found = levels_after(INTERPRETED, flows, capacities, sets)
    for present, (shares, _, rates), loads in zip(sets, found[::2], found[1::2], strict=True):
        kept = [flows[i] for i in sorted(present)]
        expected = max_min_reference([used for used, _ in kept], capacities, [cap for _, cap in kept])
        assert shares.tolist() == pytest.approx(expected, rel=1e-9, abs=1e-12)
        assert rates.tolist() == (2.0 * shares).tolist()
        assert np.all(loads <= np.array(capacities) * (1.0 + 1e-9) + 1e-12)


@pytest.mark.skipif(find_spec("numba") is None, reason="Numba is optional")
@settings(max_examples=30, deadline=None)
@given(st.lists(_FLOW, min_size=12, max_size=12), _CAPACITIES, _SETS)
def test_compiled_corrections_are_the_interpreted_ones_to_the_bit(
    flows: list[Flow], capacities: list[float], sets: list[set[int]]
) -> None:
    slow, fast = (levels_after(kernel, flows, capacities, sets) for kernel in (INTERPRETED, compile_kernel()))
    assert [found.tolist() for found in slow] == [found.tolist() for found in fast]


@settings(max_examples=50, deadline=None)
@given(st.lists(_FLOW, min_size=1, max_size=20), _CAPACITIES)
def test_the_full_solve_in_loops_is_that_of_numpy_to_the_bit(flows: list[Flow], capacities: list[float]) -> None:
    starts = np.cumsum([0, *(len(links) for links, _ in flows)])
    links = np.array([link for used, _ in flows for link in used], dtype=np.int64)
    amounts = np.array([amount for used, _ in flows for amount in used.values()])
    demands, room = (starts, links, amounts, np.array([cap for _, cap in flows])), np.array(capacities)
    for one, other in zip(fill(Demands(*demands), room), fill_loops(demands, room), strict=True):
        assert one.tolist() == other.tolist()


def written(loops: Loops, flows: list[Flow], capacities: list[float]) -> list[object]:
    """Let flows begin, take their shares and end in the same tables by some form of the ledger; return all of them."""
    levels = LevelArray(Clock(), [str(i) for i in range(LINKS)], "B/s")
    table, count = Table(np.array(capacities), levels.rows), len(flows)
    sizes = np.array([len(used) for used, _ in flows])
    starts, caps = np.concatenate(([0], np.cumsum(sizes))), np.array([cap for _, cap in flows])
    links = np.array([link for used, _ in flows for link in used], dtype=np.int64)
    amounts = np.array([amount for used, _ in flows for amount in used.values()])
    tokens = np.arange(2 * count).reshape(2, count)
    bundle = starts, links, amounts, np.stack((caps, np.full(count, 3.0), np.ones(count))), tokens
    slots, first = table.take(count, len(links))
    floats, ints = table.floats, table.ints
    loops.place(floats, ints, bundle, (slots, np.arange(count), np.linspace(1.0, 9.0, count)), (first, 4, 0.1))
    shares, of_links = fill(Demands(starts, links, amounts, caps), np.array(capacities))
    used = np.unique(links)
    loads = np.bincount(links, amounts * np.repeat(shares, sizes), LINKS)[used]
    loops.load_links(floats, np.array([0, LINKS - 1]), (used, of_links[used], loads), 0.1)
    loops.share_out(floats, ints, slots, shares, 0.1)
    loops.load_links(floats, used, (used[:1], of_links[used[:1]], loads[:1] / 3.0), 0.7)
    loops.share_out(floats, ints, slots, shares / 3.0, 0.7)
    sent = loops.retire(floats, ints, slots[1:], 0.9)
    scratch = [refill.OTHER, refill.LIST]
    rows = [np.delete(floats[1], scratch[0], axis=0), np.delete(ints[1], scratch[1], axis=0), *floats[2:], floats[0]]
    return [sent, *(row.tolist() for row in [*rows, ints[2][refill.LINK]])]


@settings(max_examples=50, deadline=None)
@given(st.lists(_FLOW, min_size=2, max_size=12), st.lists(st.floats(0.01, 100.0), min_size=LINKS, max_size=LINKS))
def test_the_ledger_is_the_same_in_loops_and_vectors_to_the_bit(flows: list[Flow], capacities: list[float]) -> None:
    assert written(INTERPRETED.few, flows, capacities) == written(INTERPRETED.many, flows, capacities)


@pytest.mark.skipif(find_spec("numba") is None, reason="Numba is optional")
@settings(max_examples=30, deadline=None)
@given(st.lists(_FLOW, min_size=2, max_size=12), st.lists(st.floats(0.01, 100.0), min_size=LINKS, max_size=LINKS))
def test_the_compiled_ledger_and_full_solve_are_the_others_to_the_bit(
    flows: list[Flow], capacities: list[float]
) -> None:
    kernel = compile_kernel()
    assert written(kernel.many, flows, capacities) == written(INTERPRETED.many, flows, capacities)
    starts = np.cumsum([0, *(len(links) for links, _ in flows)])
    links = np.array([link for used, _ in flows for link in used], dtype=np.int64)
    amounts, caps = np.ones(len(links)), np.array([cap for _, cap in flows])
    for one, other in zip(
        kernel.fill((starts, links, amounts, caps), np.array(capacities)),
        fill(Demands(starts, links, amounts, caps), np.array(capacities)),
        strict=True,
    ):
        assert one.tolist() == other.tolist()
