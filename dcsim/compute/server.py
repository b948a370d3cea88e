"""Power of a server by component, before the losses of its power supplies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dcsim.catalogue.parts import Accelerator, Server
from dcsim.compute.accelerator import waiting_power

Floats = NDArray[np.float64]
State = Literal["off", "idle", "waiting", "running"]
COMPONENTS = ("accelerators", "cpus", "memory", "nics", "fans", "other")

_LOWEST_FAN_SPEED = 0.3


@dataclass(frozen=True)
class ServerSpec:
    """A server of the fleet: its name ("train/3") and its catalogue parts."""

    name: str
    server: Server
    accelerator: Accelerator


def fan_speed(heat_share: float | Floats) -> Floats:
    """Return the fan speed over full speed [1] for a heat load over the full one [1].

    At a constant temperature rise of the air, flow follows heat (Q = rho c flow dT) and speed follows flow; fans do
    not turn slower than 30 % (an assumption; server fans idle between 20 % and 40 %).
    """
    return np.clip(heat_share, _LOWEST_FAN_SPEED, 1.0)


def fan_power(full_w: float | Floats, heat_share: float | Floats) -> Floats:
    """Return the power of fans [W] that take ``full_w`` at full speed: the cube of their speed (affinity laws)."""
    return np.asarray(full_w * fan_speed(heat_share) ** 3)


def full_heat(spec: ServerSpec) -> float:
    """Return the heat of everything but the fans when all accelerators draw their thermal design power [W]."""
    server = spec.server
    steady = server.cpu_active + server.memory_power + server.nics * server.nic_power + server.other_power
    return server.accelerators * spec.accelerator.tdp + steady


def component_powers(spec: ServerSpec, state: State, accelerator_power_w: float | None = None) -> dict[str, float]:
    """Return the power of every component of :data:`COMPONENTS` [W].

    off
        Nothing draws power (the management controller's few watts are left out).
    idle
        No job: accelerators and CPUs idle; memory, network cards and boards draw what they always draw.
    waiting
        A job holds the server but its accelerators do no arithmetic: launch, loading, checkpoint.
    running
        Accelerators draw ``accelerator_power_w`` [W] each, which must be given.
    """
    if state == "off":
        return dict.fromkeys(COMPONENTS, 0.0)
    server = spec.server
    powers = {
        "accelerators": server.accelerators * _accelerator_power(spec, state, accelerator_power_w),
        "cpus": server.cpu_idle if state == "idle" else server.cpu_active,
        "memory": server.memory_power,
        "nics": server.nics * server.nic_power,
        "fans": 0.0,
        "other": server.other_power,
    }
    powers["fans"] = float(fan_power(server.fan_power, sum(powers.values()) / full_heat(spec)))
    return powers


def _accelerator_power(spec: ServerSpec, state: State, given_w: float | None) -> float:
    if state == "running":
        if given_w is None:
            raise ValueError("a running server needs the power of its accelerators")
        return given_w
    return spec.accelerator.idle if state == "idle" else waiting_power(spec.accelerator)
