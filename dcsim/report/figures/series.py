"""Reading recorded series: one line a name, and stacks whose instants are those of the total's peaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dcsim.report.figures.drawing import Floats, thin, thin_indices
from dcsim.results.capacity import NOT_IT

if TYPE_CHECKING:
    import pandas as pd

# What a reader can tell apart in one stack: six groups of the components, in the order they are stacked.
POWER_GROUPS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("accelerators", "compute", ("accelerators",)),
    ("rest of servers", "compute", ("cpus", "memory", "fans", "other")),
    ("network", "communication", ("nics", "switches")),
    ("storage", "storage", ("storage",)),
    ("power chain losses", "power", ("psu", "pdu", "ups", "transformer")),
    ("cooling", "cooling", ("chiller", "pumps", "tower", "crah", "crah_fans")),
)
_STACK_PIXELS = 450  # six layers of thousands of points would make a heavy page


@dataclass(frozen=True)
class Line:
    """One recorded quantity; ``times`` [s] do not fall."""

    name: str
    unit: str
    times: Floats
    values: Floats


@dataclass(frozen=True)
class Stack:
    """Layers over common instants: each holds until the next; shape (layers, instants)."""

    names: tuple[str, ...]
    roles: tuple[str, ...]
    times: Floats
    layers: Floats
    it: Floats

    @property
    def total(self) -> Floats:
        """The sum of all layers at every instant."""
        return np.asarray(self.layers.sum(axis=0))


def lines(table: pd.DataFrame, series: str) -> dict[str, Line]:
    """Return the lines of one kind of series by name, as recorded; values that are no number are left out."""
    found = {}
    for (name, unit), rows in table[table["series"] == series].groupby(["name", "unit"], sort=False):
        times, values = rows["time_s"].to_numpy(float), rows["value"].to_numpy(float)
        fine = np.isfinite(times) & np.isfinite(values)
        order = np.argsort(times[fine], kind="stable")
        if fine.any():
            found[str(name)] = Line(str(name), str(unit), times[fine][order], values[fine][order])
    return found


def held(line: Line, instants: Floats) -> Floats:
    """Return the value that ``line`` holds at each of ``instants``, 0 before its first point."""
    places = np.searchsorted(line.times, instants, side="right") - 1
    return np.where(places >= 0, line.values[np.maximum(places, 0)], 0.0)


def steps(times: Floats, values: Floats, end_s: float) -> tuple[Floats, Floats]:
    """Return the corners of a line that holds every value until the next point and the last until ``end_s``."""
    last = np.r_[times, max(end_s, float(times[-1]))]
    return np.repeat(last, 2)[1:-1], np.repeat(values, 2)


def thinned_steps(line: Line, end_s: float) -> tuple[Floats, Floats]:
    """Return the corners of a held line, thinned to what the width can show."""
    changed = np.r_[True, line.values[1:] != line.values[:-1]]
    return steps(*thin(line.times[changed], line.values[changed]), end_s)


def power_stack(power: Mapping[str, Line]) -> Stack | None:
    """Return the power of the groups whenever a component changes, None where nothing was recorded."""
    if not power:
        return None
    instants = np.unique(np.concatenate([line.times for line in power.values()]))
    known = {name for _, _, names in POWER_GROUPS for name in names}
    groups = [*POWER_GROUPS, ("other components", "idle", tuple(name for name in power if name not in known))]
    layers, names, roles = [], [], []
    for title, role, members in groups:
        present = [held(power[name], instants) for name in members if name in power]
        if present:
            layers.append(np.sum(present, axis=0))
            names.append(title)
            roles.append(role)
    stacked = np.asarray(layers)
    it = np.sum([held(line, instants) for name, line in power.items() if name not in NOT_IT] or [0 * instants], axis=0)
    changed = np.flatnonzero(np.r_[True, (stacked[:, 1:] != stacked[:, :-1]).any(axis=0)])
    kept = changed[thin_indices(instants[changed], stacked.sum(axis=0)[changed], _STACK_PIXELS)]
    return Stack(tuple(names), tuple(roles), instants[kept], stacked[:, kept], it[kept])
