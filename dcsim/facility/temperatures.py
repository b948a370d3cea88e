"""Keeps the temperatures of a run as series whose points, joined by straight lines, show the curves."""

from __future__ import annotations

from dcsim.engine import Recorder
from dcsim.facility.climate import Weather
from dcsim.facility.modes import Modes
from dcsim.facility.thermal import Motion, State

_VISIBLE_K = 0.02
_POINTS = (0.125, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)  # in time constants of the slower mode


class Temperatures:
    """Samples inlet, coolant, outdoor and wet bulb where something changes, and in between where a curve bends."""

    def __init__(self, recorder: Recorder) -> None:
        names = ("inlet", "coolant", "outdoor", "wet_bulb")
        self._series = {name: recorder.sample("temperature", name, "degC") for name in names}

    def keep(self, now_s: float, state: State, weather: Weather) -> None:
        """Keep the values at ``now_s`` [s]."""
        values = (state.room_c, state.coolant_c, weather.dry_bulb_c, weather.wet_bulb_c)
        for series, value in zip(self._series.values(), values, strict=True):
            if series is not None:
                series.append(now_s, value)

    def fill(self, since_s: float, now_s: float, motion: Motion) -> None:
        """Add points along ``motion`` between ``since_s`` and ``now_s`` [s]."""
        for name, curve in (("inlet", motion.room), ("coolant", motion.coolant)):
            series = self._series[name]
            if series is not None and _bends(curve):
                constant_s = 1.0 / _slower(curve)
                for elapsed_s in (point * constant_s for point in _POINTS):
                    if series.times[-1] < since_s + elapsed_s < now_s:
                        series.append(since_s + elapsed_s, curve.value(elapsed_s))


def _bends(curve: Modes) -> bool:
    return abs(curve.first[0]) + abs(curve.second[0]) > _VISIBLE_K


def _slower(curve: Modes) -> float:
    return min(rate for amplitude, rate in (curve.first, curve.second) if amplitude)
