"""Simulated time: alarms, settling, and where a run ends."""

from __future__ import annotations

import pytest

from dcsim.engine import Clock


def test_alarms_ring_in_order_of_time_then_of_their_making() -> None:
    clock, heard = Clock(), []
    for name, time_s in (("late", 2.0), ("first", 1.0), ("second", 1.0)):
        clock.call_at(time_s, lambda name=name: heard.append((clock.now, name)))
    clock.run()
    assert heard == [(1.0, "first"), (1.0, "second"), (2.0, "late")]


def test_a_cancelled_alarm_stays_silent() -> None:
    clock, heard = Clock(), []
    alarm = clock.call_at(1.0, lambda: heard.append("one"))
    clock.call_at(0.5, alarm.cancel)
    clock.run()
    assert heard == []


def test_an_alarm_in_the_past_rings_at_once() -> None:
    clock, heard = Clock(), []
    clock.call_at(3.0, lambda: clock.call_at(1.0, lambda: heard.append(clock.now)))
    clock.run()
    assert heard == [3.0]


def test_changes_of_one_instant_settle_once_after_the_events_already_due() -> None:
    clock, heard = Clock(), []

    class Component:
        def solve(self) -> None:
            heard.append(("solve", clock.now))

        def change(self, name: str) -> None:
            heard.append((name, clock.now))
            clock.settle(self.solve)

    component = Component()
    for name in ("a", "b", "c"):
        clock.call_at(1.0, lambda name=name: component.change(name))
    clock.call_at(2.0, lambda: component.change("d"))
    clock.run()
    assert heard == [("a", 1.0), ("b", 1.0), ("c", 1.0), ("solve", 1.0), ("d", 2.0), ("solve", 2.0)]


def test_a_settled_action_may_ask_to_be_settled_again() -> None:
    clock, count = Clock(), []

    def solve() -> None:
        count.append(clock.now)
        if len(count) < 3:
            clock.settle(solve)

    clock.call_at(1.0, lambda: clock.settle(solve))
    clock.run()
    assert count == [1.0, 1.0, 1.0]


def test_two_objects_of_one_kind_settle_apart() -> None:
    clock, heard = Clock(), []

    class Fabric:
        def __init__(self, name: str) -> None:
            self.name = name

        def solve(self) -> None:
            heard.append(self.name)

    one, two = Fabric("one"), Fabric("two")
    clock.settle(one.solve)
    clock.settle(two.solve)
    clock.settle(one.solve)
    clock.run()
    assert heard == ["one", "two"]


def test_a_run_until_a_time_stops_there_and_goes_on_later() -> None:
    clock, heard = Clock(), []
    for time_s in (1.0, 2.0, 3.0):
        clock.call_at(time_s, lambda: heard.append(clock.now))
    clock.run(until=2.5)
    assert (clock.now, heard) == (2.5, [1.0, 2.0])
    clock.run()
    assert (clock.now, heard) == (3.0, [1.0, 2.0, 3.0])


def test_a_run_until_an_event_stops_when_it_triggers() -> None:
    clock = Clock()
    done = clock.event()
    clock.call_at(1.0, lambda: done.succeed("value"))
    clock.call_at(9.0, lambda: None)
    clock.run(until=done)
    assert (clock.now, done.value) == (1.0, "value")


def test_a_run_ends_when_nothing_is_left_though_its_event_never_came() -> None:
    clock = Clock()
    clock.call_at(1.0, lambda: None)
    clock.run(until=clock.event())
    assert clock.now == 1.0


def test_processes_wait_for_all_or_any() -> None:
    clock, heard = Clock(), []

    def waiting():  # type: ignore[no-untyped-def]
        yield clock.any_of([clock.timeout(1.0), clock.timeout(5.0)])
        heard.append(clock.now)
        yield clock.all_of([clock.timeout(1.0), clock.timeout(2.0)])
        heard.append(clock.now)
        yield clock.until(2.0)
        heard.append(clock.now)

    clock.process(waiting())
    clock.run()
    assert heard == [1.0, 3.0, 3.0]


def test_a_failure_inside_a_process_reaches_the_caller() -> None:
    clock = Clock()

    def failing():  # type: ignore[no-untyped-def]
        yield clock.timeout(1.0)
        raise KeyError("lost")

    clock.process(failing())
    with pytest.raises(KeyError, match="lost"):
        clock.run()


def test_events_are_counted_and_ticks_come_every_256() -> None:
    clock, ticks = Clock(), []
    for number in range(600):
        clock.timeout(float(number))
    clock.run(tick=lambda: ticks.append(clock.now))
    assert clock.events == 600
    assert ticks == [255.0, 511.0]
