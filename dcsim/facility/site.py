"""The facility in simulated time: it sequences the models of this package whenever power or weather changes."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nextafter

from dcsim.engine import Alarm, Check, Clock, Level, Recorder, Trajectory
from dcsim.facility import account, throttle
from dcsim.facility.chain import Chain
from dcsim.facility.climate import Outdoors
from dcsim.facility.notes import Notes, overheated
from dcsim.facility.plan import FacilityPlan
from dcsim.facility.plant import Plant, PlantPower, plant_power
from dcsim.facility.summary import FacilitySummary
from dcsim.facility.temperatures import Temperatures
from dcsim.facility.thermal import Drive, State, move, quickest_s, steady

QUANTUM = 0.02
"""The plant's power is computed anew when the removed heat has moved by this share of its capacity [1]."""

SHORTEST_WAIT = 1e-4
"""The facility looks again no sooner than after this share of the quickest time constant [1], some milliseconds: far
beyond its limits a plant would otherwise ask for steps shorter than the clock resolves."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """When the facility began [s], and what the levels it reads had summed up until then [J]."""

    since_s: float
    servers_j: float
    other_j: float


class Facility:
    """Power chain, cooling plant and rooms of one site.

    Levels [W]: ``psu_loss``, ``pdu_loss``, ``ups_loss``, ``transformer_loss``, ``it`` (inputs of the power supplies,
    switches and storage), ``chiller``, ``pumps``, ``tower``, ``crah_fans``, ``grid``. Trajectories: ``inlet`` and
    ``coolant`` [degC], ``removed`` (heat that the plant takes from the coolant [W]). It starts in the steady state of
    the powers found at its creation. The event ``overheated`` triggers once, when the inlet first reaches the
    temperature at which servers shut down; its value says so in words. What the facility computes after that is no
    longer of this world, so a run should end there.
    """

    def __init__(self, clock: Clock, recorder: Recorder, plan: FacilityPlan) -> None:
        self._clock, self.plan = clock, plan
        self.plant = Plant.sized(plan.site.cooling, plan.chiller, plan.electrical_w, plan.design_w)
        curves = (plan.pdu, plan.ups, plan.transformer)
        self.chain = Chain.sized(curves, plan.site.power.redundancy, self.plant.rated_w, plan.electrical_w)
        self.loop = self.plant.loop()
        self._outdoors = Outdoors(plan.climate, plan.start, plan.folder)
        self.notes = Notes(plan, self.plant)
        self._temperatures = Temperatures(recorder)
        self._make_levels(recorder)
        self.overheated = clock.event()
        self._alarm: Alarm | None = None
        self._stage, self._economizing = 0, False
        self._seen = self._powers()
        self.inlet_peak_c = -inf
        self.load_peak = 0.0
        self.ledger = Ledger(clock.now, float(plan.server_power.integrals.sum()), plan.other_power.integral)
        self._begin()
        plan.server_power.watch(self._power_changed)
        plan.other_power.watch(self._power_changed)

    def _make_levels(self, recorder: Recorder) -> None:
        def level(name: str, followed: bool = True) -> Level:
            made = Level(self._clock, name, "W")
            if followed:
                recorder.follow(made, "power")
            return made

        self.psu_loss, self.pdu_loss, self.ups_loss = level("psu"), level("pdu"), level("ups")
        self.transformer_loss, self.chiller, self.pumps = level("transformer"), level("chiller"), level("pumps")
        self.tower, self.crah_fans = level("tower"), level("crah")
        self.it, self.grid = level("it", followed=False), level("grid", followed=False)
        self.room_heat = level("room heat", followed=False)
        self.coolant_heat = level("coolant heat", followed=False)
        self.plant_heat, self.economized = level("plant heat", followed=False), level("economizer", followed=False)

    def _begin(self) -> None:
        """Start in the steady state of the present powers and weather."""
        self._weather = self._outdoors.weather(self._clock.now)
        drive = self._drive()
        capacity_w = self.plant.available(self._weather)
        self.first_state = steady(self.loop, drive, capacity_w)
        self._motion = move(self.loop, drive, self.first_state, capacity_w)
        self._since = self._clock.now
        self.inlet = Trajectory(self._clock, "inlet", "degC", self._motion.room)
        self.coolant = Trajectory(self._clock, "coolant", "degC", self._motion.coolant)
        self.removed = Trajectory(self._clock, "removed heat", "W", self._motion.removed)
        self._go_on(drive, capacity_w)
        self._await_weather()

    # What makes the facility look again.

    def _power_changed(self, _: object) -> None:
        self._clock.settle(self._look_again)

    def _look_again(self) -> None:
        """Recompute unless the powers are those seen last."""
        powers = self._powers()
        if powers != self._seen:
            self._seen = powers
            self._update()

    def _await_weather(self) -> None:
        time_s = self._outdoors.next_change(self._clock.now)
        if time_s is not None:
            self._clock.call_at(time_s, self._weather_changed)

    def _weather_changed(self) -> None:
        self._weather = self._outdoors.weather(self._clock.now)
        self._update()
        self._await_weather()

    # What it then computes.

    def _update(self) -> None:
        self._keep_passed()
        drive = self._drive()
        capacity_w = self.plant.available(self._weather)
        self._motion = move(self.loop, drive, State(self.inlet.value, self.coolant.value), capacity_w)
        self._since = self._clock.now
        self.inlet.follow(self._motion.room)
        self.coolant.follow(self._motion.coolant)
        self.removed.follow(self._motion.removed)
        self._go_on(drive, capacity_w)

    def _keep_passed(self) -> None:
        """Note peak and shape of the motion that ends now."""
        elapsed_s = self._clock.now - self._since
        if elapsed_s > 0.0:
            self.inlet_peak_c = max(self.inlet_peak_c, self._motion.room.maximum(elapsed_s))
            self._temperatures.fill(self._since, self._clock.now, self._motion)

    def _powers(self) -> tuple[float, float, float]:
        servers_w = self.plan.server_power.values
        return float(servers_w.sum()), self.plan.supplies.loss(servers_w), self.plan.other_power.value

    def _drive(self) -> Drive:
        """Follow the power chain down to the heat in the room."""
        servers_w, psu_w, other_w = self._seen
        it_w = servers_w + psu_w + other_w
        losses = self.chain.losses(it_w)
        heat_w = it_w + losses.pdu_w + losses.ups_w
        drive = self.plant.drive(heat_w)
        self.psu_loss.set(psu_w)
        self.it.set(it_w)
        self.pdu_loss.set(losses.pdu_w)
        self.ups_loss.set(losses.ups_w)
        self.crah_fans.set(self.plant.air_fans(heat_w))
        self.room_heat.set(drive.room_w)
        self.coolant_heat.set(drive.coolant_w)
        return drive

    def _go_on(self, drive: Drive, capacity_w: float) -> None:
        """Set what follows from the motion: plant power, clock cap, and when to look again."""
        inlet_c = self._motion.room.value(0.0)
        self._temperatures.keep(self._clock.now, State(inlet_c, self._motion.coolant.value(0.0)), self._weather)
        self.inlet_peak_c = max(self.inlet_peak_c, inlet_c)
        self.load_peak = max(self.load_peak, (drive.room_w + drive.coolant_w) / capacity_w)
        self._set_plant()
        self._stage = throttle.follow(self._stage, inlet_c, self.plan.site.cooling.throttle)
        self.notes.look(self._clock.now, self._motion.regime == "full", self._stage, self.it.value, self._weather)
        self._tell_overheated(inlet_c, drive, capacity_w)
        self._set_alarm(drive, capacity_w)
        self.plan.cap.set(throttle.cap(self._stage))

    def _tell_overheated(self, inlet_c: float, drive: Drive, capacity_w: float) -> None:
        if throttle.shut_down(self._stage) and not self.overheated.triggered:
            heat_w = drive.room_w + drive.coolant_w
            self.overheated.succeed(overheated(self._clock.now, inlet_c, capacity_w, heat_w))

    def _set_plant(self) -> None:
        heat_w = self._mean_heat()
        flow = self.plant.flow(self.room_heat.value - self.crah_fans.value)
        power = plant_power(self.plant, self._weather, heat_w, flow, self._economizing)
        self._economizing = power.economizer_share > 0.0
        self.plant_heat.set(heat_w)
        self.economized.set(power.economizer_share * heat_w)
        self._set_supply(power)

    def _set_supply(self, power: PlantPower) -> None:
        """Follow the power chain up to the grid."""
        self.chiller.set(power.chiller_w)
        self.pumps.set(power.condenser_pumps_w + self.coolant_heat.value)
        self.tower.set(power.tower_w)
        equipment_w = self.it.value + self.pdu_loss.value + self.ups_loss.value
        behind_w = equipment_w + self.crah_fans.value + self.coolant_heat.value + power.total_w
        self.transformer_loss.set(self.chain.transformer_loss(behind_w))
        self.grid.set(behind_w + self.transformer_loss.value)

    def _mean_heat(self) -> float:
        """Return the heat [W] at which the plant is computed: the final one if that is within half a quantum, else
        half a quantum on.

        So a transient is followed within half a quantum, and a steady state exactly.
        """
        removed = self._motion.removed
        half_w = 0.5 * QUANTUM * self.plant.capacity_w
        now_w, end_w = removed.value(0.0), removed.value(inf)
        return max(0.0, min(max(end_w, now_w - half_w), now_w + half_w))

    def _set_alarm(self, drive: Drive, capacity_w: float) -> None:
        """Look again when the motion first meets a bound of the plant, of the quantum or of the throttle."""
        if self._alarm is not None:
            self._alarm.cancel()
        zero_c, gain = self.loop.zero_c, self.loop.gain_w_per_k
        step_w, throttle_c = QUANTUM * self.plant.capacity_w, self.plan.site.cooling.throttle
        now_w = self._motion.removed.value(0.0)
        times = [
            self.coolant.crossing(zero_c, inf),
            self.coolant.crossing(zero_c + capacity_w / gain, inf),
            self.removed.crossing(now_w - step_w, inf),
            self.removed.crossing(now_w + step_w, inf),
            *(
                self.inlet.crossing(bound, inf)
                for bound in (throttle.rise(self._stage, throttle_c), throttle.fall(self._stage, throttle_c))
                if bound is not None
            ),
        ]
        due = min((time for time in times if time is not None), default=None)
        if due is None:
            self._alarm = None
        else:  # late in a long run even the shortest wait may be less than the clock resolves
            soonest = max(
                self._clock.now + SHORTEST_WAIT * quickest_s(self.loop, drive), nextafter(self._clock.now, inf)
            )
            self._alarm = self._clock.call_at(max(due, soonest), self._update)

    # What is asked of it.

    @property
    def elapsed_s(self) -> float:
        """Time since the facility began [s]."""
        return self._clock.now - self.ledger.since_s

    def summary(self) -> FacilitySummary:
        """Return energies, water, carbon, cost, PUE, temperatures and warnings until now."""
        self._keep_passed()
        self._temperatures.keep(self._clock.now, self.state(), self._weather)
        return account.summarize(self)

    def checks(self) -> list[Check]:
        """Return the balances of electricity and heat until now."""
        return account.checks(self)

    def state(self) -> State:
        """Return the temperatures now."""
        return State(self.inlet.value, self.coolant.value)
