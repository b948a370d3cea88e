"""The power of all servers of a run, as levels that the facility and the recorder follow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dcsim.compute.accelerator import waiting_power
from dcsim.compute.server import COMPONENTS, ServerSpec, State, fan_power, full_heat
from dcsim.engine import Check, Clock, Level, LevelArray, Recorder

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_ACCELERATORS, _CPUS, _MEMORY, _NICS, _FANS, _OTHER = range(len(COMPONENTS))


class Fleet:
    """The servers of a run; all are idle at first.

    Attributes
    ----------
    power
        Power of each server before the losses of its power supplies [W DC], in the order given.
    components
        Site totals of "accelerators", "cpus", "memory", "nics", "fans" and "other" [W DC].
    states
        The state of each server.
    """

    def __init__(self, clock: Clock, recorder: Recorder, servers: Sequence[ServerSpec]) -> None:
        self.power = LevelArray(clock, [spec.name for spec in servers], "W")
        self.states: list[State] = ["idle"] * len(servers)
        self._ratings = _ratings(servers)
        everyone = np.arange(len(servers))
        self._now: Floats = self._draw(everyone, "idle", None)
        self.power.set(everyone, self._now.sum(axis=0))
        self.components = tuple(
            Level(clock, name, "W", float(row.sum())) for name, row in zip(COMPONENTS, self._now, strict=True)
        )
        for level in self.components:
            recorder.follow(level, "power")

    def set_state(
        self, indices: Indices | Sequence[int], state: State, accelerator_power_w: float | Floats | None = None
    ) -> None:
        """Put the servers at ``indices`` (each at most once) into ``state`` from now on.

        ``accelerator_power_w`` is the mean power of each of a server's accelerators [W], one value or one a server;
        ``running`` needs it, the other states ignore it. Totals are summed anew from the servers' values, so they
        depend on the present state alone and not on how it came about. A call that changes nothing tells nobody.
        """
        where = np.asarray(indices, dtype=np.int64)
        for index in where.tolist():
            self.states[index] = state
        drawn = self._draw(where, state, accelerator_power_w)
        if np.array_equal(drawn, self._now[:, where]):
            return
        self._now[:, where] = drawn
        self.power.set(where, drawn.sum(axis=0))
        for level, total in zip(self.components, self._now.sum(axis=1).tolist(), strict=True):
            level.set(total)

    def energy(self) -> dict[str, float]:
        """Return the energy of each component since the start [J]."""
        return {level.name: level.integral for level in self.components}

    def checks(self) -> list[Check]:
        """Return the conservation check of the fleet: the components' energy is that of the servers."""
        by_component, by_server = sum(self.energy().values()), float(self.power.integrals.sum())
        return [Check("server energy by component = by server", by_component, by_server, "J")]

    def _draw(self, where: Indices, state: State, accelerator_power_w: float | Floats | None) -> Floats:
        """Power by component and server, shape (components, servers) [W]: ``component_powers`` for arrays."""
        if state == "off":
            return np.zeros((len(COMPONENTS), len(where)))
        own = {name: values[where] for name, values in self._ratings.items()}
        if state == "running":
            if accelerator_power_w is None:
                raise ValueError("running servers need the power of their accelerators")
            each: float | Floats = accelerator_power_w
        else:
            each = own["idle"] if state == "idle" else own["waiting"]
        drawn = np.zeros((len(COMPONENTS), len(where)))
        drawn[_ACCELERATORS] = own["accelerators"] * each
        drawn[_CPUS] = own["cpu_idle"] if state == "idle" else own["cpu_active"]
        drawn[_MEMORY], drawn[_NICS], drawn[_OTHER] = own["memory"], own["nics"], own["other"]
        drawn[_FANS] = fan_power(own["fans"], drawn.sum(axis=0) / own["full_heat"])
        return drawn


def _ratings(servers: Sequence[ServerSpec]) -> dict[str, Floats]:
    rows = [
        {
            "accelerators": spec.server.accelerators,
            "idle": spec.accelerator.idle,
            "waiting": waiting_power(spec.accelerator),
            "cpu_idle": spec.server.cpu_idle,
            "cpu_active": spec.server.cpu_active,
            "memory": spec.server.memory_power,
            "nics": spec.server.nics * spec.server.nic_power,
            "other": spec.server.other_power,
            "fans": spec.server.fan_power,
            "full_heat": full_heat(spec),
        }
        for spec in servers
    ]
    return {name: np.array([row[name] for row in rows], dtype=np.float64) for name in (rows[0] if rows else {})}
