"""Max-min fairness and conservation of bytes, over many random cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.engine import Clock, Streams
from dcsim.network.fabric import Fabric
from dcsim.network.flows import max_min, max_min_reference
from dcsim.network.layout import Endpoint, FabricLayout, InnerLink

_LINKS = 8
_AMOUNT = st.one_of(st.just(1.0), st.floats(0.01, 100.0))
_FLOW = st.dictionaries(st.integers(0, _LINKS - 1), _AMOUNT, min_size=1, max_size=5)
_CAPACITIES = st.lists(st.one_of(st.just(1.0), st.floats(0.1, 1e3)), min_size=_LINKS, max_size=_LINKS)


def _solve(flows: list[dict[int, float]], capacities: list[float]) -> np.ndarray:
    starts = np.cumsum([0, *map(len, flows)])
    links = np.array([link for flow in flows for link in flow], dtype=np.int64)
    amounts = np.array([amount for flow in flows for amount in flow.values()])
    return max_min(starts, links, amounts, np.array(capacities))


@settings(max_examples=300, deadline=None)
@given(st.lists(_FLOW, min_size=1, max_size=20), _CAPACITIES)
def test_the_fast_solver_is_the_slow_one(flows: list[dict[int, float]], capacities: list[float]) -> None:
    assert _solve(flows, capacities).tolist() == pytest.approx(max_min_reference(flows, capacities), rel=1e-9)


@settings(max_examples=300, deadline=None)
@given(st.lists(_FLOW, min_size=1, max_size=20), _CAPACITIES)
def test_no_link_is_overfull_and_every_flow_has_a_bottleneck(
    flows: list[dict[int, float]], capacities: list[float]
) -> None:
    levels = _solve(flows, capacities)
    load, highest = np.zeros(_LINKS), np.zeros(_LINKS)
    for flow, level in zip(flows, levels, strict=True):
        for link, amount in flow.items():
            load[link] += amount * level
            highest[link] = max(highest[link], level)
    assert np.all(load <= np.array(capacities) * (1 + 1e-11))
    full = load >= np.array(capacities) * (1 - 1e-9)
    for flow, level in zip(flows, levels, strict=True):
        assert any(full[link] and level >= highest[link] * (1 - 1e-9) for link in flow)


_FAULT = st.tuples(
    st.floats(0.0, 2.0),  # when
    st.floats(0.01, 1.5),  # for how long
    st.sampled_from(["train/3 nic 0 out", "edge 0.0 > agg 0.0", "agg 1.1 > core 2", "train/0 gpu 0 in", "agg 0.1"]),
    st.sampled_from([0.0, 0.0, 0.3]),  # of the rate is left
)
_ACTION = st.tuples(
    st.floats(0.0, 2.0),  # when
    st.integers(0, 7),  # from
    st.integers(0, 7),  # to
    st.floats(0.0, 3e9),  # bytes
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from(["between", "ring", "hold"]),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(_ACTION, min_size=1, max_size=12),
    st.lists(st.tuples(st.floats(0.0, 3.0), st.sampled_from("abc"))),
    st.lists(_FAULT, max_size=3),
)
def test_bytes_sent_are_bytes_received_whatever_happens(
    actions: list[tuple[float, int, int, float, str, str]],
    deaths: list[tuple[float, str]],
    faults: list[tuple[float, float, str, float]],
) -> None:
    clock = Clock()
    endpoints = tuple(Endpoint(f"train/{i}", 2, 1e9, 2, InnerLink(4e9, 1e-4)) for i in range(8))
    net = Fabric(clock, FabricLayout(endpoints, 1e9, hop_latency_s=1e-3, oversubscription=2.0, radix=4), Streams(1))
    ends: list[object] = []
    cancelled = {owner for _, owner in deaths}

    def act(source: int, target: int, size: float, owner: str, kind: str) -> None:
        ranks = [(i, a) for i in range(min(source, target), max(source, target) + 1) for a in range(2)]
        route = net.all_reduce(ranks) if kind == "ring" else net.between((source, 0), (target, 1))
        if kind != "hold":
            done = net.transfer(route, size, owner)
            ends.extend([] if owner in cancelled else [done])
        elif not net.busy(route.links, owner):
            held = net.hold(owner, route.links, (route.links, size * route.share), lambda: held.release())
            clock.call_at(clock.now + 0.7, held.release)

    for when, *rest in actions:
        clock.call_at(when, lambda rest=rest: act(*rest))  # type: ignore[misc]
    for when, owner in deaths:
        clock.call_at(when, lambda owner=owner: net.cancel(owner))  # type: ignore[misc]
    for number, (when, length, target, factor) in enumerate(faults):
        links = net.of_switch(target) if target == "agg 0.1" else net.cable(target)
        cause = str(number)
        clock.call_at(when, lambda a=cause, b=links, c=factor: net.outage.impair(a, b, c))  # type: ignore[misc]
        clock.call_at(when + length, lambda a=cause: net.outage.restore(a))  # type: ignore[misc]
    for end_s in (1.0, 2.5, 1e3):
        clock.run(end_s)
        assert net.sent_bytes == pytest.approx(net.received_bytes, rel=1e-9, abs=1e-3)
    assert all(done.triggered for done in ends)  # type: ignore[attr-defined]
    assert not net.loads.values.any()
    assert not net.busy(net.all_reduce([(i, a) for i in range(8) for a in range(2)]).links, "nobody")
