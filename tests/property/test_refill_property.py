"""Corrections after small changes are what a full solve finds, interpreted and compiled, whatever comes and goes."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.engine import Clock, LevelArray
from dcsim.network import refill
from dcsim.network.compiled import INTERPRETED, Kernel, compile_kernel
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


def levels_after(kernel: Kernel, flows: list[Flow], capacities: list[float], sets: list[set[int]]) -> list[np.ndarray]:
    """Let the sets of flows be there one after the other; return their levels, ends and the links' loads each time."""
    table = Table(np.array(capacities), LevelArray(Clock(), [str(i) for i in range(LINKS)], "B/s").rows)
    table.relist()
    slots: dict[int, int] = {}
    found = []
    for now_s, present in enumerate(sets):
        went = [slots.pop(i) for i in set(slots) - present]
        table.vanish(went)
        came = []
        for i in sorted(present - set(slots)):
            used, cap = flows[i]
            (slot,) = table.add(np.array([len(used)]), np.array(list(used)), np.array(list(used.values())))
            table.slots[[refill.CAP, refill.WEIGHT, refill.LEFT, refill.SINCE, refill.RATE], slot] = cap, 2, 5, now_s, 0
            slots[i] = slot
            came.append(slot)
        table.appear(came)
        changes = np.array([*went, *came], dtype=np.int64)
        _, _, tried = kernel.change(*table.rows(kernel), changes, len(went), float(now_s))
        assert tried >= 0
        table.remove(went)
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
