"""Background traffic in the scenario file: what it stands for, and what every slip is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcsim.catalogue import resolve
from dcsim.errors import ScenarioError
from dcsim.estimate import feasibility
from dcsim.scenario.background import Incast, Pair, Uniform
from dcsim.scenario.load import Loaded, load

BASE = """\
dcsim: 1
name: small
cluster:
  servers:
    - {name: train, type: dgx-h100, count: 4}
  network:
    background:
      - ITEM
STORAGE
jobs:
  - {name: digits, model: mlp-mnist, batch: {global: 64, micro: 8}, parallel: {data: 8}, steps: 20}
"""
PAIR = "name: a, kind: pair, source: train/0, target: train/1"
INCAST = "name: a, kind: incast, target: train/1"


def loaded(folder: Path, item: str, storage: str = "  storage: {nodes: 3}") -> Loaded:
    file = folder / "x.yaml"
    file.write_text(BASE.replace("ITEM", item).replace("STORAGE", storage), "utf-8")
    return load(file)


def test_the_keys_have_the_defaults_that_the_help_says(tmp_path: Path) -> None:
    def first(item: str) -> object:
        return loaded(tmp_path, item).scenario.cluster.network.background[0]

    assert first(f"{{{PAIR}, rate: 8 Gbit/s}}") == Pair(
        name="a", kind="pair", source="train/0", target="train/1", rate="8 Gbit/s", card=None, at="0 s", until=None
    )
    incast = first(f"{{{INCAST}, size: 1 GB}}")
    assert isinstance(incast, Incast)
    assert (incast.senders, incast.every, incast.card, incast.size) == (None, None, 0, 1e9)
    uniform = first("{name: a, kind: uniform, load: 30 %}")
    assert isinstance(uniform, Uniform)
    assert (uniform.load, uniform.size, uniform.servers) == (0.3, 1e9, None)


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ("{name: a, kind: broadcast}", 'kind: found "broadcast", expected one of uniform, permutation, pair, incast'),
        ("{name: a, kind: uniformm}", 'storage; did you mean "uniform"'),
        ("{name: a, kind: uniform}", "load"),
        ("{name: a, kind: uniform, load: 0}", "above zero"),
        ("{name: a, kind: permutation, load: 120 %}", "a ratio of at most 1"),
        ("{name: a, kind: uniform, load: 10 %, servers: [trian]}", 'did you mean "train"'),
        ("{name: a, kind: uniform, load: 10 %, servers: []}", "at least 1"),
        (f"{{{PAIR}}}", "rate"),
        (f"{{{PAIR}, rate: 0 Gbit/s}}", "above zero"),
        (f"{{{PAIR}, rate: 8 Gbit/s, at: -1 s}}", "at least 0 s"),
        (f"{{{PAIR}, rate: 8 Gbit/s, at: 5 s, until: 5 s}}", "a time after its beginning, 5 s"),
        (f"{{{PAIR}, rate: 8 Gbit/s, card: -1}}", "at least 0"),
        ("{name: a, kind: pair, source: train/0, target: train/0, rate: 8 Gbit/s}", "another server than its source"),
        ("{name: a, kind: pair, source: train/0, target: train/9, rate: 8 Gbit/s}", 'from "train/0" to "train/3"'),
        ("{name: a, kind: pair, source: train/0, target: tram/1, rate: 8 Gbit/s}", 'did you mean "train"'),
        ("{name: a, kind: pair, source: train, target: train/1, rate: 8 Gbit/s}", 'index such as "train/15"'),
        ("{name: a, kind: pair, source: storage/3, target: train/1, rate: 8 Gbit/s}", '"storage/0" to "storage/2"'),
        (f"{{{INCAST}}}", "size"),
        (f"{{{INCAST}, size: 0 B}}", "above zero"),
        (f"{{{INCAST}, size: 1 GB, every: 0 s}}", "above zero"),
        (f"{{{INCAST}, size: 1 GB, senders: 0}}", "at least 1"),
        (f"{{{INCAST}, size: 1 GB, burst: 3}}", "burst"),
    ],
)
def test_a_slip_is_told_with_its_line(tmp_path: Path, item: str, told: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        loaded(tmp_path, item)
    assert all(problem.line == 8 for problem in caught.value.problems)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("item", "told"),
    [
        # A DGX H100 has 8 cards; links run at 400 Gbit/s, 50 GB/s.
        (f"{{{PAIR}, rate: 401 Gbit/s, card: 7}}", "at most 50 GB/s, the rate of a network card of train/0"),
        (f"{{{PAIR}, rate: 3201 Gbit/s}}", "at most 400 GB/s, the rate of the network cards of train/0"),
        (f"{{{PAIR}, rate: 8 Gbit/s, card: 8}}", "at most 7: train servers have 8 network cards"),
        (f"{{{INCAST}, size: 1 GB, senders: 4}}", "1 to 3 senders beside the target"),
        (f"{{{INCAST}, size: 1 GB, card: 8}}", "at most 7"),
        ("{name: a, kind: storage, rate: 999 TB/s}", "the rate of all storage nodes"),
    ],
)
def test_what_the_cluster_cannot_send_is_refused(tmp_path: Path, item: str, told: str) -> None:
    found = loaded(tmp_path, item)
    problems = list(feasibility.structure(found.scenario, resolve(found), found.problem, tmp_path))
    assert problems
    assert all(problem.line == 8 for problem in problems)
    assert told in " ".join(map(str, problems))


def test_storage_traffic_needs_storage_and_names_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"storage traffic but no storage pool"):
        loaded(tmp_path, "{name: a, kind: storage, rate: 8 Gbit/s}", "")
    twice = "{name: a, kind: uniform, load: 1 %}\n      - {name: a, kind: uniform, load: 2 %}"
    with pytest.raises(ScenarioError, match="a name that no other background traffic has"):
        loaded(tmp_path, twice)


@pytest.mark.parametrize(
    ("latency", "told"),
    [("{hop: -1 us}", "at least 0 s"), ("{switch: 3}", 'such as "'), ("{hops: 1 us}", 'did you mean "hop"')],
)
def test_a_slip_of_a_latency_is_told(tmp_path: Path, latency: str, told: str) -> None:
    text = BASE.replace("    background:\n      - ITEM\nSTORAGE", f"    latency: {latency}")
    (tmp_path / "x.yaml").write_text(text, "utf-8")
    with pytest.raises(ScenarioError, match="latency") as caught:
        load(tmp_path / "x.yaml")
    assert told in str(caught.value)
