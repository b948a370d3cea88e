"""Power of servers by component, and the fleet's levels and energy."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim.catalogue.parts import Accelerator, Server
from dcsim.compute.fleet import Fleet
from dcsim.compute.server import COMPONENTS, ServerSpec, component_powers, fan_power, full_heat
from dcsim.engine import Clock, Recorder

ACCELERATOR = Accelerator.model_construct(title="a GPU", idle=100.0, active=208.0, tdp=700.0)
SERVER = Server.model_construct(
    title="a server",
    accelerators=8,
    nics=8,
    nic_power=25.0,
    cpu_idle=200.0,
    cpu_active=400.0,
    memory_power=150.0,
    fan_power=1000.0,
    other_power=250.0,
)
SMALL = SERVER.model_copy(update={"accelerators": 1, "nics": 1, "fan_power": 100.0})
SPEC = ServerSpec("train/0", SERVER, ACCELERATOR)


def test_components_of_a_running_server() -> None:
    # Heat at 600 W each: 4800 + 400 + 150 + 200 + 250 = 5800 of 6600 W, so the fans take 1000 (5800/6600)^3 W.
    found = component_powers(SPEC, "running", 600.0)
    assert full_heat(SPEC) == 6600.0
    assert found == {
        "accelerators": 4800.0,
        "cpus": 400.0,
        "memory": 150.0,
        "nics": 200.0,
        "fans": pytest.approx(1000 * (5800 / 6600) ** 3, rel=1e-12),
        "other": 250.0,
    }


def test_an_idle_server_keeps_its_fans_at_the_lowest_speed() -> None:
    # 800 + 200 + 150 + 200 + 250 = 1600 of 6600 W: 24 %, below the lowest speed of 30 %.
    found = component_powers(SPEC, "idle")
    assert found["fans"] == pytest.approx(1000 * 0.3**3, rel=1e-12)
    assert sum(found.values()) == pytest.approx(1627.0, rel=1e-12)


def test_a_server_that_is_off_draws_nothing() -> None:
    assert component_powers(SPEC, "off") == dict.fromkeys(COMPONENTS, 0.0)


def test_a_waiting_server_is_awake_without_arithmetic() -> None:
    found = component_powers(SPEC, "waiting")
    assert found["accelerators"] == pytest.approx(8 * 208.0, rel=1e-12)
    assert found["cpus"] == 400.0


def test_running_needs_a_power() -> None:
    with pytest.raises(ValueError, match="needs the power"):
        component_powers(SPEC, "running")


def test_fans_do_not_turn_faster_than_fully() -> None:
    assert float(fan_power(1000.0, 1.2)) == 1000.0


def _fleet(count: int = 3) -> tuple[Clock, Fleet]:
    clock = Clock()
    specs = [ServerSpec(f"train/{i}", SERVER if i else SMALL, ACCELERATOR) for i in range(count)]
    return clock, Fleet(clock, Recorder(clock, ("power",)), specs)


@pytest.mark.parametrize(("state", "power"), [("off", None), ("idle", None), ("waiting", None), ("running", 512.5)])
def test_the_fleet_agrees_with_the_single_server(state: str, power: float | None) -> None:
    _, fleet = _fleet()
    fleet.set_state([0, 2], state, power)  # type: ignore[arg-type]
    for index, server in ((0, SMALL), (2, SERVER)):
        alone = component_powers(ServerSpec("x", server, ACCELERATOR), state, power)  # type: ignore[arg-type]
        assert fleet.power.values[index] == pytest.approx(sum(alone.values()), rel=1e-12)
    assert fleet.power.values[1] == pytest.approx(1627.0, rel=1e-12)
    assert fleet.states == [state, "idle", state]


def test_energy_by_component_is_the_energy_of_the_servers() -> None:
    clock, fleet = _fleet()
    clock.call_at(10.0, lambda: fleet.set_state([1, 2], "running", np.array([600.0, 300.0])))
    clock.call_at(30.0, lambda: fleet.set_state(np.array([1]), "off"))
    clock.run(until=100.0)
    (check,) = fleet.checks()
    assert check.passed
    idle = sum(component_powers(SPEC, "idle").values())
    busy = [sum(component_powers(SPEC, "running", each).values()) for each in (600.0, 300.0)]
    small = sum(component_powers(ServerSpec("x", SMALL, ACCELERATOR), "idle").values())
    by_hand = 100 * small + (10 * idle + 20 * busy[0]) + (10 * idle + 90 * busy[1])
    assert check.left == pytest.approx(by_hand, rel=1e-12)
    # Server 1 idles 10 s and runs 20 s; server 2 idles 10 s and runs 90 s; server 0 with its one GPU idles 100 s.
    assert fleet.energy()["accelerators"] == pytest.approx(
        10 * 800 + 20 * 4800 + 10 * 800 + 90 * 2400 + 100 * 100, rel=1e-12
    )


def test_a_state_that_changes_nothing_tells_nobody() -> None:
    _, fleet = _fleet()
    told = []
    fleet.power.watch(lambda _: told.append(1))
    fleet.set_state([1], "idle")
    fleet.set_state([1], "running", 600.0)
    fleet.set_state([1], "running", 600.0)
    assert len(told) == 1


def test_totals_do_not_depend_on_how_the_state_came_about() -> None:
    _, direct = _fleet()
    _, winding = _fleet()
    for power in (101.1, 333.3, 617.7):
        winding.set_state([0, 1, 2], "running", power)
        winding.set_state([2], "off")
    winding.set_state([0, 1, 2], "idle")
    assert [level.value for level in winding.components] == [level.value for level in direct.components]


def test_the_recorder_follows_the_components() -> None:
    clock = Clock()
    recorder = Recorder(clock, ("power",))
    fleet = Fleet(clock, recorder, [SPEC])
    clock.call_at(5.0, lambda: fleet.set_state([0], "running", 700.0))
    clock.run(6.0)
    frame = recorder.frames()["series"]
    gpus = frame[frame["name"] == "accelerators"]
    assert list(gpus["time_s"]) == [0.0, 5.0]
    assert list(gpus["value"]) == [800.0, 5600.0]
    assert set(frame["name"]) == set(COMPONENTS)
