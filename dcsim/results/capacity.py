"""Demand against capacity, resource by resource, as a run found them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dcsim.results.result import Result

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
NOT_IT = ("pdu", "ups", "transformer", "chiller", "pumps", "tower", "crah", "crah_fans")  # of the series "power"
_IN_ROOM = ("pdu", "ups", "crah", "crah_fans")  # of these, what heats the room
_LINK = ("busiest link of tier ", ", on average")


@dataclass(frozen=True)
class Resource:
    """What a run needed of one resource, and what there is of it, both in ``unit``.

    ``demand`` is the highest there was; of links it is the mean of the busiest one, since every link is full for the
    instants in which a single flow has it to itself. ``shares`` [1] over ``times`` [s] are demand over capacity, each
    held until the next, empty where nothing was recorded; of links they are the mean over the tier. ``role`` is
    compute, power, cooling, communication or storage.
    """

    name: str
    role: str
    unit: str
    demand: float
    capacity: float
    lifted_by: str
    times: Floats
    shares: Floats
    end_s: float

    @property
    def used(self) -> float:
        """Demand over capacity [1]."""
        return self.demand / self.capacity if self.capacity > 0.0 else math.inf

    @property
    def averaged(self) -> bool:
        """Whether the demand is a mean over the run."""
        return self.name.startswith("link ")

    def percentile(self, percent: float) -> float | None:
        """Return the demand [unit] that was not exceeded for ``percent`` [%] of the time, None where none is known."""
        if self.averaged or not len(self.times):
            return None
        return self.capacity * held_percentile(self.times, self.shares, self.end_s, percent)


def held_percentile(times: Floats, values: Floats, end_s: float, percent: float) -> float:
    """Return the lowest of values, each held until the next and the last until ``end_s``, that is not exceeded for at
    least ``percent`` [%] of the time."""
    lasting = np.diff(np.r_[times, max(end_s, float(times[-1]))])
    order = np.argsort(values, kind="stable")
    passed = np.cumsum(lasting[order])
    if passed[-1] <= 0.0:
        return float(values.max())
    # less than a billionth of the whole is rounding
    place = int(np.searchsorted(passed, (percent / 100.0 - 1e-9) * passed[-1]))
    return float(values[order][min(place, len(values) - 1)])


def resources(result: Result) -> tuple[Resource, ...]:
    """Return every resource whose demand grows with the load, in the order of the limits of the run.

    The memory of accelerators and the air at the servers do not: they are left out.
    """
    shares = _shares(result.table("series"))
    end_s = result.metrics["run.duration"].value if "run.duration" in result.metrics else 0.0
    found = []
    for row in result.table("limits").to_dict("records"):
        known = _known(str(row["what"]))
        used, capacity = float(row["used"]), float(row["capacity"])
        if known is None or not (math.isfinite(used) and capacity > 0.0):
            continue
        name, role, series = known
        times, values = shares[series](used, capacity) if series in shares else (np.empty(0), np.empty(0))
        found.append(
            Resource(name, role, str(row["unit"]), used, capacity, str(row["lifted_by"]), times, values, end_s)
        )
    return tuple(found)


GROUPS = {
    "compute": "accelerators",
    "power": "power",
    "cooling": "cooling",
    "communication": "network",
    "storage": "storage",
}
"""What the metrics ``capacity.*`` call the roles of resources."""


def resource(what: str) -> tuple[str, str] | None:
    """Return the name and the group of a row of the table "limits", None for one that does not grow with the load."""
    known = _known(what)
    return None if known is None else (known[0], GROUPS[known[1]])


def _known(what: str) -> tuple[str, str, str] | None:
    """Return name, role and series of a limit, None for one that does not grow with the load."""
    fixed = {
        "accelerators in use": ("accelerators", "compute", "in use"),
        "power feed": ("power feed", "power", "it"),
        "cooling plant": ("cooling plant", "cooling", "heat"),
        "storage space": ("storage space", "storage", ""),
    }
    if what in fixed:
        return fixed[what]
    if what.startswith(_LINK[0]) and what.endswith(_LINK[1]):
        tier = what.removeprefix(_LINK[0]).removesuffix(_LINK[1])
        return f"link {tier}", "storage" if tier.startswith("disk") else "communication", f"tier {tier}"
    return None


_Share = Callable[[float, float], tuple[Floats, Floats]]


def _shares(table: pd.DataFrame) -> Mapping[str, _Share]:
    """Return by series what turns (peak, capacity) of a resource into its times and shares."""
    kept = table[table["series"].isin(("power", "link_load", "utilization"))]
    lines: dict[tuple[str, str], tuple[Floats, Floats]] = {}
    for (series, name), rows in kept.groupby(["series", "name"], sort=False):
        fine = rows[np.isfinite(rows["value"].astype(float))].sort_values("time_s", kind="stable")
        if len(fine):
            lines[str(series), str(name)] = (fine["time_s"].to_numpy(float), fine["value"].to_numpy(float))
    found: dict[str, _Share] = {}
    for (series, name), line in lines.items():
        if series != "power":
            found[f"tier {name}" if series == "link_load" else name] = _as_recorded(line)
    power = {name: line for (series, name), line in lines.items() if series == "power"}
    it = {name: line for name, line in power.items() if name not in NOT_IT}
    room = it | {name: line for name, line in power.items() if name in _IN_ROOM}
    return found | {name: _shaped(_sum(lines)) for name, lines in (("it", it), ("heat", room)) if lines}


def _as_recorded(line: tuple[Floats, Floats]) -> _Share:
    return lambda _used, _capacity: line


def _shaped(line: tuple[Floats, Floats]) -> _Share:
    """Scale a power so that its highest value is the demand of the limit: a plant can do more in cold weather, which
    the limit counts and the power does not."""

    def shares(used: float, capacity: float) -> tuple[Floats, Floats]:
        highest = float(line[1].max())
        return line[0], line[1] * (used / capacity / highest if highest > 0.0 else 0.0)

    return shares


def _sum(lines: Mapping[Any, tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    instants = np.unique(np.concatenate([times for times, _ in lines.values()]))
    return instants, np.sum(list(_held(lines, instants)), axis=0)


def _held(lines: Mapping[Any, tuple[Floats, Floats]], instants: Floats) -> Iterator[Floats]:
    for times, values in lines.values():
        places = np.searchsorted(times, instants, side="right") - 1
        yield np.where(places >= 0, values[np.maximum(places, 0)], 0.0)
