"""The books of a facility: energy by stage, what follows from it, and the balances that must hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcsim.engine import Check, Level
from dcsim.facility import carbon, cost, water
from dcsim.facility.summary import FacilitySummary, Headroom

if TYPE_CHECKING:
    from dcsim.facility.site import Facility


_ROUNDING = 1e-13  # K that a temperature of some tens of degrees may be off when it is computed anew


def energies(facility: Facility) -> dict[str, float]:
    """Return the energy [J] of every stage until now; see :class:`FacilitySummary`."""
    levels: dict[str, Level] = {
        "psu": facility.psu_loss,
        "pdu": facility.pdu_loss,
        "ups": facility.ups_loss,
        "transformer": facility.transformer_loss,
        "chiller": facility.chiller,
        "pumps": facility.pumps,
        "tower": facility.tower,
        "crah": facility.crah_fans,
        "grid": facility.grid,
        "it": facility.it,
    }
    ledger = facility.ledger
    energy = {name: level.integral for name, level in levels.items()}
    energy["servers"] = float(facility.plan.server_power.integrals.sum()) - ledger.servers_j
    energy["other"] = facility.plan.other_power.integral - ledger.other_j
    return energy


def checks(facility: Facility) -> list[Check]:
    """Return the balances of electricity and heat since the start [J]."""
    energy, stored = energies(facility), stored_heat(facility)
    removed = facility.removed.integral
    coolant = facility.coolant_heat.integral
    stages = sum(value for name, value in energy.items() if name not in ("grid", "it"))
    in_rooms = energy["it"] + energy["pdu"] + energy["ups"] + energy["crah"]
    rounding = _ROUNDING * (facility.loop.room_j_per_k + facility.loop.coolant_j_per_k)
    outdoors = energy["chiller"] + (energy["pumps"] - coolant) + energy["tower"] + energy["transformer"]
    return [
        Check("site power: grid = sum of stages", energy["grid"], stages, "J"),
        Check("rooms: heat released = removed + stored", in_rooms + coolant, removed + stored, "J", rounding=rounding),
        Check(
            "site heat: joules in = heat out + stored",
            energy["grid"],
            removed + outdoors + stored,
            "J",
            rounding=rounding,
        ),
    ]


def stored_heat(facility: Facility) -> float:
    """Return the heat [J] that rooms and coolant took up since the start."""
    loop, first, now = facility.loop, facility.first_state, facility.state()
    room_j = loop.room_j_per_k * (now.room_c - first.room_c)
    return room_j + loop.coolant_j_per_k * (now.coolant_c - first.coolant_c)


def summarize(facility: Facility) -> FacilitySummary:
    """Return what the facility did until now."""
    energy, grid, elapsed_s = energies(facility), facility.plan.grid, facility.elapsed_s
    plant_j = facility.plant_heat.integral
    rejected_j = facility.removed.integral + energy["chiller"] + energy["pumps"] - facility.coolant_heat.integral
    return FacilitySummary(
        energy_j=energy,
        pue=pue(facility, energy),
        power_peak_w=facility.grid.peak,
        power_mean_w=energy["grid"] / elapsed_s if elapsed_s > 0.0 else facility.grid.value,
        inlet_peak_c=facility.inlet_peak_c,
        site_water_l=water.make_up(rejected_j),
        upstream_water_l=water.upstream(energy["grid"], grid.water),
        carbon_kg=carbon.emissions(energy["grid"], grid.carbon),
        carbon_scope=grid.scope,
        electricity_cost_usd=cost.electricity(energy["grid"], grid.price),
        economizer_share=facility.economized.integral / plant_j if plant_j > 0.0 else 0.0,
        headrooms=headrooms(facility),
        warnings=facility.notes.texts,
    )


def pue(facility: Facility, energy: dict[str, float]) -> float:
    """Return grid over IT energy [1] (ISO/IEC 30134-2, at the power supplies' inputs); at the very start grid over IT
    power."""
    if energy["it"] > 0.0:
        return energy["grid"] / energy["it"]
    return facility.grid.value / facility.it.value if facility.it.value > 0.0 else 1.0


def headrooms(facility: Facility) -> tuple[Headroom, ...]:
    """Return how close the run came to the limits of feed, plant and inlet air."""
    plan, plant = facility.plan, facility.plant
    limit_c, supply_c = plan.site.cooling.throttle, plant.supply_c
    inlet_share = (limit_c - facility.inlet_peak_c) / (limit_c - supply_c) if limit_c > supply_c else 0.0
    return (
        _headroom("power feed", facility.it.peak, plan.electrical_w, "a larger site.power.capacity"),
        _headroom(
            "cooling plant", facility.load_peak * plant.capacity_w, plant.capacity_w, "a larger site.cooling.capacity"
        ),
        Headroom("server inlet", facility.inlet_peak_c, limit_c, "degC", inlet_share, "a larger site.cooling.capacity"),
    )


def _headroom(what: str, used_w: float, capacity_w: float, lifted_by: str) -> Headroom:
    return Headroom(what, used_w, capacity_w, "W", 1.0 - used_w / capacity_w, lifted_by)
