"""Random steps: the closed form, the events, and what is left after a cut tell the same time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcsim.cluster.fast_forward import FastForward
from dcsim.cluster.playback import Playback
from dcsim.engine import Clock, Streams
from dcsim.estimate.step import Busy, Join, Move, Stage, evaluate, remaining, spans
from dcsim.estimate.step_plan import StepEnergy, StepPlan
from dcsim.network.fabric import Fabric
from dcsim.network.layout import Endpoint, FabricLayout
from dcsim.network.route import Leg, Route

GB = 1e9
SECONDS = st.one_of(st.just(0.0), st.floats(1e-3, 2.0))


class Net:
    """Eight servers of one card of 10 GB/s, a disk of 4 GB/s at one, of 1 GB/s at another, of 2 GB/s at a third."""

    def __init__(self) -> None:
        self.clock = Clock()
        endpoints = tuple(Endpoint(f"train/{i}", 1, 10 * GB) for i in range(8))
        self.fabric = Fabric(self.clock, FabricLayout(endpoints, 10 * GB, policy="d-mod-k"), Streams(3))
        job, foreign, fetch = (self.fabric.add_resource(f"disk {rate}", "disk", rate * GB) for rate in (4, 1, 2))
        self.reduce = self.fabric.legs([Leg(0, 4, 1.0, job)])
        self.foreign = self.fabric.legs([Leg(0, 4, 1.0, foreign)])  # the same links, on which 6 GB/s are left
        self.greedy = self.fabric.legs([Leg(0, 4, 1.0)])
        self.fetch = self.fabric.legs([Leg(6, 7, 1.0, fetch)])

    def move(self, route: Route, size_bytes: float, latency_s: float, fetch: bool = False) -> Move:
        return Move("move", route, size_bytes, latency_s, self.fabric.alone_rate(route), fetch)


@st.composite
def recipes(draw: st.DrawFn) -> list[tuple[str, float, float]]:
    """Stages as (kind, seconds or bytes, latency)."""
    kinds = draw(st.lists(st.sampled_from(["busy", "move", "join"]), min_size=1, max_size=12))
    stages = [(kind, draw(SECONDS), draw(SECONDS)) for kind in kinds]
    if draw(st.booleans()):
        stages.insert(0, ("fetch", draw(SECONDS), draw(SECONDS)))
    return [*stages, ("busy", draw(st.floats(1e-3, 1.0)), 0.0)]


def built(net: Net, recipe: list[tuple[str, float, float]]) -> tuple[Stage, ...]:
    def stage(kind: str, amount: float, latency_s: float) -> Stage:
        if kind == "busy":
            return Busy("kernels", amount)
        if kind == "join":
            return Join()
        route = net.fetch if kind == "fetch" else net.reduce
        return net.move(route, amount * 4 * GB, latency_s, kind == "fetch")

    return tuple(stage(*given) for given in recipe)


def planned(stages: tuple[Stage, ...]) -> StepPlan:
    moves = [s for s in stages if isinstance(s, Move)]
    links = np.unique(np.concatenate([s.route.links for s in moves])) if moves else np.zeros(0, dtype=np.int64)
    total = np.zeros(len(links))
    for s in moves:
        total[np.searchsorted(links, s.route.links)] += s.route.share * s.size_bytes
    none = np.zeros(len(links))
    return StepPlan(1.0, stages, evaluate(stages, np.ones(())), StepEnergy(), links, total, none, none)


@settings(max_examples=150, deadline=None)
@given(recipes(), st.floats(0.2, 3.0))
def test_the_closed_form_is_what_the_events_do(recipe: list[tuple[str, float, float]], scale: float) -> None:
    net = Net()
    stages = built(net, recipe)
    found = evaluate(stages, np.array([scale]))
    playback = Playback(net.clock, net.fabric, "job", remaining(stages, scale, 0.0))
    net.clock.run(playback.done)
    assert net.clock.now == pytest.approx(found.duration_s[0], rel=1e-12)
    assert playback.stall_s == pytest.approx(found.stall_s[0], rel=1e-9, abs=1e-11)
    assert found.compute_s[0] == pytest.approx(scale * sum(s.seconds for s in stages if isinstance(s, Busy)))
    total = found.compute_s[0] + found.exposed_s[0] + found.stall_s[0]
    assert total == pytest.approx(found.duration_s[0], rel=1e-12)
    assert found.exposed_s[0] >= -1e-12
    assert found.stall_s[0] >= 0.0
    assert max(span.finish_s for span in spans(stages, scale)) == pytest.approx(found.duration_s[0], rel=1e-12)
    assert net.fabric.sent_bytes == pytest.approx(net.fabric.received_bytes, rel=1e-9)


@settings(max_examples=150, deadline=None)
@given(recipes(), st.floats(0.2, 3.0), st.floats(0.0, 1.0))
def test_what_is_left_of_a_step_ends_when_the_step_would(
    recipe: list[tuple[str, float, float]], scale: float, part: float
) -> None:
    net = Net()
    stages = built(net, recipe)
    whole = float(evaluate(stages, np.array([scale])).duration_s[0])
    left = remaining(stages, scale, part * whole)
    rest = float(evaluate(left, np.ones(1)).duration_s[0])
    assert part * whole + rest == pytest.approx(whole, rel=1e-11)
    playback = Playback(net.clock, net.fabric, "job", left)
    net.clock.run(playback.done)
    assert part * whole + net.clock.now == pytest.approx(whole, rel=1e-11)


@settings(max_examples=150, deadline=None)
@given(recipes(), st.lists(st.floats(0.5, 2.0), min_size=1, max_size=5), st.floats(0.0, 1.2))
def test_a_touch_on_a_link_with_room_changes_nothing(
    recipe: list[tuple[str, float, float]], scales: list[float], part: float
) -> None:
    net = Net()
    stages = built(net, recipe)
    plan = planned(stages)
    forward = FastForward(net.fabric, "job", plan, np.array(scales), evaluate(plan.stages, np.array(scales)))
    end_s = forward.end_s
    ends = np.cumsum(evaluate(stages, np.array(scales)).duration_s)
    at_s = part * end_s
    net.clock.call_at(at_s, lambda: net.fabric.transfer(net.foreign, 100 * GB, "other"))
    net.clock.run(min(end_s, at_s) + 1e-9)
    if forward.playback is None:
        # It came after the last step, or none of the job's links is the other's.
        assert at_s >= end_s * (1 - 1e-9) or not np.isin(net.foreign.links, plan.links).any()
        return
    ended = int(np.searchsorted(ends, at_s, side="right"))
    assert abs(forward.completed - ended) <= 1
    net.clock.run(forward.playback.done)
    assert np.min(np.abs(ends - net.clock.now)) <= 1e-9 * end_s, "the step ends when it would have ended alone"
    assert net.fabric.sent_bytes == pytest.approx(net.fabric.received_bytes, rel=1e-9)


@settings(max_examples=100, deadline=None)
@given(recipes(), st.floats(0.5, 2.0), st.floats(0.01, 0.99), st.floats(0.1, 20.0))
def test_a_touch_on_a_full_link_slows_the_step_as_its_events_do(
    recipe: list[tuple[str, float, float]], scale: float, part: float, foreign: float
) -> None:
    ends = []
    for fast in (True, False):
        net = Net()
        stages = built(net, recipe)
        at_s = part * float(evaluate(stages, np.array([scale])).duration_s[0])
        for _ in range(4):  # five flows on 10 GB/s leave 2 GB/s for the job instead of 4
            net.clock.call_at(at_s, lambda: net.fabric.transfer(net.greedy, foreign * GB, "other"))  # noqa: B023
        if fast:
            plan, scales = planned(stages), np.array([scale])
            forward = FastForward(net.fabric, "job", plan, scales, evaluate(plan.stages, scales))
            net.clock.run(at_s)
            net.clock.run(forward.playback.done if forward.playback else forward.end_s)
        else:
            playback = Playback(net.clock, net.fabric, "job", remaining(stages, scale, 0.0))
            net.clock.run(playback.done)
        ends.append(net.clock.now)
    assert ends[0] == pytest.approx(ends[1], rel=1e-9)
