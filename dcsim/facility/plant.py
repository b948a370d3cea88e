"""The plant as sized for a site, and what it draws at a heat load in a given weather."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from dcsim.catalogue.parts import Chiller
from dcsim.facility import cooling
from dcsim.facility.climate import Weather
from dcsim.facility.thermal import Drive, Loop
from dcsim.scenario.facility import Cooling

_WATER_J_PER_L_K = 4186.0
_GPM_L_PER_S = 0.0630902
_CHILLED_RANGE_K = 12.0 / 1.8
_CONDENSER_RANGE_K = 10.0 / 1.8

CHILLED_PUMP = 22.0 / (_GPM_L_PER_S * _WATER_J_PER_L_K * _CHILLED_RANGE_K)
"""Chilled-water pumps at full flow [W per W of heat]: 22 W/gpm at a rise of 12 degF, ASHRAE 90.1-2016 G3.1.3.8 and
G3.1.3.10."""

CONDENSER_PUMP = 19.0 / (_GPM_L_PER_S * _WATER_J_PER_L_K * _CONDENSER_RANGE_K)
"""Condenser-water pumps [W per W rejected]: 19 W/gpm at a range of 10 degF, ASHRAE 90.1-2016 G3.1.3.11."""

TOWER_FAN = 745.7 / (40.2 * _GPM_L_PER_S * _WATER_J_PER_L_K * _CONDENSER_RANGE_K)
"""Tower fans at full flow [W per W rejected]: 40.2 gpm/hp from 95 to 85 degF at 75 degF wet bulb, ASHRAE 90.1-2013
table 6.8.1-7."""

TOWER_APPROACH_K = 10.0 / 1.8
"""Tower leaving water less wet bulb at design [K]: the rating condition of ASHRAE 90.1 (85 against 75 degF)."""

AIR_FAN = 400.0 / 0.6 / (1.2 * 1006.0 * 12.0)
"""Room air handlers at full flow [W per W of heat], 4.6 %: an assumption of 400 Pa at 60 % total efficiency and 12 K
air rise, half of what California's Title 24-2013 allows for computer rooms (27 W per kBtu/h, 9.2 %)."""

EXCHANGER_APPROACH_K = 1.7
"""Approach of the economizer's plate exchanger [K]; an assumption, a common selection of 3 degF."""

LEAST_FLOW = 0.4
"""Lowest air and water flow over the design flow [1]; an assumption within the range of the fan curves' published
points."""

LEAST_OPENING = 0.02
"""Lowest conductance of the coils over the full one [1]; an assumption for sites that are almost empty."""

STATIC_HEAD = 0.3
"""Share of the chilled-water head that is held at any flow (differential pressure at the coils); an assumption."""

CHILLERS = 3
"""Equal machines in the plant; an assumption that decides the part load at which they run."""

CONTROL_BAND_K = 2.0
"""Change of the water temperature that takes the plant from nothing to its rated capacity [K]; an assumption."""

ROOM_S_PER_K = 30.0
"""Heat capacity of air and racks over the site's design load [s/K]: 2 K/min at that heat without cooling, the rise
reported when all chillers of Hosting365 in Dublin stopped (IT Pro Today, 9 February 2008)."""

COOLANT_S_PER_K = 8.0 * 3.785 / 3517.0 * _WATER_J_PER_L_K
"""Heat capacity of the water loop over the site's design load [s/K]: 8 gal/ton, the middle of the 6 to 10 that chiller
makers ask for in process cooling (Dunham-Bush ACDS product manual, table of minimum loop volumes)."""

ECONOMIZER_GAIN = 0.05
"""The economizer starts when it saves this share of the plant's power, and stops when it saves nothing (hysteresis)."""


@dataclass(frozen=True)
class Plant:
    """A chilled-water plant: chillers of ``capacity_w`` [W] at reference, for rooms built for ``design_w`` [W].

    The coils supply air of ``supply_c`` [degC] from water that is ``approach_k`` [K] colder.
    """

    chiller: Chiller
    capacity_w: float
    design_w: float
    supply_c: float
    approach_k: float
    economizer: bool

    @classmethod
    def sized(cls, settings: Cooling, chiller: Chiller, electrical_w: float, design_w: float) -> Plant:
        """Return the plant of ``settings``; its capacity is 1.2 x ``electrical_w`` [W] unless given."""
        capacity_w = settings.capacity if settings.capacity is not None else 1.2 * electrical_w
        economizer = settings.economizer != "none"
        return cls(chiller, capacity_w, design_w, settings.supply, settings.approach, economizer)

    @property
    def water_c(self) -> float:
        """The chilled water's set point [degC]."""
        return self.supply_c - self.approach_k

    @property
    def rejected_w(self) -> float:
        """The heat for which towers and condenser pumps are sized [W]."""
        return self.capacity_w * (1.0 + 1.0 / self.chiller.reference_cop)

    @property
    def rated_w(self) -> float:
        """The electric power for which the plant's supply is sized [W]: chillers at reference, full flow everywhere."""
        moved = (AIR_FAN + CHILLED_PUMP) * self.capacity_w + (TOWER_FAN + CONDENSER_PUMP) * self.rejected_w
        return moved + self.capacity_w / self.chiller.reference_cop

    def loop(self) -> Loop:
        """Return heat capacities and control: half capacity at the set point, the band centered on it.

        The heat capacities are those of the site as designed: a smaller plant does not make air and racks lighter.
        """
        gain = self.capacity_w / CONTROL_BAND_K
        return Loop(
            ROOM_S_PER_K * self.design_w, COOLANT_S_PER_K * self.design_w, gain, self.water_c - 0.5 * CONTROL_BAND_K
        )

    def flow(self, heat_w: float) -> float:
        """Return air and water flow over design [1] for ``heat_w`` [W] from the equipment in the room."""
        return cooling.clamp(heat_w / self.capacity_w, (LEAST_FLOW, 1.0))

    def air_fans(self, heat_w: float) -> float:
        """Return the power of the room air handlers [W]."""
        return AIR_FAN * self.capacity_w * cooling.plug_fan(self.flow(heat_w))

    def drive(self, heat_w: float) -> Drive:
        """Return what moves the temperatures while the equipment in the room releases ``heat_w`` [W].

        Fan power ends up in the air, pump power in the water. The coils' valves follow the load, so that in the
        steady state the air is ``approach_k`` warmer than the water; valves that are fully open or almost
        shut can follow no further.
        """
        room_w = heat_w + self.air_fans(heat_w)
        opening = cooling.clamp(room_w / self.capacity_w, (LEAST_OPENING, 1.0))
        pumps_w = CHILLED_PUMP * self.capacity_w * cooling.variable_pump(self.flow(heat_w), STATIC_HEAD)
        return Drive(opening * self.capacity_w / self.approach_k, room_w, pumps_w)

    def available(self, weather: Weather) -> float:
        """Return the heat the chillers can remove [W] in ``weather``."""
        condenser_c = max(self.chiller.condenser_range[0], weather.wet_bulb_c + TOWER_APPROACH_K)
        return self.capacity_w * cooling.chiller_capacity_ratio(self.chiller, self.water_c, condenser_c)


@dataclass(frozen=True, slots=True)
class PlantPower:
    """What the plant outside the room draws [W], and the share of the heat [1] that the economizer carries."""

    chiller_w: float
    condenser_pumps_w: float
    tower_w: float
    economizer_share: float = 0.0

    @property
    def total_w(self) -> float:
        """All of it [W]."""
        return self.chiller_w + self.condenser_pumps_w + self.tower_w


def plant_power(plant: Plant, weather: Weather, heat_w: float, flow: float, economizing: bool) -> PlantPower:
    """Return what the plant draws while it removes ``heat_w`` [W] at a water ``flow`` [1].

    The economizer is used if it saves more than :data:`ECONOMIZER_GAIN`, and kept (``economizing``) while it saves at
    all.
    """
    plain = mechanical_cooling(plant, weather, heat_w)
    if not plant.economizer:
        return plain
    free = economizer_cooling(plant, weather, heat_w, flow)
    needed = 0.0 if economizing else ECONOMIZER_GAIN
    return free if plain.total_w - free.total_w > needed * plain.total_w else plain


def mechanical_cooling(plant: Plant, weather: Weather, heat_w: float) -> PlantPower:
    """Return the draw with chillers alone; the towers hold wet bulb + approach, never below the chiller's lowest
    condenser water."""
    condenser_c = max(plant.chiller.condenser_range[0], weather.wet_bulb_c + TOWER_APPROACH_K)
    chiller_w = _chillers(plant, heat_w, condenser_c)
    load = (heat_w + chiller_w) / plant.rejected_w
    flow = cooling.tower_flow(load, condenser_c - weather.wet_bulb_c, TOWER_APPROACH_K)
    return PlantPower(chiller_w, _condenser_pumps(plant, heat_w), _tower_fans(plant, flow))


def economizer_cooling(plant: Plant, weather: Weather, heat_w: float, flow: float) -> PlantPower:
    """Return the draw with tower water cooling the return first; chillers do what is left."""
    load = heat_w / plant.rejected_w
    cold_c = cooling.tower_reach(weather.wet_bulb_c, load, TOWER_APPROACH_K)
    return_c = plant.water_c + _CHILLED_RANGE_K * heat_w / (plant.capacity_w * flow)
    share = cooling.economizer_share(return_c, plant.water_c, cold_c, EXCHANGER_APPROACH_K)
    if share <= 0.0:
        return mechanical_cooling(plant, weather, heat_w)
    pumps_w = _condenser_pumps(plant, heat_w)
    if share >= 1.0:
        approach_k = plant.water_c - EXCHANGER_APPROACH_K - weather.wet_bulb_c
        air = cooling.tower_flow(load, approach_k, TOWER_APPROACH_K)
        return PlantPower(0.0, pumps_w, _tower_fans(plant, air), 1.0)
    condenser_c = max(plant.chiller.condenser_range[0], cold_c)
    return PlantPower(_chillers(plant, (1.0 - share) * heat_w, condenser_c), pumps_w, _tower_fans(plant, 1.0), share)


def _chillers(plant: Plant, heat_w: float, condenser_c: float) -> float:
    if heat_w <= 0.0:
        return 0.0
    ratio = cooling.chiller_capacity_ratio(plant.chiller, plant.water_c, condenser_c)
    machine_w = plant.capacity_w * ratio / CHILLERS
    running_w = machine_w * cooling.machines_running(heat_w, machine_w, CHILLERS)
    return running_w * cooling.chiller_power_ratio(plant.chiller, heat_w / running_w, plant.water_c, condenser_c)


def _condenser_pumps(plant: Plant, heat_w: float) -> float:
    """One constant-speed pump a machine, as many as the heat needs."""
    running = min(CHILLERS, ceil(CHILLERS * heat_w / plant.capacity_w))
    return CONDENSER_PUMP * plant.rejected_w * running / CHILLERS


def _tower_fans(plant: Plant, flow: float) -> float:
    return TOWER_FAN * plant.rejected_w * cooling.tower_fan(flow)
