"""Declared tables, followed levels, and the thinning of long series."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.engine import Clock, Level, Recorder


def test_a_sink_becomes_a_frame_with_units() -> None:
    recorder = Recorder(Clock(), ())
    sink = recorder.declare("spans", {"job": "", "start_s": "s"})
    sink.append("pretrain", 1.5)
    assert recorder.declare("spans", {}) is sink
    frame = recorder.frames()["spans"]
    assert frame.to_dict("list") == {"job": ["pretrain"], "start_s": [1.5]}
    assert frame.attrs["units"] == {"job": "", "start_s": "s"}
    with pytest.raises(ValueError):
        sink.append("too short")


def test_only_wanted_series_are_kept() -> None:
    clock = Clock()
    recorder = Recorder(clock, ("power",))
    recorder.follow(Level(clock, "inlet", "degC", 22.0), "temperature")
    assert recorder.sample("temperature", "inlet", "degC") is None
    assert "series" not in recorder.frames()


def test_several_changes_of_one_instant_count_as_the_last() -> None:
    clock = Clock()
    recorder = Recorder(clock, ("power",))
    level = Level(clock, "it", "W", 1.0)
    recorder.follow(level, "power")
    clock.call_at(2.0, lambda: level.set(5.0))
    clock.call_at(2.0, lambda: level.set(3.0))
    clock.run(3.0)
    frame = recorder.frames()["series"]
    assert list(zip(frame["time_s"], frame["value"], strict=True)) == [(0.0, 1.0), (2.0, 3.0)]
    assert set(frame["unit"]) == {"W"}


def test_a_change_at_the_very_end_lasts_no_time_and_is_left_out() -> None:
    clock = Clock()
    recorder = Recorder(clock, ("power",))
    level = Level(clock, "it", "W", 4.0)
    recorder.follow(level, "power")
    clock.call_at(2.0, lambda: level.set(1.0))
    clock.run()
    frame = recorder.frames()["series"]
    assert list(zip(frame["time_s"], frame["value"], strict=True)) == [(0.0, 4.0), (2.0, 4.0)]


def _record(values: np.ndarray, every_change: bool) -> tuple[np.ndarray, np.ndarray]:
    clock = Clock()
    recorder = Recorder(clock, ("power",), every_change)
    level = Level(clock, "it", "W", 0.5)
    recorder.follow(level, "power")
    for number, value in enumerate(values.tolist(), start=1):
        clock.call_at(float(number), lambda value=value: level.set(value))
    clock.run(len(values) + 1.0)
    frame = recorder.frames()["series"]
    return frame["time_s"].to_numpy(), frame["value"].to_numpy()


def test_thinning_keeps_ends_and_extremes_and_a_bound() -> None:
    values = np.random.default_rng(5).normal(100.0, 10.0, 20_000)
    values[12_345], values[777] = 1e4, -1e4
    times, kept = _record(values, every_change=False)
    assert 1024 <= len(times) <= 4096
    assert (times[0], times[-1]) == (0.0, 20_000.0)
    assert (kept[0], kept[-1]) == (0.5, values[-1])
    assert np.all(np.diff(times) > 0)
    assert (times[kept.argmax()], times[kept.argmin()]) == (12_346.0, 778.0)
    assert np.array_equal(kept[1:], values[times[1:].astype(int) - 1])


def test_every_change_is_kept_when_asked_for() -> None:
    values = np.random.default_rng(5).normal(100.0, 10.0, 9_000)
    times, kept = _record(values, every_change=True)
    assert len(times) == 9_001
    assert np.array_equal(kept[1:], values)


def test_thinning_keeps_the_value_that_holds_on_after_a_burst() -> None:
    # A series that is 0 but for bursts a moment long must be near 0 at nearly all times however often it is thinned.
    values, instants = [], []
    for burst in range(20_000):
        instants += [float(burst), burst + 1e-3]
        values += [1.0, 0.0]
    recorder = Recorder(clock := Clock(), ("power",))
    kept = recorder.sample("power", "x", "W")
    assert kept is not None
    for time_s, value in zip(instants, values, strict=True):
        kept.append(time_s, value)
    clock.run(20_000.0)
    frame = recorder.frames()["series"]
    lasting = np.diff(frame["time_s"].to_numpy())
    held = float((lasting * frame["value"].to_numpy()[:-1]).sum()) / 20_000.0
    assert frame["value"].max() == 1.0
    assert held < 0.1  # the mean is 0.001; without the last of each window half of the time would be 1
