"""Where the energy of a run went, from the grid to its last use."""

from __future__ import annotations

from collections.abc import Iterable

from dcsim.compute.fleet import Fleet
from dcsim.estimate.step_plan import StepEnergy
from dcsim.simulate.assemble import DataCenter

GRID, IT, SERVERS, ACCELERATORS = "grid", "IT equipment", "servers", "accelerators"


def flows(center: DataCenter) -> Iterable[tuple[str, str, float]]:
    """Yield (source, target, joules); the outflows of every node but the grid sum to its inflow."""
    energy = center.facility.summary().energy_j
    stages = {"transformer loss": "transformer", "UPS loss": "ups", "PDU loss": "pdu"}
    stages |= {"chiller": "chiller", "pumps": "pumps", "cooling tower": "tower", "air handlers": "crah"}
    for target, stage in stages.items():
        yield GRID, target, energy[stage]
    yield GRID, IT, energy["it"]
    yield IT, "power supply loss", energy["psu"]
    switches = center.switch_power.integral
    yield IT, "switches", switches
    if center.hall.store is not None:
        yield IT, "storage", center.hall.store.power.integral
    yield IT, SERVERS, energy["servers"]
    yield from _servers(center.hall.fleet, _steps(center))


def _servers(fleet: Fleet, steps: StepEnergy) -> Iterable[tuple[str, str, float]]:
    parts = fleet.energy()
    for component, joules in parts.items():
        yield SERVERS, component, joules
    yield ACCELERATORS, "arithmetic", steps.arithmetic_j
    yield ACCELERATORS, "device memory", steps.memory_j
    yield ACCELERATORS, "links between devices", steps.links_j
    yield ACCELERATORS, "idle and waiting", parts[ACCELERATORS] - steps.total_j


def _steps(center: DataCenter) -> StepEnergy:
    total = StepEnergy()
    for job in center.every_job:
        total = total.plus(job.step_energy, 1)
    return total
