"""Columnar records of a run: tables are declared, rows appended, frames made at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dcsim.engine.clock import Clock
from dcsim.engine.level import Level

if TYPE_CHECKING:
    import pandas as pd

_WINDOW = 10  # neighbors of which a long series keeps five at most
_KEPT_POINTS = 4096  # of a series; twice what the widest figure shows


class Sink:
    """One declared table; ``units`` maps every column to its unit ("" for text and counts)."""

    __slots__ = ("_rows", "name", "units")

    def __init__(self, name: str, units: Mapping[str, str]) -> None:
        self.name, self.units = name, dict(units)
        self._rows: list[tuple[Any, ...]] = []

    def append(self, *row: Any) -> None:
        """Append one row, its values in the order of the declared columns."""
        if len(row) != len(self.units):
            raise ValueError(f"{self.name}: found {len(row)} values, expected {len(self.units)}")
        self._rows.append(row)

    @property
    def columns(self) -> dict[str, list[Any]]:
        """The values of every column; rows are far more often written than read."""
        by_column = zip(*self._rows, strict=True) if self._rows else [()] * len(self.units)
        return {name: list(values) for name, values in zip(self.units, by_column, strict=True)}

    def frame(self) -> pd.DataFrame:
        """Return the table, its units in ``frame.attrs["units"]``."""
        import pandas as pd

        frame = pd.DataFrame(self.columns)
        frame.attrs["units"] = dict(self.units)
        return frame


class Recorder:
    """The sinks of a run and the series it follows."""

    def __init__(self, clock: Clock, series: tuple[str, ...], every_change: bool = False) -> None:
        self._clock, self._wanted, self._every_change = clock, frozenset(series), every_change
        self._sinks: dict[str, Sink] = {}
        self._series: list[_Series] = []

    def declare(self, name: str, units: Mapping[str, str]) -> Sink:
        """Declare a table once and return it; a second declaration under the same name returns the first."""
        return self._sinks.setdefault(name, Sink(name, units))

    def follow(self, level: Level, series: str) -> None:
        """Keep the changes of ``level`` in the table "series" if the scenario records ``series``."""
        if series in self._wanted:
            kept = self._start(series, level.name, level.unit)
            kept.holds = True
            kept.append(self._clock.now, level.value)
            level.watch(lambda changed: kept.append(self._clock.now, changed.value))

    def sample(self, series: str, name: str, unit: str) -> _Series | None:
        """Return a series to append (time, value) to, None if the scenario does not record ``series``."""
        return self._start(series, name, unit) if series in self._wanted else None

    def frames(self) -> dict[str, pd.DataFrame]:
        """Return every declared table and, if anything was followed, the table "series"."""
        frames = {name: sink.frame() for name, sink in self._sinks.items()}
        if self._series:
            frames["series"] = self._series_frame()
        return frames

    def _start(self, series: str, name: str, unit: str) -> _Series:
        kept = _Series(series, name, unit, None if self._every_change else _KEPT_POINTS)
        self._series.append(kept)
        return kept

    def _series_frame(self) -> pd.DataFrame:
        sink = Sink("series", {"series": "", "name": "", "unit": "", "time_s": "s", "value": ""})
        for kept in self._series:
            for time_s, value in kept.until(self._clock.now):
                sink.append(kept.series, kept.name, kept.unit, time_s, value)
        return sink.frame()


class _Series:
    """Changes of one quantity; a long one keeps the extremes of ever wider windows, so peaks survive."""

    __slots__ = ("_limit", "holds", "name", "series", "times", "unit", "values")

    def __init__(self, series: str, name: str, unit: str, limit: int | None) -> None:
        self.series, self.name, self.unit, self._limit = series, name, unit, limit
        self.holds = False
        self.times: list[float] = []
        self.values: list[float] = []

    def append(self, time_s: float, value: float) -> None:
        """Keep a change; several at one instant count as the last."""
        if self.times and self.times[-1] == time_s:
            self.values[-1] = value
            return
        self.times.append(time_s)
        self.values.append(value)
        if self._limit is not None and len(self.times) > self._limit:
            self._halve()

    def until(self, end_s: float) -> list[tuple[float, float]]:
        """Return (time, value) of all that is kept; a level's change at the very end lasts no time and is left out."""
        points = list(zip(self.times, self.values, strict=True))
        if self.holds and len(points) > 1 and points[-1][0] >= end_s:
            points[-1] = (end_s, points[-2][1])
        return points

    def _halve(self) -> None:
        """Keep the ends and, of every ten neighbors between them, the lowest, the highest and the last.

        A value holds until the next that is kept. So the one that lasts longest is kept too, and what follows the
        shorter of the extremes: a burst must not last longer than it did.
        """
        times, values = self.times, self.values
        kept: list[int] = [0]
        for first in range(1, len(times) - 1, _WINDOW):
            window = range(first, min(first + _WINDOW, len(times) - 1))
            low, high = min(window, key=values.__getitem__), max(window, key=values.__getitem__)
            longest = max(window, key=lambda i: times[i + 1] - times[i])
            shorter = min(low, high, key=lambda i: times[i + 1] - times[i])
            kept.extend(sorted({low, high, longest, min(shorter + 1, window[-1]), window[-1]}))
        kept.append(len(times) - 1)
        self.times = [times[i] for i in kept]
        self.values = [values[i] for i in kept]
