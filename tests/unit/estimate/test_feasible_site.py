"""A feed or plant that cannot carry idle servers is refused with its line and what would do."""

from __future__ import annotations

from pathlib import Path

import pytest

import dcsim
from dcsim.catalogue import resolve
from dcsim.compute.server import ServerSpec, component_powers
from dcsim.estimate import feasibility

TEXT = """\
dcsim: 1
name: small
site:
  power: {capacity: POWER}
  cooling:
    capacity: COOLING
cluster:
  servers:
    - {name: train, type: dgx-h100, count: 2}
    - {name: more, type: dgx-a100, count: 1}
jobs:
  - name: one
    model: gpt2-small
    batch: {global: 48, micro: 3}
    parallel: {data: 16}
    steps: 5
"""


def idle_w(file: Path) -> float:
    inventory = resolve(dcsim.load(file))
    return sum(
        parts.pool.count * sum(component_powers(ServerSpec("s", parts.server, parts.accelerator), "idle").values())
        for parts in inventory.pools
    )


def problems(file: Path, power: str, cooling: str) -> list[str]:
    file.write_text(TEXT.replace("POWER", power).replace("COOLING", cooling), "utf-8")
    loaded = dcsim.load(file)
    return [str(problem) for problem in feasibility.structure(loaded.scenario, resolve(loaded), loaded.problem)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "scenario.yaml"
    file.write_text(TEXT.replace("POWER", "1 MW").replace("COOLING", "1 MW"), "utf-8")
    return file


def test_both_are_refused_at_once_with_a_remedy(file: Path) -> None:
    first, second = problems(file, "1 W", "0.5 kW")
    assert "scenario.yaml:4: site.power.capacity: found 1 W, expected at least" in first
    assert "leave it out for 1.25 x the equipment's ratings" in first
    assert "scenario.yaml:6: site.cooling.capacity: found 500 W, expected at least" in second
    assert "leave it out for 1.2 x the electrical capacity" in second


def test_the_limit_is_the_idle_power_of_all_servers(file: Path) -> None:
    limit = idle_w(file)
    below, above = f"{0.999999 * limit} W", f"{1.000001 * limit} W"
    assert problems(file, above, above) == []
    (line,) = problems(file, above, below)
    assert "site.cooling.capacity" in line


def test_the_value_asked_for_will_do(file: Path) -> None:
    (line,) = problems(file, "1 W", "1 MW")
    asked = line.split("at least ")[1].split(",")[0]
    assert problems(file, asked, "1 MW") == []


def test_storage_nodes_draw_power_while_idle_too(file: Path) -> None:
    limit = idle_w(file)
    storage = "cluster:\n  storage: {nodes: 3, disks: {type: nvme-gen4, count: 12}}\n"
    file.write_text(file.read_text("utf-8").replace("cluster:\n", storage), "utf-8")
    loaded = dcsim.load(file, [f"site.cooling.capacity={1.001 * limit} W"])
    parts = resolve(loaded).storage
    assert parts is not None
    (problem,) = feasibility.structure(loaded.scenario, resolve(loaded), loaded.problem)
    assert "what servers and storage nodes draw while idle" in str(problem)
    whole = limit + 3 * (parts.server.idle + 12 * parts.disk.idle)
    enough = dcsim.load(file, [f"site.cooling.capacity={1.001 * whole} W"])
    assert list(feasibility.structure(enough.scenario, resolve(enough), enough.problem)) == []
