"""The numbers of the shipped parts are physically sane and reproduce the published points that they derive from."""

from __future__ import annotations

import math

import pytest

from dcsim.catalogue import names, parts
from dcsim.catalogue.shelf import Shelf

SHELF = Shelf()


@pytest.mark.parametrize("name", names("accelerators"))
def test_accelerator_power(name: str) -> None:
    chip = SHELF.take(parts.Accelerator, name)
    assert 0 < chip.idle < chip.active < 0.7 * chip.tdp
    compute = chip.active + max(chip.peak.get("bf16", 0.0), chip.peak.get("fp16", 0.0)) * chip.energy_per_flop
    memory = chip.active + chip.memory_bandwidth * chip.energy_per_byte
    assert chip.tdp / 1.4 < compute < chip.tdp * 1.4
    assert memory < chip.tdp * 1.4


@pytest.mark.parametrize("name", names("accelerators"))
def test_energy_of_a_flop_follows_its_stated_rule(name: str) -> None:
    chip = SHELF.take(parts.Accelerator, name)
    peak = chip.peak.get("bf16") or chip.peak["fp16"]
    power = chip.active + 0.75 * peak * chip.energy_per_flop + 0.25 * chip.memory_bandwidth * chip.energy_per_byte
    # Three digits are written.
    assert power == pytest.approx(chip.tdp, rel=5e-3)


@pytest.mark.parametrize("name", names("accelerators"))
def test_narrow_formats_are_no_slower(name: str) -> None:
    peak = SHELF.take(parts.Accelerator, name).peak
    assert peak["fp32"] <= peak.get("tf32", math.inf) <= math.inf
    widest_first = [peak[dtype] for dtype in ("fp64", "fp32", "fp16", "fp8") if dtype in peak]
    assert widest_first == sorted(widest_first)


@pytest.mark.parametrize("name", names("servers"))
def test_server_parts_fit_together(name: str) -> None:
    server = SHELF.take(parts.Server, name)
    chip = SHELF.take(parts.Accelerator, server.accelerator)
    efficiency = _efficiency(SHELF.take(parts.Psu, server.psu), 0.5)
    devices = server.accelerators * chip.tdp
    rest = (
        server.cpu_active + server.memory_power + server.nics * server.nic_power + server.fan_power + server.other_power
    )
    assert 0.75 < (devices + rest) / efficiency / server.rated_power < 1.05
    assert server.cpu_idle <= server.cpu_active
    assert server.link is not None
    assert SHELF.take(parts.Link, server.link).rate == chip.link_bandwidth
    assert server.price > server.accelerators * (chip.price or 0.0) * 0.9


def test_a_busy_dgx_h100_draws_what_was_measured() -> None:
    # 8.4 kW at most, Latif et al., IEEE Access 13 (2025); fans at the full speed that is stated here: an upper limit.
    server, chip = SHELF.take(parts.Server, "dgx-h100"), SHELF.take(parts.Accelerator, "h100-sxm")
    dc = (
        8 * chip.tdp
        + server.cpu_active
        + server.memory_power
        + 8 * server.nic_power
        + server.other_power
        + server.fan_power
    )
    assert dc / _efficiency(SHELF.take(parts.Psu, "titanium"), 0.4) == pytest.approx(8400, rel=0.05)


@pytest.mark.parametrize("name", names("switches"))
def test_switch_ports_match_their_link(name: str) -> None:
    switch = SHELF.take(parts.Switch, name)
    assert SHELF.take(parts.Link, switch.link).rate == switch.port_rate
    assert 1e-7 <= switch.latency <= 1e-6


@pytest.mark.parametrize("name", names("links"))
def test_link(name: str) -> None:
    link = SHELF.take(parts.Link, name)
    assert 0.5 < link.efficiency < 1
    assert 5e-7 < link.latency < 1e-5


def test_a_ring_over_nvlink4_is_as_far_from_the_measurement_as_stated() -> None:
    # 8 ranks: 14 hops; 2 x 7/8 of the message over 450 GB/s x 0.82. Measured: 25.4 us for 1 MiB, 121.9 us for 16 MiB.
    link = SHELF.take(parts.Link, "nvlink4")
    times = [14 * link.latency + 1.75 * size * 2**20 / (link.rate * link.efficiency) for size in (1, 16)]
    assert times[0] / 25.4e-6 == pytest.approx(1.24, abs=0.01)
    assert times[1] / 121.9e-6 == pytest.approx(0.87, abs=0.01)


@pytest.mark.parametrize("name", names("disks"))
def test_disk(name: str) -> None:
    disk = SHELF.take(parts.Disk, name)
    assert disk.idle < disk.active < 30
    assert disk.write <= disk.read


def _loss(curve: parts.LossCurve, load: float) -> float:
    return curve.no_load + curve.linear * load + curve.quadratic * load**2


def _efficiency(curve: parts.LossCurve, load: float) -> float:
    return load / (load + _loss(curve, load))


CURVES: list[tuple[type[parts.LossCurve], str, dict[float, float]]] = [
    (parts.Psu, "titanium", {0.1: 0.90, 0.2: 0.94, 0.5: 0.96}),
    (parts.Psu, "platinum", {0.2: 0.90, 0.5: 0.94}),
    (parts.Ups, "double-conversion", {0.25: 0.955, 0.5: 0.968, 0.75: 0.969, 1.0: 0.966}),
    (parts.Ups, "eco-mode", {0.25: 0.98, 0.5: 0.988, 0.75: 0.99, 1.0: 0.99}),
    (parts.Pdu, "pdu-transformer", {0.35: 0.9902}),
    (parts.Transformer, "mv-dry-type", {0.5: 0.9941}),
    (parts.Transformer, "mv-oil", {0.5: 0.9953}),
]


@pytest.mark.parametrize(("record", "name", "points"), CURVES)
def test_loss_curve_reproduces_the_published_points(
    record: type[parts.LossCurve], name: str, points: dict[float, float]
) -> None:
    curve = SHELF.take(record, name)
    # The fits of two coefficients through four points (UPS) leave 0.1 percentage points, the others rounding alone.
    tolerance = 1e-3 if record is parts.Ups else 1e-4
    for load, efficiency in points.items():
        assert _efficiency(curve, load) == pytest.approx(efficiency, abs=tolerance)


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (record, name)
        for record, kind in (
            (parts.Psu, "psus"),
            (parts.Pdu, "pdus"),
            (parts.Ups, "ups"),
            (parts.Transformer, "transformers"),
        )
        for name in names(kind)
    ],
)
def test_loss_grows_with_load_and_efficiency_stays_below_one(record: type[parts.LossCurve], name: str) -> None:
    curve = SHELF.take(record, name)
    losses = [_loss(curve, load / 20) for load in range(21)]
    assert losses == sorted(losses)
    assert all(0.5 < _efficiency(curve, load / 20) < 1 for load in range(1, 21))


@pytest.mark.parametrize(("name", "floor"), [("titanium", 0.91), ("platinum", 0.91)])
def test_power_supplies_keep_the_floor_at_full_load(name: str, floor: float) -> None:
    assert _efficiency(SHELF.take(parts.Psu, name), 1.0) >= floor


def _biquadratic(c: tuple[float, ...], x: float, y: float) -> float:
    return c[0] + c[1] * x + c[2] * x**2 + c[3] * y + c[4] * y**2 + c[5] * x * y


def _cop(chiller: parts.Chiller, chilled: float, condenser: float, load: float) -> float:
    part = sum(c * load**power for power, c in enumerate(chiller.energy_by_part_load))
    return chiller.reference_cop * load / (_biquadratic(chiller.energy_by_temperature, chilled, condenser) * part)


def test_chiller_curves_are_one_at_the_reference() -> None:
    chiller = SHELF.take(parts.Chiller, "centrifugal-doe2")
    # 44 and 85 degF; the published set is 0.3 % off in capacity.
    assert _biquadratic(chiller.capacity_by_temperature, 6.67, 29.4) == pytest.approx(1, abs=5e-3)
    assert _biquadratic(chiller.energy_by_temperature, 6.67, 29.4) == pytest.approx(1, abs=5e-3)
    assert sum(chiller.energy_by_part_load) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("chilled", "condenser", "load", "cop"),
    [
        (6.67, 29.4, 0.75, 5.744),
        (6.67, 29.4, 0.25, 4.168),
        (6.67, 24.0, 0.75, 6.451),
        (6.67, 24.0, 0.25, 4.681),
        (6.67, 35.0, 0.75, 5.023),
        (6.67, 35.0, 0.25, 3.644),
        (10.0, 29.4, 0.75, 6.131),
        (10.0, 24.0, 0.25, 4.907),
    ],
)
def test_chiller_cop_equals_the_curve_set_computed_elsewhere(
    chilled: float, condenser: float, load: float, cop: float
) -> None:
    assert _cop(SHELF.take(parts.Chiller, "centrifugal-doe2"), chilled, condenser, load) == pytest.approx(cop, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "mean_c"), [("stockholm", 8.0), ("phoenix", 24.3), ("singapore", 27.8), ("dublin", 9.8)]
)
def test_climate(name: str, mean_c: float) -> None:
    climate = SHELF.take(parts.Climate, name)
    assert sum(climate.dry_bulb_c) / 12 == pytest.approx(mean_c, abs=0.2)  # the annual mean of the same normals
    assert all(2 < spread < 18 for spread in climate.daily_range_k)
    assert all(0.1 < humidity < 0.95 for humidity in climate.relative_humidity)
    assert max(climate.dry_bulb_c) in climate.dry_bulb_c[5:8] or name == "singapore"


@pytest.mark.parametrize("name", names("grids"))
def test_grid(name: str) -> None:
    grid = SHELF.take(parts.Grid, name)
    per_kwh = 3.6e6
    assert 0.01 < grid.carbon * per_kwh < 1.0
    assert 0.02 < grid.price * per_kwh < 0.4
    assert 0 <= grid.water * per_kwh < 5


@pytest.mark.parametrize(
    ("name", "parameters"),
    # Embedding (50257 + 1024) h, 12 h^2 + 13 h a layer, and the last norm 2 h: 124.4, 354.8, 774.0, 1557.6 million.
    [("gpt2-small", 124.4e6), ("gpt2-medium", 354.8e6), ("gpt2-large", 774.0e6), ("gpt2-xl", 1557.6e6)],
)
def test_gpt2_sizes(name: str, parameters: float) -> None:
    model = SHELF.model(name)
    assert model.family == "transformer"
    h = model.hidden
    count = (model.vocabulary + model.context) * h + model.layers * (12 * h * h + 13 * h) + 2 * h
    assert count == pytest.approx(parameters, rel=1e-3)
