"""The names phase: every unknown name at once, the user's own parts, and the inventory of a good scenario."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim import catalogue
from dcsim.catalogue import PartError, resolve
from dcsim.catalogue.shelf import _shipped_fields
from dcsim.errors import ScenarioError
from dcsim.scenario.facility import ConstantClimate
from dcsim.scenario.load import Loaded, load

GOOD = """\
dcsim: 1
name: small
cluster:
  servers:
    - {name: train, type: dgx-h100, count: 2}
  storage: {nodes: 3}
jobs:
  - {name: one, model: gpt2-small, batch: {global: 8, micro: 1}, parallel: {data: 8}, steps: 10}
"""


def _load(folder: Path, text: str) -> Loaded:
    file = folder / "s.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file)


def _problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        resolve(_load(folder, text))
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_a_good_scenario_resolves(tmp_path: Path) -> None:
    _shipped_fields.cache_clear()
    inventory = resolve(_load(tmp_path, GOOD))
    (pool,) = inventory.pools
    assert pool.accelerator.tdp == 700
    assert pool.link is not None and pool.link.rate == 450e9
    assert inventory.storage is not None and inventory.storage.disk.read == 6.8e9
    assert inventory.jobs[0].model.family == "transformer"
    assert inventory.jobs[0].software.fused_attention
    # Only named parts are read: server 6, storage 2, network 2, power 3, chiller, climate, grid, model, software.
    assert _shipped_fields.cache_info().misses == 18


def test_the_fabric_link_has_the_kind_of_the_switch_and_the_rate_of_the_scenario(tmp_path: Path) -> None:
    text = GOOD.replace("  storage", "  network: {link: 200 Gbit/s, switch: spectrum-3-sn4700}\n  storage")
    link = resolve(_load(tmp_path, text)).fabric_link
    assert (link.rate, link.efficiency) == (25e9, 0.85)


def test_every_unknown_name_is_listed_with_its_line_and_the_nearest(tmp_path: Path) -> None:
    text = (
        GOOD.replace("dgx-h100", "dgx-h10")
        .replace("gpt2-small", "gpt-small")
        .replace("{nodes: 3}", "{disks: {type: floppy}}")
    )
    problems = _problems(tmp_path, text)
    assert len(problems) == 3
    assert problems[0].startswith(
        's.yaml:5: cluster.servers.train.type: found "dgx-h10", expected a server of the catalogue'
    )
    assert problems[0].endswith('did you mean "dgx-h100"?')
    assert problems[1].startswith('s.yaml:6: cluster.storage.disks.type: found "floppy", expected a disk')
    assert problems[2].startswith('s.yaml:8: jobs.one.model: found "gpt-small"')


def test_own_parts_inherit_and_replace(tmp_path: Path) -> None:
    text = GOOD.replace("type: dgx-h100", "type: mine") + (
        "parts:\n"
        "  accelerators:\n"
        "    my-chip: {based_on: h100-sxm, memory: 96 GiB, peak: {bf16: 500 TFLOP/s}}\n"
        "  servers:\n"
        "    mine: {based_on: dgx-h100, accelerator: my-chip, price: {value: 1 MUSD, source: our offer}}\n"
    )
    loaded = _load(tmp_path, text)
    (pool,) = resolve(loaded).pools
    assert pool.accelerator.memory == 96 * 2**30
    assert pool.accelerator.peak["bf16"] == 500e12
    assert pool.accelerator.peak["fp8"] == 1979e12
    assert pool.server.price == 1e6
    own = loaded.scenario.parts
    assert catalogue.sources("servers", "mine", own)["price"] == "our offer"
    assert catalogue.sources("accelerators", "my-chip", own)["memory"] == "the scenario"
    assert "my-chip" in catalogue.names("accelerators", own)


@pytest.mark.parametrize(
    ("changes", "switches"), [("price: 1 MUSD", 8), ("accelerators: 4", None), ("accelerators: 4, pcie_switches: 4", 4)]
)
def test_a_server_of_other_counts_takes_no_inside_over(tmp_path: Path, changes: str, switches: int | None) -> None:
    text = GOOD.replace("type: dgx-h100", "type: mine")
    loaded = _load(tmp_path, f"{text}parts:\n  servers:\n    mine: {{based_on: dgx-h100, {changes}}}\n")
    (pool,) = resolve(loaded).pools
    assert pool.server.pcie_switches == switches
    assert pool.server.sockets == (2 if switches else None)


def test_an_own_part_may_replace_a_shipped_one(tmp_path: Path) -> None:
    loaded = _load(tmp_path, GOOD + "parts:\n  psus:\n    titanium: {based_on: titanium, no_load: 2 %}\n")
    psu = resolve(loaded).pools[0].psu
    assert (psu.no_load, psu.linear) == (0.02, 0.00879)


def test_everything_wrong_with_own_parts_is_listed(tmp_path: Path) -> None:
    text = GOOD + (
        "parts:\n"
        "  acelerators:\n"
        "    x: {}\n"
        "  accelerators:\n"
        "    a: {based_on: h100-sxm, memory: 96, colour: red}\n"
        "    b: {based_on: h100}\n"
        "    c: {based_on: d}\n"
        "    d: {based_on: c}\n"
        "  links:\n"
        "    wire: {title: a wire, rate: 1 Gbit/s, efficiency: 1.5}\n"
        "  servers:\n"
        "    s: {based_on: dgx-h100, accelerator: h100-sxn}\n"
        "  models:\n"
        "    m: {family: transformer, layers: 2, hidden: 10, heads: 3, context: 8, vocabulary: 128}\n"
        "    n: {based_on: gpt2-small, layers: -1}\n"
    )
    problems = _problems(tmp_path, text)
    starts = [problem.split(", expected")[0] for problem in problems]
    assert starts == [
        's.yaml:10: parts.acelerators: found "acelerators"',
        "s.yaml:13: parts.accelerators.a.memory: found 96",
        's.yaml:13: parts.accelerators.a.colour: found the unknown key "colour"',
        's.yaml:14: parts.accelerators.b.based_on: found "h100"',
        's.yaml:16: parts.accelerators.d.based_on: found "c"',
        's.yaml:15: parts.accelerators.c.based_on: found "d"',
        "s.yaml:18: parts.links.wire.efficiency: found 1.5",
        "s.yaml:18: parts.links.wire.latency: found nothing",
        's.yaml:20: parts.servers.s.accelerator: found "h100-sxn"',
        "s.yaml:22: parts.models.m.heads: found 3",
        "s.yaml:23: parts.models.n.layers: found -1",
    ]
    assert 'did you mean "accelerators"?' in problems[0]
    assert "such as" in problems[1]


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats()
    | st.sampled_from(["", "h100-sxm", "a", "3 GB", "transformer"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["value", "source", "bf16"]), inner),
    max_leaves=5,
)
FIELDS = st.sampled_from(["based_on", "source", "peak", "memory", "tdp", "family", "layers", "hidden", "other"])


@given(st.sampled_from(["accelerators", "models"]), st.dictionaries(FIELDS, PLAIN, max_size=4))
def test_whatever_a_part_holds_it_is_read_or_refused_with_reasons(kind: str, fields: dict[str, object]) -> None:
    own = {kind: {"a": fields}}
    try:
        catalogue.part(kind, "a", own)
    except PartError as error:
        assert error.faults
        assert all(fault.found and fault.expected for fault in error.faults)


def test_a_model_without_a_known_family_is_told_the_families() -> None:
    for fields in ({}, {"family": "rnn"}):
        with pytest.raises(PartError, match=r"models.a.family: found .*transformer, mixture, encoder"):
            catalogue.part("models", "a", {"models": {"a": fields}})


def test_grid_and_climate_may_be_described_in_place(tmp_path: Path) -> None:
    text = GOOD + (
        "site:\n"
        "  climate: {dry_bulb: 20 degC, relative_humidity: 50 %}\n"
        "  grid: {carbon: {value: 36 gCO2e/kWh, scope: marginal}, price: 0.36 USD/kWh}\n"
    )
    inventory = resolve(_load(tmp_path, text))
    assert isinstance(inventory.climate, ConstantClimate)
    assert inventory.grid.scope == "marginal"
    assert inventory.grid.price == pytest.approx(1e-7, rel=1e-12)  # 0.36 USD / 3.6e6 J
    assert inventory.grid.water == 0


def test_canonical_form_is_plain_and_tells_parts_apart(tmp_path: Path) -> None:
    first, again = (resolve(_load(tmp_path, GOOD)).canonical() for _ in range(2))
    other = resolve(_load(tmp_path, GOOD + "site: {grid: poland}\n")).canonical()
    assert json.dumps(first, sort_keys=True) == json.dumps(again, sort_keys=True) != json.dumps(other, sort_keys=True)


def test_unknown_kinds_and_names_are_input_errors() -> None:
    with pytest.raises(PartError, match='did you mean "servers"'):
        catalogue.names("server")
    with pytest.raises(PartError, match=r'found "h100-sx".*did you mean "h100-sxm"'):
        catalogue.part("accelerators", "h100-sx")
    with pytest.raises(PartError):
        catalogue.part("accelerators", "../servers/dgx-h100")
