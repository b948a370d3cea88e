"""What the reader of a run must be told about its facility, each thing once."""

from __future__ import annotations

from dcsim import units
from dcsim.facility import throttle
from dcsim.facility.climate import Weather
from dcsim.facility.plan import FacilityPlan
from dcsim.facility.plant import TOWER_APPROACH_K, Plant


class Notes:
    """Warnings by topic; the first of a topic stays."""

    def __init__(self, plan: FacilityPlan, plant: Plant) -> None:
        self._plan, self._plant = plan, plant
        self._texts: dict[str, str] = {}
        low, high = plant.chiller.chilled_water_range
        if not low <= plant.water_c <= high:
            self._say(
                "chilled water",
                f"chilled water of {_c(plant.water_c)} is outside the {_c(low)} to {_c(high)} of the chiller's "
                f"published curves, which are taken at {_c(min(max(plant.water_c, low), high))}",
            )

    @property
    def texts(self) -> tuple[str, ...]:
        """All warnings in the order in which they came up."""
        return tuple(self._texts.values())

    def look(self, now_s: float, full: bool, stage: int, it_w: float, weather: Weather) -> None:
        """Take note of the state after a change: the plant at its capacity, the throttle's ``stage``, the equipment's
        power."""
        when, throttle_c = units.show(now_s, "s"), self._plan.site.cooling.throttle
        if full:
            set_point = _c(self._plant.supply_c)
            self._say("capacity", f"the cooling plant reached its capacity at {when} and lost the {set_point} supply")
        if stage > 0:
            self._say("throttle", f"the server inlet passed {_c(throttle_c)} at {when}: clocks were lowered")
        if throttle.shut_down(stage):
            limit = _c(throttle_c + throttle.SPAN_K)
            self._say("shutdown", f"the server inlet passed {limit} at {when}, where servers would shut down")
        if it_w > self._plan.electrical_w:
            limit = units.show(self._plan.electrical_w, "W")
            self._say("power", f"the equipment first drew more than the electrical capacity of {limit} at {when}")
        hottest_c = self._plant.chiller.condenser_range[1]
        if weather.wet_bulb_c + TOWER_APPROACH_K > hottest_c:
            self._say(
                "condenser",
                f"at a wet bulb of {_c(weather.wet_bulb_c)} the condenser water is warmer than the {_c(hottest_c)} of "
                "the chiller's published curves, which are taken there",
            )

    def _say(self, topic: str, text: str) -> None:
        self._texts.setdefault(topic, text)


def overheated(now_s: float, inlet_c: float, capacity_w: float, heat_w: float) -> str:
    """Say that the inlet got to ``inlet_c`` [degC], where servers shut down, and how much of the heat [W] the plant
    carries."""
    when = f"after {units.show(now_s, 's')}" if now_s > 0.0 else "at the start"
    carried, released = units.show(min(capacity_w, heat_w), "W"), units.show(heat_w, "W")
    reached = f"the inlet reached {inlet_c:.1f} degC, where servers shut down, {when}"
    return f"{reached}; the plant carries {carried} of {released}"


def _c(value: float) -> str:
    return units.show(value, "degC")
